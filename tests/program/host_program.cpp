// Processes, files and sockets of the host.
#include "program/host_program.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace vellum::test {

namespace {

constexpr std::chrono::milliseconds look_again{5};
constexpr std::chrono::seconds too_long{60};
constexpr off_t small_file = 16 << 20;  // of larger ones (sparse, in tests) size and times must do

template <typename Condition>
bool becomes_true(Condition condition) {
    auto end = std::chrono::steady_clock::now() + too_long;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(look_again);
    }
    return true;
}

std::string read_file(const std::filesystem::path& path) {
    std::ifstream file{path, std::ios::binary};
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

void redirect(int descriptor, const std::string& path, int flags) {
    int opened = open(path.c_str(), flags, 0644);
    if (opened < 0 || dup2(opened, descriptor) < 0) _exit(126);
    close(opened);
}

}  // namespace

Scratch::Scratch() {
    std::string name = std::filesystem::temp_directory_path() / "vellum-test-XXXXXX";
    if (!mkdtemp(name.data())) throw std::runtime_error("no folder for a test");
    path_ = name;
}

Scratch::~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string Scratch::write(const std::string& name, const std::string& contents) const {
    std::ofstream{path_ / name, std::ios::binary} << contents;
    return file(name);
}

std::string Scratch::read(const std::string& name) const { return read_file(path_ / name); }

std::string contents_of(const std::filesystem::path& folder) {
    std::vector<std::string> lines;
    for (auto& entry : std::filesystem::recursive_directory_iterator{folder}) {
        struct stat info;
        if (lstat(entry.path().c_str(), &info) != 0) continue;
        bool small = S_ISREG(info.st_mode) && info.st_size <= small_file;
        std::string contents = small ? std::to_string(std::hash<std::string>{}(read_file(entry))) : "";
        lines.push_back(entry.path().string() + " " + std::to_string(info.st_size) + " " +
                        std::to_string(info.st_mtim.tv_sec) + "." + std::to_string(info.st_mtim.tv_nsec) + " " +
                        std::to_string(info.st_mode) + " " + contents + "\n");
    }
    std::sort(lines.begin(), lines.end());
    std::string text;
    for (const std::string& line : lines) text += line;
    return text;
}

Process::Process(const Scratch& scratch, const Words& words, Setting setting)
    : scratch_{scratch}, setting_{std::move(setting)} {
    std::string out = setting_.output.empty() ? scratch.file("..out") : setting_.output;
    std::string err = setting_.error.empty() ? scratch.file("..err") : setting_.error;
    std::vector<std::string> variables = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/nonexistent", "LC_ALL=C"};
    for (auto& [name, value] : setting_.environment) variables.push_back(name + "=" + value);
    if (const char* options = std::getenv("LSAN_OPTIONS")) variables.push_back(std::string{"LSAN_OPTIONS="} + options);
    std::vector<char*> arguments, environment;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    for (const std::string& variable : variables) environment.push_back(const_cast<char*>(variable.c_str()));
    arguments.push_back(nullptr);
    environment.push_back(nullptr);
    pid_ = fork();
    if (pid_ < 0) throw std::runtime_error("no process for a test");
    if (pid_ > 0) return;
    redirect(STDIN_FILENO, setting_.input, O_RDONLY);
    redirect(STDOUT_FILENO, out, O_WRONLY | O_CREAT | O_TRUNC);
    redirect(STDERR_FILENO, err, O_WRONLY | O_CREAT | O_TRUNC);
    if (setting_.close_output) close(STDOUT_FILENO);
    if (setting_.close_error) close(STDERR_FILENO);
    if (chdir(scratch.path().c_str()) != 0) _exit(126);
    execve(arguments[0], arguments.data(), environment.data());
    _exit(127);
}

Process::~Process() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
}

void Process::signal(int number) const {
    if (pid_ > 0) kill(pid_, number);
}

bool Process::running() {
    if (pid_ <= 0) return false;
    if (waitpid(pid_, &raw_status_, WNOHANG) != pid_) return true;
    pid_ = -1;
    return false;
}

Ended Process::wait() {
    Ended ended;
    if (becomes_true([this] { return !running(); }))
        ended.status = WIFEXITED(raw_status_) ? WEXITSTATUS(raw_status_) : 128 + WTERMSIG(raw_status_);
    ended.out = scratch_.read("..out");
    ended.err = scratch_.read("..err");
    std::error_code ignored;
    std::filesystem::remove(scratch_.file("..out"), ignored);
    std::filesystem::remove(scratch_.file("..err"), ignored);
    return ended;
}

Words vellum_words(Words words) {
    words.insert(words.begin(), VELLUM_PROGRAM);
    return words;
}

Ended run_vellum(const Scratch& scratch, Words words, Process::Setting setting) {
    return Process{scratch, vellum_words(std::move(words)), std::move(setting)}.wait();
}

bool appears(const Scratch& scratch, const std::string& file, const std::string& text, Process* process) {
    auto there = [&] { return scratch.read(file).find(text) != std::string::npos; };
    becomes_true([&] { return there() || (process && !process->running()); });
    return there();
}

std::string control(const std::string& socket_path, const std::string& line) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, socket_path.data(), std::min(socket_path.size(), sizeof address.sun_path - 1));
    int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected =
        becomes_true([&] { return connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0; });
    std::string answer, sent = line + "\n";
    if (connected && send(connection, sent.data(), sent.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(sent.size())) {
        char bytes[4096];
        auto complete = [&answer] {
            auto last = answer.size() < 2 ? std::string::npos : answer.rfind('\n', answer.size() - 2);
            std::string end = last == std::string::npos ? answer : answer.substr(last + 1);
            return end == "ok\n" || (end.starts_with("error") && end.ends_with("\n"));
        };
        for (ssize_t n; !complete() && (n = recv(connection, bytes, sizeof bytes, 0)) > 0;)
            answer.append(bytes, static_cast<std::size_t>(n));
    }
    close(connection);
    return answer;
}

bool am_root() { return geteuid() == 0; }

}  // namespace vellum::test
