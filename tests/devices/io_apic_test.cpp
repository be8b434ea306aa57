// The I/O APIC together with the local APIC that it talks to.
#include "devices/io_apic.hpp"

#include <catch2/catch.hpp>

using namespace vellum;

namespace {
struct Bench {
    Bus mmio;
    Log log;
    Scheduler scheduler;
    int nmis = 0;
    IoApic* broadcast = nullptr;
    LocalApic local{mmio,
                    scheduler,
                    log,
                    {[](bool) {}, [this](u8 vector) { broadcast->end_of_interrupt(vector); }, [this] { ++nmis; },
                     [] { return u8{0x20}; }}};
    IoApic io{mmio, local, log};

    Bench() {
        broadcast = &io;
        mmio.write(0xFEE000F0, 4, 0x1FF);
    }
    void set(u8 index, u32 value) {
        mmio.write(0xFEC00000, 4, index);
        mmio.write(0xFEC00010, 4, value);
    }
    u32 get(u8 index) {
        mmio.write(0xFEC00000, 4, index);
        return mmio.read(0xFEC00010, 4);
    }
    void route(u8 pin, u32 low, u32 high = 0) {
        set(static_cast<u8>(0x11 + 2 * pin), high);
        set(static_cast<u8>(0x10 + 2 * pin), low);
    }
    void end() { mmio.write(0xFEE000B0, 4, 0); }
};

constexpr u32 level = 0x8000, masked = 0x10000, remote_irr = 0x4000;
}  // namespace

TEST_CASE("io apic: tells its version and number of pins") {
    Bench b;
    REQUIRE(b.get(1) == 0x00170020);
    b.set(0, 0x0F000000);
    REQUIRE(b.get(0) == 0x0F000000);
    REQUIRE(b.get(0x10 + 2 * 23) == masked);
    REQUIRE(b.get(0x10 + 2 * 24) == 0);
}

TEST_CASE("io apic: each edge is one interrupt") {
    Bench b;
    b.route(2, 0x30);
    b.io.set_irq(2, true);
    REQUIRE(b.local.acknowledge() == 0x30);
    b.end();
    REQUIRE_FALSE(b.local.interrupt_requested());
    b.io.set_irq(2, false);
    b.io.set_irq(2, true);
    REQUIRE(b.local.interrupt_requested());
}

TEST_CASE("io apic: an edge on a masked pin is lost") {
    Bench b;
    b.route(4, 0x34 | masked);
    b.io.set_irq(4, true);
    b.route(4, 0x34);
    REQUIRE_FALSE(b.local.interrupt_requested());
}

TEST_CASE("io apic: a level interrupt comes again after its end while the line is asserted") {
    Bench b;
    b.route(11, 0x4B | level);
    b.io.set_irq(11, true);
    REQUIRE((b.get(0x10 + 22) & remote_irr) != 0);
    REQUIRE(b.local.acknowledge() == 0x4B);
    b.end();
    REQUIRE(b.local.acknowledge() == 0x4B);
    b.io.set_irq(11, false);
    b.end();
    REQUIRE_FALSE(b.local.interrupt_requested());
    REQUIRE((b.get(0x10 + 22) & remote_irr) == 0);
}

TEST_CASE("io apic: a level line that is asserted while masked interrupts when it is unmasked") {
    Bench b;
    b.route(10, 0x4A | level | masked);
    b.io.set_irq(10, true);
    REQUIRE_FALSE(b.local.interrupt_requested());
    b.route(10, 0x4A | level);
    REQUIRE(b.local.acknowledge() == 0x4A);
}

TEST_CASE("io apic: the EOI register and a change to edge both end a level interrupt") {
    Bench b;
    b.route(11, 0x4B | level);
    b.io.set_irq(11, true);
    b.io.set_irq(11, false);
    b.mmio.write(0xFEC00040, 4, 0x4B);
    REQUIRE((b.get(0x10 + 22) & remote_irr) == 0);
    b.io.set_irq(11, true);
    REQUIRE((b.get(0x10 + 22) & remote_irr) != 0);
    b.route(11, 0x4B | masked);
    REQUIRE((b.get(0x10 + 22) & remote_irr) == 0);
}

TEST_CASE("io apic: read-only bits of an entry stay as they are") {
    Bench b;
    b.route(5, 0xFFFFFFFF, 0xFFFFFFFF);
    REQUIRE(b.get(0x10 + 10) == 0x1AFFF);
    REQUIRE(b.get(0x11 + 10) == 0xFF000000);
}

TEST_CASE("io apic: logical destinations choose by the local APIC's logical id") {
    Bench b;
    b.mmio.write(0xFEE000D0, 4, 0x01000000);
    b.route(3, 0x33 | 0x800, 0x02000000);
    b.io.set_irq(3, true);
    REQUIRE_FALSE(b.local.interrupt_requested());
    b.io.set_irq(3, false);
    b.route(3, 0x33 | 0x900, 0x01000000);  // lowest priority
    b.io.set_irq(3, true);
    REQUIRE(b.local.interrupt_requested());
}

TEST_CASE("io apic: pins deliver NMI and ExtINT") {
    Bench b;
    b.route(7, 0x400);
    b.io.set_irq(7, true);
    REQUIRE(b.nmis == 1);
    b.route(0, 0x700);
    b.io.set_irq(0, true);
    REQUIRE(b.local.acknowledge() == 0x20);
}

TEST_CASE("io apic: lines beyond the pins are ignored") {
    Bench b;
    b.io.set_irq(24, true);
    b.io.set_irq(255, true);
    REQUIRE_FALSE(b.local.interrupt_requested());
}

TEST_CASE("io apic: a restored one equals the saved one") {
    Bench a, b;
    a.route(11, 0x4B | level);
    a.io.set_irq(11, true);
    auto saved = Archive::saver();
    saved(a.local, a.io);
    auto loaded = Archive::loader(saved.bytes());
    loaded(b.local, b.io);
    REQUIRE(loaded.ok());
    REQUIRE(b.local.acknowledge() == 0x4B);
    b.end();
    REQUIRE(b.local.interrupt_requested());
}
