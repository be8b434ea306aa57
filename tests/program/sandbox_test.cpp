// The program is locked in while its guest runs, and does all that it is asked for all the same.
#include <signal.h>

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <set>

#include "machine/sandbox.hpp"
#include "program/host_program.hpp"
#include "program/tiny_firmware.hpp"

using namespace vellum::test;
using Catch::Matchers::StartsWith;

namespace {

// What the field "Seccomp:" of /proc/PID/task/*/status says: 0 is no filter, 2 is one.
std::set<std::string> filters_of(int pid) {
    std::set<std::string> found;
    for (auto& task : std::filesystem::directory_iterator{"/proc/" + std::to_string(pid) + "/task"}) {
        std::ifstream status{task.path() / "status"};
        for (std::string line; std::getline(status, line);)
            if (line.starts_with("Seccomp:")) found.insert(line.substr(9));
    }
    return found;
}

struct Guest {
    explicit Guest(Words more) {
        scratch.write("bios", TinyFirmware{}.stand_still().image());
        words = {"run", "--bios", "bios", "-m", "1", "--control", "unix:control"};
        words.insert(words.end(), more.begin(), more.end());
    }
    std::string ask(const std::string& line) const { return control(scratch.file("control"), line); }
    Scratch scratch;
    Words words;
};

const std::string no_filter = "0", a_filter = vellum::sandbox_suits_this_build ? "2" : "0";

}  // namespace

TEST_CASE("sandbox: all threads of a running machine are locked in", "[program]") {
    const Words displays = GENERATE(Words{"--display", "none"}, Words{"--display", "sdl"});
    const Words engine = GENERATE(Words{}, Words{"--engine", "lockstep", "--clock", "instructions"},
                                  Words{"--stats", "stats", "--count"});
    Words words = displays;
    words.insert(words.end(), engine.begin(), engine.end());
    Guest guest{words};
    Process::Setting setting;
    setting.environment = {{"SDL_VIDEODRIVER", "dummy"}};
    Process process{guest.scratch, vellum_words(guest.words), setting};
    CHECK(guest.ask("key a") == "ok\n");  // the machine runs
    CHECK(filters_of(process.pid()) == std::set<std::string>{a_filter});
    CHECK(guest.ask("quit") == "ok\n");
    Ended ended = process.wait();
    CHECK(ended.status == 0);
    CHECK(ended.err == "");
}

TEST_CASE("sandbox: --no-sandbox does without", "[program]") {
    Guest guest{{"--display", "none", "--no-sandbox", "--save", "end"}};
    Process process{guest.scratch, vellum_words(guest.words), {}};
    CHECK(guest.ask("key a") == "ok\n");
    CHECK(filters_of(process.pid()) == std::set<std::string>{no_filter});
    CHECK(guest.ask("quit") == "ok\n");
    CHECK(process.wait().status == 0);
    CHECK_THAT(guest.scratch.read("end"), StartsWith("Vellum snapshot\n"));
}

TEST_CASE("sandbox: what needs files while the machine runs and at its end works as ever", "[program]") {
    Guest guest{{"--display", "none", "--serial", "unix:line", "--gdb", "unix:gdb", "--stats", "stats", "--save", "end",
                 "--screenshot", "end.png"}};
    guest.scratch.write("cd", std::string(4096, 'x'));
    guest.scratch.write("floppy", std::string(1440 * 1024, 'x'));
    Process process{guest.scratch, vellum_words(guest.words), {}};
    for (const char* line : {"screenshot now.png", "save now", "change-cd cd", "change-floppy floppy", "stats",
                             "change-cd none", "change-floppy none"}) {
        INFO(line);
        std::string answer = guest.ask(line);
        CHECK(answer.ends_with("ok\n"));
    }
    CHECK(guest.ask("change-cd missing") == "error: missing: No such file or directory: check the name\n");
    CHECK_THAT(guest.ask("screenshot missing/now.png"), StartsWith("error: missing/now.png: "));
    process.signal(SIGUSR1);
    process.signal(SIGTERM);
    Ended ended = process.wait();
    CHECK(ended.status == 128 + SIGTERM);
    CHECK(ended.err == "");
    CHECK_THAT(guest.scratch.read("now"), StartsWith("Vellum snapshot\n"));
    CHECK_THAT(guest.scratch.read("end"), StartsWith("Vellum snapshot\n"));
    CHECK_THAT(guest.scratch.read("now.png"), StartsWith("\x89PNG"));
    CHECK_THAT(guest.scratch.read("end.png"), StartsWith("\x89PNG"));
    CHECK_THAT(guest.scratch.read("stats"), StartsWith("{"));
    for (const char* name : {"control", "line", "gdb"}) CHECK_FALSE(std::filesystem::exists(guest.scratch.file(name)));
}
