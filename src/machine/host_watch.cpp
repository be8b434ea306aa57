// The other end of the control socket, and a terminal.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <thread>

#include <fmt/format.h>

#include "base/descriptor.hpp"
#include "base/host_error.hpp"
#include "machine/config.hpp"
#include "machine/watch.hpp"

namespace vellum {

namespace {

constexpr std::string_view question = "times\n", ending = "ok\n";
constexpr std::string_view clear_screen = "\x1B[H\x1B[J";
constexpr std::chrono::seconds pause{1};
constexpr std::size_t longest_answer = 64 * 1024;  // whoever answers with more is no Vellum

Descriptor connect_to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        throw UsageError(fmt::format("watch {}: the path is too long; use a shorter one", path));
    std::memcpy(address.sun_path, path.data(), path.size());
    Descriptor connection{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!connection || connect(connection.number(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        throw UsageError(fmt::format("watch {}: {}; name the socket of a running machine's --control unix:PATH", path,
                                     std::strerror(errno)));
    return connection;
}

// Text of a table. Whoever answers may be anybody, and a terminal obeys what it is shown.
std::string printable(std::string text) {
    for (char& c : text)
        if ((c < ' ' || c > '~') && c != '\n') c = '?';
    return text;
}

// The answer without its "ok"; nothing when the machine has gone.
std::optional<std::string> ask(const Descriptor& connection) {
    if (send(connection.number(), question.data(), question.size(), MSG_NOSIGNAL) < 0) return std::nullopt;
    std::string answer;
    char bytes[4096];
    while (!answer.ends_with(ending)) {
        ssize_t n = recv(connection.number(), bytes, sizeof bytes, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return std::nullopt;
        answer.append(bytes, static_cast<std::size_t>(n));
        if (answer.size() > longest_answer)
            throw UsageError(
                "watch: the answer has no end; name the socket of a running machine's --control unix:PATH");
        if (answer.starts_with("error: ") && answer.ends_with('\n'))
            throw UsageError(fmt::format("watch: {}", printable(answer.substr(0, answer.find('\n')))));
    }
    answer.resize(answer.size() - ending.size());
    return printable(std::move(answer));
}

}  // namespace

int watch_times(const std::string& socket_path) {
    Descriptor connection = connect_to(socket_path);
    bool terminal = isatty(STDOUT_FILENO);
    while (auto answer = ask(connection)) {
        std::string text = terminal ? std::string{clear_screen} + *answer : *answer + "\n";
        if (std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0)
            throw HostError("watch: standard output is closed");
        std::this_thread::sleep_for(pause);
    }
    return exit_status::ok;
}

}  // namespace vellum
