// Snapshots by all that asks for one, and a machine that goes on from them in another process.
#include <signal.h>

#include <catch2/catch.hpp>
#include <functional>

#include "program/host_program.hpp"
#include "program/tiny_firmware.hpp"

using namespace vellum::test;
using Catch::Matchers::Contains;

namespace {

const Words engines = {VELLUM_TEST_ENGINES};

// Says A, waits for a byte over the serial line, says B and switches off.
TinyFirmware waiting_guest() {
    TinyFirmware firmware;
    firmware.say('A');
    firmware.bytes({0xBA, 0xFD, 0x03, 0xEC, 0xA8, 0x01, 0x74, 0xFB});  // mov dx,3FDh; in al,dx; test al,1; jz the in
    return firmware.say('B').power_off();
}

Words machine(const std::string& engine, std::initializer_list<std::string> more) {
    Words words = {"run", "--engine", engine, "-m", "2", "--display", "none"};
    words.insert(words.end(), more);
    return words;
}

struct Saving {
    const char* name;
    std::function<void(const Scratch&, const Process&)> ask;
    int status;
};

const Saving savings[] = {
    {"the command quit", [](const Scratch& s, const Process&) { control(s.file("control"), "quit"); }, 0},
    {"SIGTERM", [](const Scratch&, const Process& process) { process.signal(SIGTERM); }, 128 + SIGTERM},
    {"SIGUSR1, before it is killed",
     [](const Scratch& s, const Process& process) {
         process.signal(SIGUSR1);
         REQUIRE(appears(s, "snapshot", "Vellum snapshot"));
         process.signal(SIGKILL);
     },
     128 + SIGKILL},
    {"the command save, before it is killed",
     [](const Scratch& s, const Process& process) {
         CHECK(control(s.file("control"), "save snapshot") == "ok\n");
         process.signal(SIGKILL);
     },
     128 + SIGKILL},
};

}  // namespace

TEST_CASE("snapshot: a machine goes on in another process and on another engine", "[program]") {
    for (const std::string& saved_on : engines) {
        for (const std::string& restored_on : engines) {
            for (const Saving& saving : savings) {
                INFO(saving.name << ", from " << saved_on << " to " << restored_on);
                Scratch scratch;
                scratch.write("bios", waiting_guest().image());
                scratch.write("input", "x");
                {
                    Process process{
                        scratch,
                        vellum_words(machine(saved_on, {"--bios", "bios", "--serial", "file:serial", "--save",
                                                        "snapshot", "--control", "unix:control"})),
                        {}};
                    REQUIRE(appears(scratch, "serial", "A"));
                    saving.ask(scratch, process);
                    CHECK(process.wait().status == saving.status);
                }
                Process::Setting setting;
                setting.input = scratch.file("input");
                Ended ended =
                    run_vellum(scratch, machine(restored_on, {"--restore", "snapshot", "--serial", "stdio"}), setting);
                CHECK(ended.status == 0);
                CHECK(ended.out == "B");
                CHECK(ended.err == "");
            }
        }
    }
}

TEST_CASE("snapshot: nothing is written of a machine that switched itself off", "[program]") {
    Scratch scratch;
    scratch.write("bios", TinyFirmware{}.power_off().image());
    Ended ended = run_vellum(scratch, machine(engines.front(), {"--bios", "bios", "--save", "snapshot"}));
    CHECK(ended.status == 0);
    CHECK_THAT(ended.err, Contains("--save snapshot: not written"));
    CHECK_FALSE(std::filesystem::exists(scratch.file("snapshot")));
}

TEST_CASE("snapshot: a machine that does not fit is refused with one line", "[program]") {
    Scratch scratch;
    scratch.write("bios", TinyFirmware{}.stand_still().image());
    scratch.write("other", TinyFirmware{}.spin().image());
    scratch.write("disk", std::string(4096, 'x'));
    scratch.write("floppy", std::string(4096, 'y'));
    REQUIRE(run_vellum(scratch, machine(engines.front(), {"--bios", "bios", "--hda", "disk", "--save", "snapshot",
                                                          "--time-limit", "0.2"}))
                .status == 6);
    struct Wrong {
        Words words;
        std::string part;
    };
    const Wrong tries[] = {
        {{"-m", "3", "--hda", "disk"}, "use -m 2M"},
        {{"-m", "2"}, "--hda is missing"},
        {{"-m", "2", "--hda", "disk", "--fda", "floppy"}, "--fda floppy: nothing was there"},
        {{"-m", "2", "--hda", "disk", "--bios", "other"}, "--bios is not the one"},
    };
    std::string before = contents_of(scratch.path());
    for (const Wrong& wrong : tries) {
        Words words = {"run", "--display", "none", "--restore", "snapshot"};
        words.insert(words.end(), wrong.words.begin(), wrong.words.end());
        Ended ended = run_vellum(scratch, words);
        INFO(ended.err);
        CHECK(ended.status == 2);
        CHECK(std::count(ended.err.begin(), ended.err.end(), '\n') == 1);
        CHECK_THAT(ended.err, Contains("--restore snapshot") && Contains(wrong.part));
        CHECK(contents_of(scratch.path()) == before);
    }
    CHECK(run_vellum(scratch, machine(engines.front(), {"--bios", "bios", "--hda", "disk", "--restore", "snapshot",
                                                        "--time-limit", "0.2"}))
              .status == 6);
}
