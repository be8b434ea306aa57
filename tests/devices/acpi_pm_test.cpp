// Power management as SeaBIOS sets it up and an ACPI system uses it.
#include "devices/acpi_pm.hpp"

#include <catch2/catch.hpp>

using namespace vellum;

namespace {
struct Line final : IrqSink {
    bool level = false;
    void set_irq(u8, bool now) override { level = now; }
};

struct Bench {
    Bus ports;
    Log log;
    Scheduler scheduler;
    Line sci;
    int power_offs = 0;
    AcpiPm pm{ports, IrqLine{sci, 9}, scheduler, log, [this] { ++power_offs; }};

    Bench() { pm.set_io_base(0x600); }
    u16 status() { return static_cast<u16>(ports.read(0x600, 2)); }
    void to_tick(u64 tick) { scheduler.advance_to(pm_timer_clock.time_of(tick)); }
};
}  // namespace

TEST_CASE("acpi pm: the timer runs at 3.579545 MHz in 24 bits without drift") {
    Bench b;
    b.scheduler.advance_to(second);
    REQUIRE(b.ports.read(0x608, 4) == 3'579'545);
    b.scheduler.advance_to(3600 * second);
    REQUIRE(b.ports.read(0x608, 4) == (3600ull * 3'579'545 & 0xFFFFFF));
}

TEST_CASE("acpi pm: the block answers where it was put and nowhere else") {
    Bench b;
    b.pm.set_io_base(0xB000);
    REQUIRE(b.ports.read(0x604, 2) == 0xFFFF);
    REQUIRE(b.ports.read(0xB004, 2) == 0);
    b.pm.set_io_base(std::nullopt);
    REQUIRE(b.ports.read(0xB004, 2) == 0xFFFF);
}

TEST_CASE("acpi pm: the APM port switches between ACPI and legacy mode") {
    Bench b;
    b.ports.write(0xB2, 1, 0xF1);
    REQUIRE((b.ports.read(0x604, 2) & 1) == 1);
    b.ports.write(0xB2, 1, 0xF0);
    REQUIRE((b.ports.read(0x604, 2) & 1) == 0);
    b.ports.write(0xB3, 1, 0x5A);
    REQUIRE(b.ports.read(0xB3, 1) == 0x5A);
}

TEST_CASE("acpi pm: the power button raises the SCI until its status is cleared") {
    Bench b;
    b.pm.press_power_button();
    REQUIRE(b.status() == 0x0100);
    REQUIRE_FALSE(b.sci.level);
    b.ports.write(0x602, 2, 0x0100);
    REQUIRE_FALSE(b.sci.level);  // SCI_EN is off
    b.ports.write(0xB2, 1, 0xF1);
    REQUIRE(b.sci.level);
    b.ports.write(0x600, 2, 0x0100);
    REQUIRE_FALSE(b.sci.level);
    REQUIRE(b.status() == 0);
}

TEST_CASE("acpi pm: each change of the timer's top bit sets its status, and the SCI where enabled") {
    Bench b;
    b.ports.write(0xB2, 1, 0xF1);
    b.ports.write(0x602, 2, 0x0001);
    b.to_tick((1 << 23) - 1);
    REQUIRE_FALSE(b.sci.level);
    b.to_tick(1 << 23);
    REQUIRE(b.sci.level);
    b.ports.write(0x600, 2, 0x0001);
    REQUIRE_FALSE(b.sci.level);
    b.to_tick(2 << 23);
    REQUIRE(b.sci.level);
}

TEST_CASE("acpi pm: sleep type 0 with sleep enable is power-off") {
    Bench b;
    b.ports.write(0x604, 2, 0x0001);
    REQUIRE(b.power_offs == 0);
    b.ports.write(0x604, 2, 0x2001);
    REQUIRE(b.power_offs == 1);
    REQUIRE(b.ports.read(0x604, 2) == 0x0001);  // sleep enable does not read back
}

TEST_CASE("acpi pm: a sleep state that is not offered wakes at once") {
    Bench b;
    b.ports.write(0x604, 2, 0x2401);
    REQUIRE(b.power_offs == 0);
    REQUIRE((b.status() & 0x8000) != 0);
}

TEST_CASE("acpi pm: general-purpose events never happen and their enables read back") {
    Bench b;
    b.ports.write(0xAFE0, 4, 0xFFFFFFFF);
    REQUIRE(b.ports.read(0xAFE0, 4) == 0xFFFF0000);
}

TEST_CASE("acpi pm: odd widths and registers do no harm") {
    Bench b;
    b.ports.write(0x605, 1, 0x20);
    REQUIRE(b.power_offs == 1);
    b.ports.write(0x63C, 4, 0xFFFFFFFF);
    REQUIRE(b.ports.read(0x63C, 4) == 0);
    b.ports.write(0x606, 4, 0xFFFFFFFF);
    REQUIRE(b.ports.read(0x606, 2) == 0);
}

TEST_CASE("acpi pm: a restored block goes on exactly as the saved one") {
    Bench a, b;
    a.ports.write(0xB2, 1, 0xF1);
    a.ports.write(0x602, 2, 0x0101);
    a.to_tick(1000);
    auto saved = Archive::saver();
    saved(a.scheduler, a.pm);
    auto loaded = Archive::loader(saved.bytes());
    loaded(b.scheduler, b.pm);
    REQUIRE(loaded.ok());
    b.to_tick(1 << 23);
    REQUIRE(b.sci.level);
}
