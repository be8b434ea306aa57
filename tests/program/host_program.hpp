// Runs Vellum as a person would: a process with words, files and signals.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace vellum::test {

using Words = std::vector<std::string>;

struct Ended {
    int status = -1;  // as a shell shows it; -1: it had to be killed because it did not end
    std::string out, err;
};

// A folder of its own for a test, removed at the end.
class Scratch {
 public:
    Scratch();
    ~Scratch();
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    const std::filesystem::path& path() const { return path_; }
    std::string file(const std::string& name) const { return path_ / name; }
    std::string write(const std::string& name, const std::string& contents) const;
    std::string read(const std::string& name) const;

 private:
    std::filesystem::path path_;
};

// Names, contents and times of change of all that is in a folder, as text.
std::string contents_of(const std::filesystem::path& folder);

class Process {
 public:
    struct Setting {
        std::map<std::string, std::string> environment = {};  // beside PATH and HOME; no display unless named here
        std::string input = "/dev/null";
        std::string output = {}, error = {};  // files; empty: kept for Ended
        bool close_output = false, close_error = false;
    };

    // Starts `words` as a program with these arguments; its current folder is the scratch folder.
    Process(const Scratch& scratch, const Words& words, Setting setting);
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    void signal(int number) const;
    int pid() const { return pid_; }
    bool running();
    Ended wait();

 private:
    const Scratch& scratch_;
    Setting setting_;
    int pid_ = -1;
    int raw_status_ = 0;
};

// Vellum, with the words after its name.
Ended run_vellum(const Scratch& scratch, Words words, Process::Setting setting = {});
Words vellum_words(Words words);

// True as soon as `file` in `scratch` holds `text`; false after a long time, or when `process` (if given) has ended
// before.
bool appears(const Scratch& scratch, const std::string& file, const std::string& text, Process* process = nullptr);

// One command through the control socket, and all of its answer.
std::string control(const std::string& socket_path, const std::string& line);

bool am_root();

}  // namespace vellum::test
