// The HPET as Linux uses it: clocksource, one-shot and periodic events, legacy replacement.
#include "devices/hpet.hpp"

#include <catch2/catch.hpp>

using namespace vellum;

namespace {
struct Lines final : IrqSink {
    std::array<int, 24> rises{};
    std::array<bool, 24> level{};
    void set_irq(u8 number, bool now) override {
        rises[number] += now && !level[number];
        level[number] = now;
    }
};

struct Bench {
    Bus mmio;
    Log log;
    Scheduler scheduler;
    Lines lines;
    bool legacy = false;
    Hpet hpet{mmio, lines, scheduler, log, [this](bool on) { legacy = on; }};

    void set(u32 offset, u32 value) { mmio.write(0xFED00000 + offset, 4, value); }
    u32 get(u32 offset) { return mmio.read(0xFED00000 + offset, 4); }
};

constexpr u32 level = 0x02, enable = 0x04, periodic = 0x08, value_set = 0x40, mode_32 = 0x100;
constexpr u32 pin(u32 number) { return number << 9; }
}  // namespace

TEST_CASE("hpet: tells three 64-bit timers, legacy replacement and a period of 10 ns") {
    Bench b;
    REQUIRE(b.get(0x000) == 0x8086A201);
    REQUIRE(b.get(0x004) == 10'000'000);
    REQUIRE((b.get(0x100) & 0x30) == 0x30);
    REQUIRE(b.get(0x104) == 0x00FF0000);
}

TEST_CASE("hpet: the counter runs only while enabled, and over 32 bits") {
    Bench b;
    b.scheduler.advance_to(1000);
    REQUIRE(b.get(0xF0) == 0);
    b.set(0x10, 1);
    b.scheduler.advance_to(2000);
    REQUIRE(b.get(0xF0) == 100);
    b.set(0x10, 0);
    b.scheduler.advance_to(3000);
    REQUIRE(b.get(0xF0) == 100);
    b.set(0xF0, 0xFFFFFFFF);
    b.set(0x10, 1);
    b.scheduler.advance_to(3010);
    REQUIRE(b.get(0xF0) == 0);
    REQUIRE(b.get(0xF4) == 1);
}

TEST_CASE("hpet: legacy replacement routes timer 0 to IRQ0 and timer 1 to IRQ8") {
    Bench b;
    b.set(0x10, 3);
    REQUIRE(b.legacy);
    b.set(0x100, enable | mode_32);
    b.set(0x108, 1000);
    b.set(0x120, enable | mode_32);
    b.set(0x128, 2000);
    b.scheduler.advance_to(9'999);
    REQUIRE(b.lines.rises[0] == 0);
    b.scheduler.advance_to(10'000);
    REQUIRE(b.lines.rises[0] == 1);
    b.scheduler.advance_to(20'000);
    REQUIRE(b.lines.rises[8] == 1);
    b.set(0x10, 1);
    REQUIRE_FALSE(b.legacy);
}

TEST_CASE("hpet: a one-shot comparator interrupts once, and in 32 bits again after the counter has gone around") {
    Bench b;
    b.set(0x10, 3);
    b.set(0x100, enable | mode_32);
    b.set(0x108, 1000);
    b.scheduler.advance_to(40 * second);
    REQUIRE(b.lines.rises[0] == 1);
    b.scheduler.advance_to(((u64{1} << 32) + 1000) * 10);
    REQUIRE(b.lines.rises[0] == 2);
}

TEST_CASE("hpet: a comparator that the counter has passed waits for the wrap") {
    Bench b;
    b.set(0x10, 3);
    b.set(0x100, enable | mode_32);
    b.scheduler.advance_to(100'000);
    b.set(0x108, 9'999);
    b.scheduler.advance_to(second);
    REQUIRE(b.lines.rises[0] == 0);
}

TEST_CASE("hpet: periodic mode takes a first match and then a period, as Linux writes them") {
    Bench b;
    b.set(0x10, 3);
    b.set(0x100, enable | periodic | value_set | mode_32);
    b.set(0x108, 5000);     // first match
    b.set(0x108, 100'000);  // period: 1 ms
    b.scheduler.advance_to(50'000);
    REQUIRE(b.lines.rises[0] == 1);
    REQUIRE(b.get(0x108) == 105'000);
    b.scheduler.advance_to(second);
    REQUIRE(b.lines.rises[0] == 1000);
}

TEST_CASE("hpet: a 64-bit comparator is set by two writes") {
    Bench b;
    b.set(0x10, 3);
    b.set(0x100, enable | periodic | value_set);
    b.set(0x108, 0);
    b.set(0x10C, 1);
    REQUIRE(b.get(0x10C) == 1);
    b.scheduler.advance_to((u64{1} << 32) * 10 - 1);
    REQUIRE(b.lines.rises[0] == 0);
    b.scheduler.advance_to((u64{1} << 32) * 10);
    REQUIRE(b.lines.rises[0] == 1);
}

TEST_CASE(
    "hpet: an edge leaves its line high, where an interrupt controller still finds it, until the timer is set up") {
    Bench b;
    b.set(0x10, 3);
    b.set(0x100, enable | mode_32);
    b.set(0x108, 100);
    b.scheduler.advance_to(2 * microsecond);
    REQUIRE(b.lines.level[0]);
    b.set(0x100, 0);
    REQUIRE_FALSE(b.lines.level[0]);
}

TEST_CASE("hpet: a level interrupt stays until its status is cleared") {
    Bench b;
    b.set(0x10, 1);
    b.set(0x140, enable | level | mode_32 | pin(20));
    b.set(0x148, 100);
    b.scheduler.advance_to(2000);
    REQUIRE(b.lines.level[20]);
    REQUIRE(b.get(0x20) == 4);
    b.set(0x20, 4);
    REQUIRE_FALSE(b.lines.level[20]);
    REQUIRE(b.get(0x20) == 0);
}

TEST_CASE("hpet: a waiting level interrupt leaves its line when it is disabled") {
    Bench b;
    b.set(0x10, 1);
    b.set(0x140, enable | level | mode_32 | pin(20));
    b.set(0x148, 100);
    b.scheduler.advance_to(2000);
    b.set(0x140, level | mode_32 | pin(20));
    REQUIRE_FALSE(b.lines.level[20]);
}

TEST_CASE("hpet: lines that it cannot reach stay untouched") {
    Bench b;
    b.set(0x10, 1);
    b.set(0x140, enable | mode_32 | pin(31));
    b.set(0x148, 100);
    b.scheduler.advance_to(2000);
    REQUIRE(b.lines.rises == std::array<int, 24>{});
}

TEST_CASE("hpet: the shortest periods do not flood the machine with events") {
    Bench b;
    b.set(0x10, 3);
    b.set(0x100, enable | periodic | value_set | mode_32);
    b.set(0x108, 10);
    b.set(0x108, 1);
    b.scheduler.advance_to(10 * millisecond);
    REQUIRE(b.lines.rises[0] > 900);
    REQUIRE(b.lines.rises[0] <= 1000);
}

TEST_CASE("hpet: a match that is due is not lost to a write that comes before it is delivered") {
    struct Clock final : TimeSource {
        Nanoseconds time = 0;
        Nanoseconds guest_time() override { return time; }
    } clock;
    Bench b;
    b.set(0x10, 3);
    b.set(0x100, enable | mode_32);
    b.set(0x108, 1000);
    b.scheduler.set_time_source(&clock);
    clock.time = 15'000;
    b.set(0x108, 5000);
    REQUIRE(b.lines.rises[0] == 1);
    b.scheduler.advance_to(50'000);
    REQUIRE(b.lines.rises[0] == 2);
}

TEST_CASE("hpet: reset gives the interrupts back and stops everything") {
    Bench b;
    b.set(0x10, 3);
    b.set(0x100, enable | mode_32);
    b.set(0x108, 1000);
    b.hpet.reset();
    REQUIRE_FALSE(b.legacy);
    b.scheduler.advance_to(second);
    REQUIRE(b.lines.rises[0] == 0);
    REQUIRE(b.get(0xF0) == 0);
}

TEST_CASE("hpet: a restored one goes on exactly as the saved one") {
    Bench a, b;
    a.set(0x10, 3);
    a.set(0x100, enable | periodic | value_set | mode_32);
    a.set(0x108, 5000);
    a.set(0x108, 1234);
    a.scheduler.advance_to(77'777);
    auto saved = Archive::saver();
    saved(a.scheduler, a.hpet);
    auto loaded = Archive::loader(saved.bytes());
    loaded(b.scheduler, b.hpet);
    REQUIRE(loaded.ok());
    a.scheduler.advance_to(999'999);
    b.scheduler.advance_to(999'999);
    REQUIRE(a.get(0x108) == b.get(0x108));
    auto end = Archive::saver();
    end(a.scheduler, a.hpet);
    auto same = Archive::comparer(end.bytes());
    same(b.scheduler, b.hpet);
    REQUIRE(same.ok());
}
