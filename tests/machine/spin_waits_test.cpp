// Guests that spin with PAUSE: when they sleep, and when they do not.
#include <catch2/catch.hpp>

#include <chrono>
#include <thread>

#include "machine/tiny_machine.hpp"

using namespace vellum;
using Kind = Machine::Slice::Kind;

namespace {

constexpr Nanoseconds us = 1000;
constexpr std::initializer_list<u8> pause_for_ever = {0xF3, 0x90, 0xEB, 0xFC};

}  // namespace

TEST_CASE("spin waits: a loop sleeps once it has taken a while, for a quarter of what it has taken") {
    SpinWatch spins;
    Nanoseconds now = 5'000'000;
    for (; now < 5'000'000 + SpinWatch::patience; now += 5 * us) REQUIRE_FALSE(spins.note_pause(0x1000, now));
    CHECK(spins.take_wish() == 0);
    CHECK(spins.note_pause(0x1000, now));
    CHECK(spins.take_wish() == SpinWatch::patience / 4);
    CHECK(spins.take_wish() == 0);
    now += 900 * us;  // longer than it had wished for
    spins.wake(now);
    CHECK(spins.note_pause(0x1000, now + us));
    CHECK(spins.take_wish() == (SpinWatch::patience + 901 * us) / 4);
}

TEST_CASE("spin waits: work between two PAUSEs makes a loop none that waits") {
    SpinWatch spins;
    for (Nanoseconds now = 0; now < 5'000 * us; now += SpinWatch::longest_gap + 1)
        REQUIRE_FALSE(spins.note_pause(0x1000, now));
}

TEST_CASE("spin waits: another PAUSE is another loop") {
    SpinWatch spins;
    u32 eip = 0x1000;
    for (Nanoseconds now = 0; now < 5'000 * us; now += us, eip ^= 1) REQUIRE_FALSE(spins.note_pause(eip, now));
}

// The host's time passes as often as it is asked for.
TEST_CASE("spin waits: a machine whose guest spins wants to sleep, not for long") {
    EngineKind engine = GENERATE(EngineKind::Interp, EngineKind::Bt);
    MachineConfig config = tiny_config(engine);
    config.clock = ClockKind::Host;
    BoardParts parts = tiny_parts(pause_for_ever);
    Nanoseconds host = 1'000'000;
    parts.host_time = [&host] { return host += us; };
    Log log;
    Machine machine{config, std::move(parts), log};
    machine.start();
    Machine::Slice slice{Kind::Stopped};
    for (int i = 0; i < 1000 && slice.kind == Kind::Stopped; ++i) {
        machine.board().cpu().attention.clear(Attention::Stop);
        slice = machine.run_slice();
    }
    REQUIRE(slice.kind == Kind::Spinning);
    Nanoseconds now = machine.board().clock().guest_time();
    CHECK(slice.until + 10 * us > now);
    CHECK(slice.until < now + SpinWatch::patience);
}

TEST_CASE("spin waits: without them, PAUSE is only an instruction") {
    MachineConfig config = tiny_config(EngineKind::Bt);
    config.clock = ClockKind::Host;
    config.without = {"spin-waits"};
    BoardParts parts = tiny_parts(pause_for_ever);
    Nanoseconds host = 1'000'000;
    parts.host_time = [&host] { return host += us; };
    Log log;
    Machine machine{config, std::move(parts), log};
    machine.start();
    Attention& attention = machine.board().cpu().attention;
    attention.clear(Attention::Stop);
    std::thread other{[&] {
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
        attention.raise(Attention::Stop);
    }};
    CHECK(machine.run_slice().kind == Kind::Stopped);
    other.join();
}

TEST_CASE("spin waits: the instruction clock knows none, for sleeping would change nothing") {
    EngineKind engine = GENERATE(EngineKind::Interp, EngineKind::Bt, EngineKind::Lockstep);
    MachineConfig config = tiny_config(engine);
    Log log;
    std::optional<BoardParts> shadow;
    if (engine == EngineKind::Lockstep) shadow = tiny_parts(pause_for_ever);
    Machine machine{config, tiny_parts(pause_for_ever), log, std::move(shadow)};
    constexpr u64 enough = 500'000;
    while (machine.board().state().instructions < enough) {
        machine.board().cpu().attention.clear(Attention::Stop);
        REQUIRE(machine.run_slice(enough).kind == Kind::Stopped);
    }
    CHECK(machine.board().state().instructions == enough);
}
