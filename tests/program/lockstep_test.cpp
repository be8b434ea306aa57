// --engine lockstep as a process: endings, and what only one of the two machines could have had.
#include <catch2/catch.hpp>

#include "program/host_program.hpp"
#include "program/tiny_firmware.hpp"

using namespace vellum::test;

namespace {

struct Case {
    const char* name;
    TinyFirmware firmware;
    Words words;
    int status;
};

const Case cases[] = {
    {"power-off", TinyFirmware{}.power_off(), {}, 0},
    {"reset", TinyFirmware{}.reset(), {"--no-reboot"}, 0},
    {"triple fault", TinyFirmware{}.triple_fault(), {"--no-reboot"}, 4},
    {"resets and triple faults", TinyFirmware{}.triple_fault(), {"--time-limit", "0.2"}, 6},
    {"debug exit", TinyFirmware{}.debug_exit(5), {"--debug-exit"}, 11},
    // mov dx,402h; in al,dx; out F4h,al. Seen: the second machine had no such port.
    {"debug console",
     TinyFirmware{}.bytes({0xBA, 0x02, 0x04, 0xEC, 0xE6, 0xF4}).stand_still(),
     {"--debug-exit", "--debugcon", "file:text"},
     (0xE9 << 1 | 1) & 0xFF},
};

}  // namespace

TEST_CASE("lockstep: each ending has its status, and neither machine has what the other one lacks", "[program]") {
    for (const Case& one : cases) {
        INFO(one.name);
        Scratch scratch;
        scratch.write("bios", one.firmware.image());
        Words words = {"run",  "--engine", "lockstep", "--clock",   "instructions", "--bios",
                       "bios", "-m",       "1",        "--display", "none"};
        words.insert(words.end(), one.words.begin(), one.words.end());
        Ended ended = run_vellum(scratch, words);
        INFO(ended.err);
        CHECK(ended.status == one.status);
        CHECK(ended.err.empty());
    }
}
