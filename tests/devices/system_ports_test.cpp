// Ports 61h, 92h and CF9h.
#include "devices/system_ports.hpp"

#include <catch2/catch.hpp>

using namespace vellum;

namespace {
struct Bench {
    Bus ports;
    Log log;
    Scheduler scheduler;
    bool a20 = false, speaker = false;
    int resets = 0;
    Pit pit{ports, IrqLine{}, scheduler, log};
    SystemPorts system{
        ports, pit, log, {[this](bool on) { a20 = on; }, [this] { ++resets; }, [this](bool on) { speaker = on; }}};

    void out(u16 port, u8 value) { ports.write(port, 1, value); }
    u8 in(u16 port) { return static_cast<u8>(ports.read(port, 1)); }
};
}  // namespace

TEST_CASE("port 61h: bit 0 is the gate of timer 2 and bit 5 its output") {
    Bench b;
    b.out(0x61, 0x01);
    b.out(0x43, 0xB0);
    b.out(0x42, 0x00);
    b.out(0x42, 0x10);
    REQUIRE((b.in(0x61) & 0x21) == 0x01);
    b.scheduler.advance_to(pit_clock.time_of(0x1001));
    REQUIRE((b.in(0x61) & 0x21) == 0x21);
}

TEST_CASE("port 61h: bit 4 toggles about every 15 microseconds") {
    Bench b;
    const u8 before = b.in(0x61) & 0x10;
    b.scheduler.advance_to(pit_clock.time_of(18));
    REQUIRE((b.in(0x61) & 0x10) != before);
    b.scheduler.advance_to(pit_clock.time_of(36));
    REQUIRE((b.in(0x61) & 0x10) == before);
}

TEST_CASE("port 61h: the low four bits read back and the speaker bit is told on") {
    Bench b;
    b.out(0x61, 0xFE);
    REQUIRE((b.in(0x61) & 0xCF) == 0x0E);
    REQUIRE(b.speaker);
}

TEST_CASE("port 92h: bit 1 is the A20 gate and bit 0 resets") {
    Bench b;
    b.out(0x92, 0x02);
    REQUIRE(b.a20);
    REQUIRE(b.in(0x92) == 0x02);
    REQUIRE(b.resets == 0);
    b.out(0x92, 0x01);
    REQUIRE_FALSE(b.a20);
    REQUIRE(b.resets == 1);
}

TEST_CASE("reset control: a rising bit 2 resets, as soft or hard as bit 1 says") {
    Log log;
    std::vector<bool> resets;
    ResetControl control{log, [&](bool hard) { resets.push_back(hard); }};
    control.write(0x02);
    REQUIRE(resets.empty());
    REQUIRE(control.read() == 0x02);
    control.write(0x06);
    control.write(0x04);
    REQUIRE(resets == std::vector<bool>{true, false});
}
