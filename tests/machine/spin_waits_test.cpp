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

TEST_CASE("spin waits: PAUSE takes time once its loop has taken a while") {
    SpinWatch spins;
    constexpr Nanoseconds begin = 5'000'000, end = begin + SpinWatch::patience;
    for (Nanoseconds now = begin; now < end; now += 5 * us) REQUIRE_FALSE(spins.note_pause(0x1000, now));
    CHECK(spins.note_pause(0x1000, end));
    constexpr Nanoseconds woken = end + 900 * us;
    spins.wake(woken);
    CHECK(spins.note_pause(0x1000, woken + us));
    CHECK_FALSE(spins.note_pause(0x1000, woken + 900 * us));
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

TEST_CASE("spin waits: a clock that is ahead goes back by what the host has slept, and never seems to") {
    CpuState state;
    Nanoseconds host = 7'000'000;
    GuestClock clock{ClockKind::Host, state, [&host] { return host; }};
    clock.start();
    clock.run_ahead(250 * us);
    CHECK(clock.guest_time() == 250 * us);
    host += 100 * us;  // woken by a key
    clock.catch_up(100 * us);
    CHECK(clock.guest_time() == 250 * us);
    CHECK(clock.ahead() == 150 * us);
    host += 210 * us;  // later than it was to
    clock.catch_up(210 * us);
    CHECK(clock.guest_time() == 310 * us);
    CHECK(clock.ahead() == 0);
    clock.run_ahead(20 * us);
    clock.stop();
    host += 1'000 * us;
    clock.start();
    CHECK(clock.guest_time() == 330 * us);
    CHECK(clock.ahead() == 0);
}

// The host's time passes as often as it is asked for.
TEST_CASE("spin waits: a machine whose guest spins runs ahead, not for long, and then wants to sleep") {
    EngineKind engine = GENERATE(EngineKind::Interp, EngineKind::Bt);
    MachineConfig config = tiny_config(engine);
    config.clock = ClockKind::Host;
    BoardParts parts = tiny_parts(pause_for_ever);
    Nanoseconds host = 1'000'000;
    parts.host_time = [&host] { return host += us / 10; };
    Log log;
    Machine machine{config, std::move(parts), log};
    machine.start();
    Machine::Slice slice{Kind::Stopped};
    for (int i = 0; i < 1000 && slice.kind == Kind::Stopped; ++i) {
        machine.board().cpu().attention.clear(Attention::Stop);
        slice = machine.run_slice();
    }
    REQUIRE(slice.kind == Kind::Ahead);
    GuestClock& clock = machine.board().clock();
    CHECK(clock.ahead() == SpinWatch::most_ahead);
    Nanoseconds before = clock.guest_time();
    CHECK(slice.until <= before + SpinWatch::most_ahead);
    CHECK(slice.until + 10 * us > before + SpinWatch::most_ahead);
    host += SpinWatch::most_ahead;
    machine.board().catch_up(clock.guest_time() - before);
    CHECK(clock.ahead() == 0);
    CHECK(clock.guest_time() < before + 10 * us);
}

TEST_CASE("spin waits: a timer that is due while PAUSE takes time is served at once") {
    // PIT channel 0: a rate of 2 ms; its interrupt, behind a mask, moves no code. cli; ...; pause; jmp
    MachineConfig config = tiny_config(EngineKind::Bt);
    config.clock = ClockKind::Host;
    BoardParts parts = tiny_parts(
        {0xFA, 0xB0, 0x34, 0xE6, 0x43, 0xB0, 0x53, 0xE6, 0x40, 0xB0, 0x09, 0xE6, 0x40, 0xF3, 0x90, 0xEB, 0xFC});
    Nanoseconds host = 1'000'000;
    parts.host_time = [&host] { return host += us / 10; };
    Log log;
    Machine machine{config, std::move(parts), log};
    machine.start();
    GuestClock& clock = machine.board().clock();
    Nanoseconds latest = 0;
    for (int i = 0; i < 1000; ++i) {
        machine.board().cpu().attention.clear(Attention::Stop);
        Machine::Slice slice = machine.run_slice();
        Nanoseconds next = machine.board().scheduler().next_deadline(), now = clock.guest_time();
        if (next < now) latest = std::max(latest, now - next);
        if (slice.kind == Kind::Ahead) {
            host += SpinWatch::most_ahead;
            machine.board().catch_up(clock.guest_time() - now);
        }
    }
    CHECK(latest < 2 * SpinWatch::pause_time);
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
