// Every way in which a run ends, and the exit status that tells of it.
#include <signal.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <future>
#include <iterator>
#include <thread>

#include "program/host_program.hpp"
#include "program/tiny_firmware.hpp"

using namespace vellum::test;
using Catch::Matchers::Contains;

namespace {

const Words engines = {VELLUM_TEST_ENGINES};

struct Guest {
    explicit Guest(const TinyFirmware& firmware, const std::string& engine) {
        scratch.write("bios", firmware.image());
        words = {"run", "--engine", engine, "--bios", "bios", "-m", "1", "--display", "none"};
    }
    Words with(std::initializer_list<std::string> more) const {
        Words all = words;
        all.insert(all.end(), more);
        return all;
    }
    Scratch scratch;
    Words words;
};

struct Ending {
    const char* name;
    TinyFirmware firmware;
    Words words;
    int status;
};

const Ending endings[] = {
    {"power-off", TinyFirmware{}.power_off(), {}, 0},
    {"reset", TinyFirmware{}.reset(), {"--no-reboot"}, 0},
    {"reset by the keyboard controller", TinyFirmware{}.reset_by_keyboard(), {"-no-reboot"}, 0},
    {"triple fault", TinyFirmware{}.triple_fault(), {"--no-reboot"}, 4},
    {"debug exit with 0", TinyFirmware{}.debug_exit(0), {"--debug-exit"}, 1},
    {"debug exit with 5", TinyFirmware{}.debug_exit(5), {"--debug-exit"}, 11},
    {"debug exit with 80h", TinyFirmware{}.debug_exit(0x80), {"--debug-exit"}, 1},
    {"debug exit with FFh", TinyFirmware{}.debug_exit(0xFF), {"--debug-exit"}, 255},
    {"time limit", TinyFirmware{}.stand_still(), {"--time-limit", "0.2"}, 6},
    {"time limit in a loop", TinyFirmware{}.spin(), {"--time-limit", "0.2"}, 6},
    {"time limit on the instruction clock",
     TinyFirmware{}.stand_still(),
     {"--time-limit", "0.2", "--clock", "instructions"},
     6},
    {"reset again and again", TinyFirmware{}.reset(), {"--time-limit", "0.2"}, 6},
    {"triple fault again and again", TinyFirmware{}.triple_fault(), {"--time-limit", "0.2"}, 6},
    {"no debug exit without the option", TinyFirmware{}.debug_exit(5), {"--time-limit", "0.2"}, 6},
    {"statistics cannot be written", TinyFirmware{}.power_off(), {"--stats", "missing/stats"}, 10},
    {"statistics do not fit", TinyFirmware{}.power_off(), {"--stats", "/dev/full"}, 10},
    {"screenshot cannot be written", TinyFirmware{}.power_off(), {"--screenshot", "missing/a.png"}, 10},
    {"screenshot of a screen that was never set up", TinyFirmware{}.power_off(), {"--screenshot", "a.png"}, 0},
};

Words children_of(int pid) {
    std::string number = std::to_string(pid);
    std::ifstream list{"/proc/" + number + "/task/" + number + "/children"};
    return {std::istream_iterator<std::string>{list}, {}};
}

// Until no thread has run for some looks (a guest that spins has one that always does), or `done` is.
void wait_until_idle(int pid, const std::future<void>& done) {
    for (int idle = 0; idle < 20 && done.wait_for(std::chrono::seconds{0}) != std::future_status::ready; ++idle) {
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
        for (auto& task : std::filesystem::directory_iterator{"/proc/" + std::to_string(pid) + "/task"}) {
            std::ifstream status{task.path() / "status"};
            std::string text{std::istreambuf_iterator<char>{status}, {}};
            if (text.find("State:\tR") != std::string::npos) idle = 0;
        }
    }
}

unsigned long long number_after(const std::string& text, const std::string& label) {
    auto at = text.find(label);
    return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + label.size(), nullptr, 10);
}

}  // namespace

TEST_CASE("exit status: each ending has its own", "[program]") {
    for (const std::string& engine : engines) {
        for (const Ending& ending : endings) {
            INFO(ending.name << " on " << engine);
            Guest guest{ending.firmware, engine};
            Words words = guest.words;
            words.insert(words.end(), ending.words.begin(), ending.words.end());
            Ended ended = run_vellum(guest.scratch, words);
            INFO(ended.err);
            CHECK(ended.status == ending.status);
            CHECK(ended.out.empty());
            CHECK((ending.status == 10) == !ended.err.empty());
        }
    }
}

TEST_CASE("exit status: a signal ends the run with 128 and its number", "[program]") {
    for (const std::string& engine : engines) {
        for (int number : {SIGTERM, SIGINT, SIGHUP}) {
            for (const TinyFirmware& firmware :
                 {TinyFirmware{}.say('R').stand_still(), TinyFirmware{}.say('R').spin()}) {
                Guest guest{firmware, engine};
                Process process{guest.scratch, vellum_words(guest.with({"--serial", "file:serial"})), {}};
                REQUIRE(appears(guest.scratch, "serial", "R", &process));
                process.signal(number);
                CHECK(process.wait().status == 128 + number);
            }
        }
    }
}

TEST_CASE("exit status: a paused machine ends on a signal too", "[program]") {
    Guest guest{TinyFirmware{}.spin(), engines.front()};
    Process process{guest.scratch, vellum_words(guest.with({"--control", "unix:control"})), {}};
    CHECK(control(guest.scratch.file("control"), "pause") == "ok\n");
    process.signal(SIGTERM);
    CHECK(process.wait().status == 128 + SIGTERM);
}

// The machine waits for an answer of the process that opens files, which never comes.
TEST_CASE("exit status: a machine that hears nothing ends on a second signal, or a while after the first",
          "[program]") {
    const int signals = GENERATE(1, 2);
    Guest guest{TinyFirmware{}.write_sector().say('R').spin(), engines.front()};
    guest.scratch.write("disk", std::string(1 << 20, 'x'));
    Process process{guest.scratch,
                    vellum_words(guest.with({"--hda", "disk", "--serial", "file:serial", "--control", "unix:control"})),
                    {}};
    REQUIRE(appears(guest.scratch, "serial", "R", &process));
    Words helpers = children_of(process.pid());
    for (const std::string& helper : helpers) kill(std::stoi(helper), SIGSTOP);
    auto command = std::async(std::launch::async, [&] { control(guest.scratch.file("control"), "screenshot a.png"); });
    wait_until_idle(process.pid(), command);
    for (int i = 0; i < signals; ++i) process.signal(SIGTERM);
    CHECK(process.wait().status == 128 + SIGTERM);
    for (const std::string& helper : helpers) kill(std::stoi(helper), SIGKILL);
    command.wait();
    CHECK(guest.scratch.read("disk").substr(512, 512) ==
          TinyFirmware{}.write_sector().say('R').spin().image().substr(0, 512));
}

TEST_CASE("exit status: a closed window and the command quit are 0", "[program]") {
    for (const char* display : {"none", "sdl"}) {
        Guest guest{TinyFirmware{}.stand_still(), engines.front()};
        Words words = guest.with({"--control", "unix:control"});
        *(std::find(words.begin(), words.end(), "--display") + 1) = display;
        Process::Setting setting;
        setting.environment = {{"SDL_VIDEODRIVER", "dummy"}};
        Process process{guest.scratch, vellum_words(words), setting};
        CHECK(control(guest.scratch.file("control"), "quit") == "ok\n");
        Ended ended = process.wait();
        CHECK(ended.status == 0);
        CHECK(ended.err == "");
        CHECK_FALSE(std::filesystem::exists(guest.scratch.file("control")));
    }
}

TEST_CASE("exit status: what a disk was given is in its file after every ending", "[program]") {
    const TinyFirmware written = TinyFirmware{}.write_sector().say('R');
    struct WithDisk {
        const char* name;
        TinyFirmware firmware;
        int signal, status;
    };
    const WithDisk runs[] = {
        {"power-off", TinyFirmware{written}.power_off(), 0, 0},
        {"SIGTERM", TinyFirmware{written}.spin(), SIGTERM, 128 + SIGTERM},
        {"SIGINT", TinyFirmware{written}.stand_still(), SIGINT, 128 + SIGINT},
        {"triple fault", TinyFirmware{written}.triple_fault(), 0, 4},
        {"debug exit", TinyFirmware{written}.debug_exit(1), 0, 3},
    };
    for (const std::string& engine : engines) {
        for (const WithDisk& run : runs) {
            for (bool snapshot : {false, true}) {
                INFO(run.name << " on " << engine << (snapshot ? " with --snapshot" : ""));
                Guest guest{run.firmware, engine};
                guest.scratch.write("disk", std::string(1 << 20, 'x'));
                Words words = guest.with(
                    {"--hda", "disk", "--serial", "file:serial", "--no-reboot", "--debug-exit", "--time-limit", "30"});
                if (snapshot) words.push_back("--snapshot");
                Process process{guest.scratch, vellum_words(words), {}};
                if (run.signal) {
                    REQUIRE(appears(guest.scratch, "serial", "R", &process));
                    process.signal(run.signal);
                }
                CHECK(process.wait().status == run.status);
                std::string expected(1 << 20, 'x');
                if (!snapshot) expected.replace(512, 512, run.firmware.image().substr(0, 512));
                CHECK(guest.scratch.read("disk") == expected);
            }
        }
    }
}

TEST_CASE("exit status: statistics say what was run", "[program]") {
    for (const std::string& engine : engines) {
        Guest guest{TinyFirmware{}.power_off(), engine};
        Ended ended = run_vellum(guest.scratch, guest.with({"--stats", "-", "--count"}));
        CHECK(ended.status == 0);
        CHECK_THAT(ended.err, Contains("\"engine\": \"" + engine + "\""));
        // jmp; four times mov, mov, out; and the same once more: the last OUT is retired, nothing after it.
        CHECK_THAT(ended.err, Contains("\"instructions\": {\"total\": 16, "));
        CHECK(number_after(ended.err, "\"peak_pss_bytes\": ") > 1'000'000);
    }
}

TEST_CASE("exit status: closed standard streams change nothing", "[program]") {
    Guest guest{TinyFirmware{}.write_sector().say('R').say('S').power_off(), engines.front()};
    guest.scratch.write("disk", std::string(1 << 20, 'x'));
    Process::Setting setting;
    setting.close_output = setting.close_error = true;
    Ended ended = run_vellum(
        guest.scratch, guest.with({"--hda", "disk", "--serial", "stdio", "--log", "all", "--stats", "-"}), setting);
    CHECK(ended.status == 0);
    std::string disk = guest.scratch.read("disk");
    CHECK(disk.substr(0, 512) == std::string(512, 'x'));
    CHECK(disk.substr(1024) == std::string(disk.size() - 1024, 'x'));
}

TEST_CASE("exit status: a reader that goes away does not end the machine", "[program]") {
    // `sh` so that the pipe's reader is gone at once.
    Guest guest{TinyFirmware{}.say('R').say('S').reset(), engines.front()};
    std::string line = "'" VELLUM_PROGRAM "'";
    for (const std::string& word : guest.with({"--serial", "stdio", "--log", "all", "--time-limit", "0.3"}))
        line += " '" + word + "'";
    Process process{guest.scratch, {"/bin/bash", "-c", "(" + line + "; echo $? >status) 2>&1 | head -c 1"}, {}};
    CHECK(process.wait().status == 0);
    CHECK(guest.scratch.read("status") == "6\n");
}

TEST_CASE("exit status: serial input without an end does not fill the memory", "[program]") {
    Guest guest{TinyFirmware{}.stand_still(), engines.front()};
    Process::Setting setting;
    setting.input = "/dev/zero";
    Ended ended =
        run_vellum(guest.scratch, guest.with({"--serial", "stdio", "--time-limit", "1", "--stats", "stats"}), setting);
    CHECK(ended.status == 6);
    unsigned long long peak = number_after(guest.scratch.read("stats"), "\"peak_pss_bytes\": ");
    CHECK(peak > 0);
    CHECK(peak < 400'000'000);
}

TEST_CASE("exit status: help and version are 0, on standard output", "[program]") {
    Scratch scratch;
    Ended help = run_vellum(scratch, {"--help"});
    CHECK(help.status == 0);
    CHECK_THAT(help.out, Contains("--time-limit"));
    CHECK(help.err.empty());
    CHECK(run_vellum(scratch, {"--version"}).out.starts_with("vellum "));
    Process::Setting full;
    full.output = "/dev/full";
    CHECK(run_vellum(scratch, {"--help"}, full).status == 10);
}
