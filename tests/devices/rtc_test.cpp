// The clock as an operating system reads, sets and waits for it.
#include "devices/rtc.hpp"

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

constexpr i64 leap_day_evening = 1'709'251'198;  // 29 February 2024, 23:59:58 UTC, a Thursday

struct Bench {
    Bus ports;
    Scheduler scheduler;
    Edges irq;
    Rtc rtc{ports, IrqLine{irq, 8}, scheduler, leap_day_evening};

    void set(u8 index, u8 value) {
        ports.write(0x70, 1, index);
        ports.write(0x71, 1, value);
    }
    u8 get(u8 index) {
        ports.write(0x70, 1, index);
        return static_cast<u8>(ports.read(0x71, 1));
    }
    void require_time(std::array<u8, 7> century_to_second) {
        std::array<u8, 7> shown{get(0x32), get(0x09), get(0x08), get(0x07), get(0x04), get(0x02), get(0x00)};
        REQUIRE(shown == century_to_second);
    }
};
}  // namespace

TEST_CASE("rtc: shows the start time in BCD and goes over the end of a leap February") {
    Bench b;
    b.require_time({0x20, 0x24, 0x02, 0x29, 0x23, 0x59, 0x58});
    REQUIRE(b.get(0x06) == 5);
    b.scheduler.advance_to(2 * second);
    b.require_time({0x20, 0x24, 0x03, 0x01, 0x00, 0x00, 0x00});
    REQUIRE(b.get(0x06) == 6);
}

TEST_CASE("rtc: shows binary and 12-hour time when asked to") {
    Bench b;
    b.set(0x0B, 0x04);
    REQUIRE(b.get(0x04) == (0x80 | 11));
    REQUIRE(b.get(0x02) == 59);
    b.scheduler.advance_to(3 * second);
    REQUIRE(b.get(0x04) == 12);  // half past midnight is 12 AM
}

TEST_CASE("rtc: a time that is set goes on from there") {
    Bench b;
    b.set(0x0B, 0x82);
    b.set(0x32, 0x19), b.set(0x09, 0x99), b.set(0x08, 0x12), b.set(0x07, 0x31);
    b.set(0x04, 0x23), b.set(0x02, 0x59), b.set(0x00, 0x59);
    b.scheduler.advance_to(5 * second);
    b.require_time({0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x59});  // stands while SET is 1
    b.set(0x0B, 0x02);
    b.scheduler.advance_to(6 * second);
    b.require_time({0x20, 0x00, 0x01, 0x01, 0x00, 0x00, 0x00});
}

TEST_CASE("rtc: the first update comes half a second after the divider is released") {
    Bench b;
    b.scheduler.advance_to(300 * millisecond);
    b.set(0x0A, 0x76);
    b.set(0x00, 0x30);
    b.scheduler.advance_to(5 * second);
    REQUIRE(b.get(0x00) == 0x30);
    b.set(0x0A, 0x26);
    b.scheduler.advance_to(5 * second + 499 * millisecond);
    REQUIRE(b.get(0x00) == 0x30);
    b.scheduler.advance_to(5 * second + 500 * millisecond);
    REQUIRE(b.get(0x00) == 0x31);
}

TEST_CASE("rtc: update in progress is seen shortly before the second changes") {
    Bench b;
    b.scheduler.advance_to(997 * millisecond);
    REQUIRE(b.get(0x0A) == 0x26);
    b.scheduler.advance_to(998 * millisecond);
    REQUIRE(b.get(0x0A) == 0xA6);
    REQUIRE(b.get(0x00) == 0x58);
    b.scheduler.advance_to(second);
    REQUIRE(b.get(0x0A) == 0x26);
    REQUIRE(b.get(0x00) == 0x59);
    b.scheduler.advance_to(second + 999 * millisecond);
    b.set(0x0B, 0x82);
    REQUIRE(b.get(0x0A) == 0x26);  // not while SET holds the clock
}

TEST_CASE("rtc: the update interrupt holds its line until register C is read") {
    Bench b;
    b.set(0x0B, 0x12);
    b.scheduler.advance_to(3 * second);
    REQUIRE(b.irq.rises == 1);
    REQUIRE(b.irq.level);
    REQUIRE((b.get(0x0C) & 0x90) == 0x90);
    REQUIRE_FALSE(b.irq.level);
    REQUIRE(b.get(0x0C) == 0x00);
    b.scheduler.advance_to(4 * second);
    REQUIRE(b.irq.rises == 2);
}

TEST_CASE("rtc: flags rise without their interrupts enabled") {
    Bench b;
    b.scheduler.advance_to(second);
    REQUIRE((b.get(0x0C) & 0xD0) == 0x50);
    REQUIRE(b.irq.rises == 0);
}

TEST_CASE("rtc: the periodic interrupt comes 1024 times a second") {
    Bench b;
    b.set(0x0B, 0x42);
    int served = 0;
    while (b.scheduler.next_deadline() <= second) {
        b.scheduler.advance_to(b.scheduler.next_deadline());
        served += (b.get(0x0C) & 0xC0) == 0xC0;
    }
    REQUIRE(served == 1024);
}

TEST_CASE("rtc: an unserved periodic interrupt makes no further events") {
    Bench b;
    b.set(0x0A, 0x23);  // 8192 Hz
    b.set(0x0B, 0x42);
    b.scheduler.advance_to(second);
    REQUIRE(b.irq.rises == 1);
    REQUIRE(b.scheduler.next_deadline() == ~Nanoseconds{0});
}

TEST_CASE("rtc: the alarm comes at its time of day") {
    Bench b;
    b.set(0x05, 0x01), b.set(0x03, 0x30), b.set(0x01, 0x00);
    b.set(0x0B, 0x22);
    b.scheduler.advance_to(5401 * second);
    REQUIRE(b.irq.rises == 0);
    b.scheduler.advance_to(5402 * second);
    REQUIRE(b.irq.rises == 1);
    REQUIRE((b.get(0x0C) & 0xA0) == 0xA0);
}

TEST_CASE("rtc: an alarm byte of C0h and above matches everything") {
    Bench b;
    b.set(0x05, 0xFF), b.set(0x03, 0xC0), b.set(0x01, 0x05);
    b.set(0x0B, 0x22);
    b.scheduler.advance_to(7 * second);
    REQUIRE((b.get(0x0C) & 0x20) != 0);
    b.scheduler.advance_to(67 * second);
    REQUIRE((b.get(0x0C) & 0x20) != 0);
}

TEST_CASE("rtc: an alarm that cannot match never comes") {
    Bench b;
    b.set(0x05, 0x99), b.set(0x03, 0x99), b.set(0x01, 0x99);
    b.set(0x0B, 0x22);
    REQUIRE(b.scheduler.next_deadline() == ~Nanoseconds{0});
}

TEST_CASE("rtc: impossible dates are taken without harm") {
    Bench b;
    b.set(0x0B, 0x86);
    for (u8 index = 0; index < 10; ++index) b.set(index, 0xFF);
    b.set(0x32, 0xFF);
    b.set(0x0B, 0x06);
    b.scheduler.advance_to(10 * second);
    REQUIRE(b.get(0x08) <= 12);
    REQUIRE(b.get(0x07) <= 31);
}

TEST_CASE("rtc: memory keeps its bytes, the board's too, over a reset") {
    Bench b;
    b.rtc.set_cmos(0x34, 0xAB);
    b.set(0x40, 0x5A);
    b.rtc.reset();
    REQUIRE(b.get(0x34) == 0xAB);
    REQUIRE(b.get(0x40) == 0x5A);
    REQUIRE(b.get(0x0D) == 0x80);
}

TEST_CASE("rtc: bit 7 of the index port masks NMI and does not address memory") {
    Bench b;
    b.set(0x40, 0x5A);
    REQUIRE(b.get(0xC0) == 0x5A);
    REQUIRE(b.rtc.nmi_masked());
    REQUIRE(b.ports.read(0x70, 1) == 0xFF);
}

TEST_CASE("rtc: a restored clock goes on exactly as the saved one") {
    Bench a, b;
    a.set(0x0B, 0x52);
    a.scheduler.advance_to(1500 * millisecond);
    a.get(0x0C);
    auto saved = Archive::saver();
    saved(a.scheduler, a.rtc);
    auto loaded = Archive::loader(saved.bytes());
    loaded(b.scheduler, b.rtc);
    REQUIRE(loaded.ok());
    a.scheduler.advance_to(9 * second);
    b.scheduler.advance_to(9 * second);
    REQUIRE(a.get(0x00) == b.get(0x00));
    auto end = Archive::saver();
    end(a.scheduler, a.rtc);
    auto same = Archive::comparer(end.bytes());
    same(b.scheduler, b.rtc);
    REQUIRE(same.ok());
}
