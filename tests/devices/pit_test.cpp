// The interval timer: modes, latches, its interrupt, and exactness over a long time.
#include "devices/pit.hpp"

#include <catch2/catch.hpp>

using namespace vellum;

namespace {
struct Edges final : IrqSink {
    int rises = 0;
    bool level = false;
    void set_irq(u8, bool now) override {
        rises += now && !level;
        level = now;
    }
};

struct Bench {
    Bus ports;
    Log log;
    Scheduler scheduler;
    Edges irq;
    Pit pit{ports, IrqLine{irq, 0}, scheduler, log};

    void out(u16 port, u8 value) { ports.write(port, 1, value); }
    u8 in(u16 port) { return static_cast<u8>(ports.read(port, 1)); }
    void program(u8 channel, u8 mode, u16 count, u8 bcd = 0) {
        out(0x43, static_cast<u8>(channel << 6 | 0x30 | mode << 1 | bcd));
        out(static_cast<u16>(0x40 + channel), static_cast<u8>(count));
        out(static_cast<u16>(0x40 + channel), static_cast<u8>(count >> 8));
    }
    u16 count(u8 channel) {
        out(0x43, static_cast<u8>(channel << 6));
        const u8 low = in(static_cast<u16>(0x40 + channel));
        return static_cast<u16>(low | in(static_cast<u16>(0x40 + channel)) << 8);
    }
    void to_tick(u64 tick) { scheduler.advance_to(pit_clock.time_of(tick)); }
};
}  // namespace

TEST_CASE("clock rate: the first nanosecond of a tick belongs to it and the one before does not") {
    for (u64 tick : {u64{1}, u64{7}, u64{1'193'182}, u64{1} << 40}) {
        REQUIRE(pit_clock.ticks_at(pit_clock.time_of(tick)) == tick);
        REQUIRE(pit_clock.ticks_at(pit_clock.time_of(tick) - 1) == tick - 1);
    }
}

TEST_CASE("pit: mode 2 interrupts once per period without drift over an hour") {
    Bench b;
    b.program(0, 2, 11932);  // Linux at 100 Hz
    b.scheduler.advance_to(3600 * second);
    REQUIRE(b.irq.rises == static_cast<int>((3600ull * 1'193'182 - 1) / 11932 + 1));  // and one for the control word
}

TEST_CASE("pit: mode 0 interrupts once, one tick after the count has passed") {
    Bench b;
    b.program(0, 0, 100);
    b.to_tick(100);
    REQUIRE(b.irq.rises == 0);
    b.to_tick(101);
    REQUIRE(b.irq.rises == 1);
    b.to_tick(200'000);
    REQUIRE(b.irq.rises == 1);
}

TEST_CASE("pit: mode 0 counts down past zero") {
    Bench b;
    b.program(0, 0, 100);
    b.to_tick(1 + 30);
    REQUIRE(b.count(0) == 70);
    b.to_tick(1 + 101);
    REQUIRE(b.count(0) == 0xFFFF);
}

TEST_CASE("pit: mode 2 runs from the count down to one") {
    Bench b;
    b.program(0, 2, 10);
    b.to_tick(1);
    REQUIRE(b.count(0) == 10);
    b.to_tick(10);
    REQUIRE(b.count(0) == 1);
    b.to_tick(11);
    REQUIRE(b.count(0) == 10);
}

TEST_CASE("pit: a new count in mode 2 waits for the end of the period") {
    Bench b;
    b.program(0, 2, 1000);
    b.to_tick(501);
    b.out(0x40, 100);
    b.out(0x40, 0);
    REQUIRE(b.count(0) == 500);
    b.to_tick(1001);
    REQUIRE(b.count(0) == 100);
    const int before = b.irq.rises;
    b.to_tick(1101);
    REQUIRE(b.irq.rises == before + 1);
}

TEST_CASE("pit: mode 3 counts by two and reloads at the end of a half period") {
    Bench b;
    b.pit.set_gate2(true);
    b.program(2, 3, 8);
    b.to_tick(1);
    REQUIRE(b.count(2) == 8);
    b.to_tick(3);
    REQUIRE(b.count(2) == 4);
    REQUIRE(b.pit.output2());
    b.to_tick(5);
    REQUIRE(b.count(2) == 8);
    REQUIRE_FALSE(b.pit.output2());
    b.to_tick(9);
    REQUIRE(b.pit.output2());
}

TEST_CASE("pit: an odd count in mode 3 is high one tick longer") {
    Bench b;
    b.pit.set_gate2(true);
    b.program(2, 3, 5);
    b.to_tick(3);
    REQUIRE(b.pit.output2());
    b.to_tick(4);
    REQUIRE_FALSE(b.pit.output2());
    b.to_tick(6);
    REQUIRE(b.pit.output2());
}

TEST_CASE("pit: a new count in mode 3 takes effect at the end of the half period") {
    Bench b;
    b.pit.set_gate2(true);
    b.program(2, 3, 100);
    b.to_tick(11);
    b.out(0x42, 20);
    b.out(0x42, 0);
    b.to_tick(50);
    REQUIRE(b.pit.output2());
    b.to_tick(51);
    REQUIRE_FALSE(b.pit.output2());
    b.to_tick(61);
    REQUIRE(b.pit.output2());
}

TEST_CASE("pit: mode 1 starts with each rising gate") {
    Bench b;
    b.program(2, 1, 50);
    REQUIRE(b.pit.output2());
    b.pit.set_gate2(true);
    b.to_tick(30);
    REQUIRE_FALSE(b.pit.output2());
    b.pit.set_gate2(false);
    b.pit.set_gate2(true);
    b.to_tick(70);
    REQUIRE_FALSE(b.pit.output2());
    b.to_tick(81);
    REQUIRE(b.pit.output2());
}

TEST_CASE("pit: mode 4 strobes for one tick and interrupts when the strobe ends") {
    Bench b;
    b.program(0, 4, 10);
    const int before = b.irq.rises;
    b.to_tick(11);
    REQUIRE(b.irq.rises == before);
    b.to_tick(12);
    REQUIRE(b.irq.rises == before + 1);
    b.to_tick(200'000);
    REQUIRE(b.irq.rises == before + 1);
}

TEST_CASE("pit: mode 5 strobes after a trigger") {
    Bench b;
    b.program(2, 5, 10);
    b.to_tick(20);
    REQUIRE(b.pit.output2());
    b.pit.set_gate2(true);
    b.to_tick(31);
    REQUIRE_FALSE(b.pit.output2());
    b.to_tick(32);
    REQUIRE(b.pit.output2());
}

TEST_CASE("pit: a low gate holds a mode 0 count, and it goes on where it stood") {
    Bench b;
    b.pit.set_gate2(true);
    b.program(2, 0, 100);
    b.to_tick(41);
    b.pit.set_gate2(false);
    b.to_tick(1000);
    REQUIRE(b.count(2) == 60);
    b.pit.set_gate2(true);
    b.to_tick(1059);
    REQUIRE_FALSE(b.pit.output2());
    b.to_tick(1060);
    REQUIRE(b.pit.output2());
}

TEST_CASE("pit: a low gate forces mode 3 high and a rising one starts it anew") {
    Bench b;
    b.pit.set_gate2(true);
    b.program(2, 3, 100);
    b.to_tick(60);
    REQUIRE_FALSE(b.pit.output2());
    b.pit.set_gate2(false);
    REQUIRE(b.pit.output2());
    b.to_tick(99);
    b.pit.set_gate2(true);
    b.to_tick(149);
    REQUIRE(b.pit.output2());
    b.to_tick(150);
    REQUIRE_FALSE(b.pit.output2());
}

TEST_CASE("pit: counts in BCD") {
    Bench b;
    b.program(0, 0, 0x1000, 1);
    b.to_tick(2);
    REQUIRE(b.count(0) == 0x0999);
    b.to_tick(1002);
    REQUIRE(b.count(0) == 0x9999);
}

TEST_CASE("pit: a latched count holds until both bytes are read") {
    Bench b;
    b.program(0, 2, 1000);
    b.to_tick(101);
    b.out(0x43, 0x00);
    b.to_tick(301);
    b.out(0x43, 0x00);  // ignored: the first one still holds
    REQUIRE(b.in(0x40) == (900 & 0xFF));
    REQUIRE(b.in(0x40) == 900 >> 8);
    REQUIRE(b.in(0x40) == (700 & 0xFF));
}

TEST_CASE("pit: one-byte access writes and reads just that byte") {
    Bench b;
    b.out(0x43, 0x10 | 0 << 1);  // channel 0, low byte only, mode 0
    b.out(0x40, 50);
    b.to_tick(11);
    REQUIRE(b.in(0x40) == 40);
    REQUIRE(b.in(0x40) == 40);
    b.out(0x43, 0x20 | 0 << 1);  // high byte only
    b.out(0x40, 2);
    b.to_tick(11 + 1 + 256);
    REQUIRE(b.in(0x40) == 1);
}

TEST_CASE("pit: the read-back command gives status first, then the count") {
    Bench b;
    b.program(0, 2, 500);
    b.to_tick(101);
    b.out(0x43, 0xC2);
    REQUIRE(b.in(0x40) == (0x80 | 0x30 | 2 << 1));
    REQUIRE(b.in(0x40) == (400 & 0xFF));
    REQUIRE(b.in(0x40) == 400 >> 8);
}

TEST_CASE("pit: the status tells of a count that is not loaded yet") {
    Bench b;
    b.out(0x43, 0x34);
    b.out(0x43, 0xE2);
    REQUIRE((b.in(0x40) & 0x40) != 0);
    b.out(0x40, 100);
    b.out(0x40, 0);
    b.to_tick(1);
    b.out(0x43, 0xE2);
    REQUIRE((b.in(0x40) & 0x40) == 0);
}

TEST_CASE("pit: the shortest counts do not flood the machine with events") {
    Bench b;
    b.program(0, 2, 2);
    b.scheduler.advance_to(second);
    REQUIRE(b.irq.rises > 50'000);
    REQUIRE(b.irq.rises < 130'000);
    b.program(0, 3, 1);
    b.scheduler.advance_to(2 * second);
    REQUIRE(b.irq.rises < 260'000);
}

TEST_CASE("pit: a write to another channel does not lose a due interrupt nor those after it") {
    Bench b;
    struct Clock final : TimeSource {
        Nanoseconds time = 0;
        Nanoseconds guest_time() override { return time; }
    } clock;
    b.program(0, 2, 1000);
    b.scheduler.set_time_source(&clock);
    clock.time = pit_clock.time_of(1500);
    b.out(0x43, 0xB0);
    REQUIRE(b.irq.rises == 2);
    b.to_tick(2001);
    REQUIRE(b.irq.rises == 3);
}

TEST_CASE("pit: a disconnected channel 0 counts on without interrupts") {
    Bench b;
    b.program(0, 2, 1000);
    b.pit.connect_irq(false);
    const int before = b.irq.rises;
    b.to_tick(5000);
    REQUIRE(b.irq.rises == before);
    b.pit.connect_irq(true);
    b.to_tick(6001);
    REQUIRE(b.irq.rises > before);
}

TEST_CASE("pit: a restored timer goes on exactly as the saved one") {
    Bench a, b;
    a.program(0, 3, 999);
    a.program(2, 2, 77);
    a.to_tick(12'345);
    auto saved = Archive::saver();
    saved(a.scheduler, a.pit);
    auto loaded = Archive::loader(saved.bytes());
    loaded(b.scheduler, b.pit);
    REQUIRE(loaded.ok());
    a.to_tick(54'321);
    b.to_tick(54'321);
    auto end = Archive::saver();
    end(a.scheduler, a.pit);
    auto same = Archive::comparer(end.bytes());
    same(b.scheduler, b.pit);
    REQUIRE(same.ok());
    REQUIRE(a.count(0) == b.count(0));
}
