// The local APIC: priorities, local vectors, its timer, commands, and who gets the PIC's interrupts.
#include "devices/local_apic.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace vellum;

namespace {
struct Bench {
    Bus mmio;
    Log log;
    Scheduler scheduler;
    bool output = false;
    int nmis = 0, changes = 0;
    std::vector<u8> ended;
    LocalApic apic{mmio,
                   scheduler,
                   log,
                   {[this](bool level) { output = level, ++changes; }, [this](u8 vector) { ended.push_back(vector); },
                    [this] { ++nmis; }, [] { return u8{0x08}; }, [](u64 tsc) { return Nanoseconds{tsc / 2}; }}};

    Bench() { set(0xF0, 0x1FF); }
    void set(u32 offset, u32 value) { mmio.write(0xFEE00000 + offset, 4, value); }
    u32 get(u32 offset) { return mmio.read(0xFEE00000 + offset, 4); }
    void fixed(u8 vector, bool level = false) { apic.deliver(vector, level, DeliveryMode::Fixed); }
};
}  // namespace

TEST_CASE("local apic: identifies itself as an integrated one with six local vectors") {
    Bench b;
    REQUIRE(b.get(0x20) == 0);
    REQUIRE(b.get(0x30) == 0x00050014);
}

TEST_CASE("local apic: a fixed interrupt is requested, served and ended") {
    Bench b;
    b.fixed(0x51);
    REQUIRE(b.output);
    REQUIRE(b.get(0x200 + 0x20) == 1u << 17);
    REQUIRE(b.apic.acknowledge() == 0x51);
    REQUIRE_FALSE(b.output);
    REQUIRE(b.get(0x100 + 0x20) == 1u << 17);
    REQUIRE(b.get(0xA0) == 0x50);
    b.set(0xB0, 0);
    REQUIRE(b.get(0x100 + 0x20) == 0);
    REQUIRE(b.ended.empty());
}

TEST_CASE("local apic: the end of a level interrupt is broadcast") {
    Bench b;
    b.fixed(0x51, true);
    b.apic.acknowledge();
    b.set(0xB0, 0);
    REQUIRE(b.ended == std::vector<u8>{0x51});
}

TEST_CASE("local apic: only a higher priority class interrupts one in service") {
    Bench b;
    b.fixed(0x51);
    b.apic.acknowledge();
    b.fixed(0x5F);
    REQUIRE_FALSE(b.output);
    b.fixed(0x60);
    REQUIRE(b.output);
    REQUIRE(b.apic.acknowledge() == 0x60);
    b.set(0xB0, 0);
    REQUIRE_FALSE(b.output);
    b.set(0xB0, 0);
    REQUIRE(b.apic.acknowledge() == 0x5F);
}

TEST_CASE("local apic: the task priority holds back its class and below") {
    Bench b;
    b.set(0x80, 0x50);
    b.fixed(0x5F);
    REQUIRE_FALSE(b.output);
    REQUIRE(b.apic.acknowledge() == 0xFF);  // the spurious vector
    b.set(0x80, 0x4F);
    REQUIRE(b.output);
}

TEST_CASE("local apic: disabled by software it masks its local vectors and takes no fixed interrupts") {
    Bench b;
    b.set(0x350, 0x0700);
    REQUIRE(b.apic.accepts_pic());
    b.set(0xF0, 0x0FF);
    REQUIRE(b.get(0x350) == 0x10700);
    REQUIRE_FALSE(b.apic.deliver(0x51, false, DeliveryMode::Fixed));
    REQUIRE(b.apic.accepts_pic());
    b.set(0x350, 0x0700);
    REQUIRE(b.get(0x350) == 0x10700);
}

TEST_CASE("local apic: LINT0 decides about the PIC's interrupts") {
    Bench b;
    REQUIRE_FALSE(b.apic.accepts_pic());
    b.set(0x350, 0x8700);
    REQUIRE(b.apic.accepts_pic());
    b.set(0x350, 0x0031);
    REQUIRE_FALSE(b.apic.accepts_pic());
    b.apic.set_lint0(true);
    REQUIRE(b.apic.acknowledge() == 0x31);
    b.apic.set_lint0(true);
    REQUIRE_FALSE(b.output);
}

TEST_CASE("local apic: tells when it begins to accept the PIC's interrupts") {
    Bench b;
    const int before = b.changes;
    b.set(0x350, 0x0700);
    REQUIRE(b.changes == before + 1);
    b.set(0x350, 0x8700);
    REQUIRE(b.changes == before + 1);
    b.set(0x350, 0x10700);
    REQUIRE(b.changes == before + 2);
}

TEST_CASE("local apic: LINT1 is NMI, by its entry or when the APIC is off") {
    Bench b;
    b.apic.set_lint1(true);
    b.apic.set_lint1(false);
    REQUIRE(b.nmis == 0);
    b.set(0x360, 0x0400);
    b.apic.set_lint1(true);
    b.apic.set_lint1(false);
    REQUIRE(b.nmis == 1);
    b.apic.set_base(0xFEE00100);
    b.apic.set_lint1(true);
    REQUIRE(b.nmis == 2);
}

TEST_CASE("local apic: an ExtINT message takes its vector from the PIC") {
    Bench b;
    b.apic.deliver(0, false, DeliveryMode::ExtInt);
    REQUIRE(b.output);
    REQUIRE(b.apic.acknowledge() == 0x08);
    REQUIRE_FALSE(b.output);
    REQUIRE(b.get(0x100) == 0);
}

TEST_CASE("local apic: the one-shot timer counts down at 1 GHz over the divider and interrupts once") {
    Bench b;
    b.set(0x3E0, 0x3);  // by 16
    b.set(0x320, 0x40);
    b.set(0x380, 1000);
    b.scheduler.advance_to(8'000);
    REQUIRE(b.get(0x390) == 500);
    b.scheduler.advance_to(15'999);
    REQUIRE_FALSE(b.output);
    b.scheduler.advance_to(16'000);
    REQUIRE(b.apic.acknowledge() == 0x40);
    REQUIRE(b.get(0x390) == 0);
    b.set(0xB0, 0);
    b.scheduler.advance_to(second);
    REQUIRE_FALSE(b.output);
}

TEST_CASE("local apic: the periodic timer does not drift") {
    Bench b;
    int ticks = 0;
    b.set(0x3E0, 0xB);  // by 1
    b.set(0x320, 0x20040);
    b.set(0x380, 999'999);
    while (b.scheduler.next_deadline() <= second) {
        b.scheduler.advance_to(b.scheduler.next_deadline());
        REQUIRE(b.apic.acknowledge() == 0x40);
        b.set(0xB0, 0);
        ++ticks;
    }
    REQUIRE(ticks == 1000);
    REQUIRE(b.get(0x380) == 999'999);
}

TEST_CASE("local apic: a masked timer counts without events") {
    Bench b;
    b.set(0x3E0, 0xB);
    b.set(0x320, 0x30040);
    b.set(0x380, 1000);
    REQUIRE(b.scheduler.next_deadline() == ~Nanoseconds{0});
    b.scheduler.advance_to(1250);
    REQUIRE(b.get(0x390) == 750);
}

TEST_CASE("local apic: a one-shot that ran out while masked does not interrupt when unmasked") {
    Bench b;
    b.set(0x3E0, 0xB);
    b.set(0x320, 0x10040);
    b.set(0x380, 1000);
    b.scheduler.advance_to(2000);
    b.set(0x320, 0x00040);
    b.scheduler.advance_to(10'000);
    REQUIRE_FALSE(b.output);
}

TEST_CASE("local apic: a new divider keeps the count and changes its pace") {
    Bench b;
    b.set(0x3E0, 0xB);
    b.set(0x380, 1000);
    b.scheduler.advance_to(400);
    b.set(0x3E0, 0x0);  // by 2
    REQUIRE(b.get(0x390) == 600);
    b.scheduler.advance_to(600);
    REQUIRE(b.get(0x390) == 500);
}

TEST_CASE("local apic: the shortest periods do not flood the machine with events") {
    Bench b;
    int events = 0;
    b.set(0x3E0, 0xB);
    b.set(0x320, 0x20040);
    b.set(0x380, 1);
    while (b.scheduler.next_deadline() <= 10 * millisecond) {
        b.scheduler.advance_to(b.scheduler.next_deadline());
        ++events;
    }
    REQUIRE(events <= 1000);
    REQUIRE(events > 900);
}

TEST_CASE("local apic: the TSC deadline interrupts once and disarms itself") {
    Bench b;
    b.apic.set_tsc_deadline(5000);
    REQUIRE(b.apic.tsc_deadline() == 0);  // not in this mode
    b.set(0x320, 0x40040);
    b.apic.set_tsc_deadline(5000);
    b.scheduler.advance_to(2499);
    REQUIRE_FALSE(b.output);
    b.scheduler.advance_to(2500);
    REQUIRE(b.output);
    REQUIRE(b.apic.tsc_deadline() == 0);
}

TEST_CASE("local apic: sends interrupts to itself by shorthand and by destination") {
    Bench b;
    b.set(0x300, 0x000440A1);
    b.set(0x310, 0x00000000);
    b.set(0x300, 0x000040B1);
    b.set(0x310, 0x05000000);
    b.set(0x300, 0x000040C1);
    REQUIRE(b.apic.acknowledge() == 0xB1);
    b.set(0xB0, 0);
    REQUIRE(b.apic.acknowledge() == 0xA1);
    REQUIRE((b.get(0x300) & 0x1000) == 0);
}

TEST_CASE("local apic: INIT and start-up commands go nowhere") {
    Bench b;
    b.set(0x300, 0x000C4500);
    b.set(0x300, 0x000C4610);
    REQUIRE_FALSE(b.output);
    REQUIRE(b.nmis == 0);
}

TEST_CASE("local apic: illegal vectors show in the error status after a write to it") {
    Bench b;
    b.set(0x370, 0xE1);
    b.set(0x300, 0x00044005);
    REQUIRE(b.get(0x280) == 0);
    b.set(0x280, 0);
    REQUIRE(b.get(0x280) == 0x20);
    REQUIRE(b.apic.acknowledge() == 0xE1);
    b.fixed(3);
    b.set(0x280, 0);
    REQUIRE(b.get(0x280) == 0x40);
}

TEST_CASE("local apic: an error vector that is illegal itself does no harm") {
    Bench b;
    b.set(0x370, 0x05);
    b.fixed(3);
    b.set(0x280, 0);
    REQUIRE(b.get(0x280) == 0x40);
}

TEST_CASE("local apic: matches physical, flat and cluster destinations") {
    Bench b;
    REQUIRE(b.apic.matches(0, false));
    REQUIRE(b.apic.matches(0xFF, false));
    REQUIRE_FALSE(b.apic.matches(1, false));
    REQUIRE_FALSE(b.apic.matches(0xFF, true));
    b.set(0xD0, 0x21000000);
    REQUIRE(b.apic.matches(0x01, true));
    REQUIRE_FALSE(b.apic.matches(0x02, true));
    b.set(0xE0, 0x0FFFFFFF);
    REQUIRE(b.apic.matches(0x21, true));
    REQUIRE(b.apic.matches(0xF1, true));
    REQUIRE_FALSE(b.apic.matches(0x31, true));
}

TEST_CASE("local apic: its MSR moves it and switches it off") {
    Bench b;
    b.apic.set_base(0xFEC80900);
    REQUIRE(b.get(0x30) == 0xFFFFFFFF);
    REQUIRE(b.mmio.read(0xFEC80030, 4) == 0x00050014);
    b.apic.set_base(0xFEE00100);
    REQUIRE(b.mmio.read(0xFEC80030, 4) == 0xFFFFFFFF);
    REQUIRE(b.apic.accepts_pic());
    REQUIRE_FALSE(b.apic.matches(0, false));
    b.apic.set_base(0xFEE00900);
    REQUIRE(b.get(0xF0) == 0xFF);
}

TEST_CASE("local apic: a restored one goes on exactly as the saved one") {
    Bench a, b;
    a.set(0x320, 0x20040);
    a.set(0x380, 12'345);
    a.fixed(0x51, true);
    a.apic.acknowledge();
    a.scheduler.advance_to(33'333);
    auto saved = Archive::saver();
    saved(a.scheduler, a.apic);
    auto loaded = Archive::loader(saved.bytes());
    loaded(b.scheduler, b.apic);
    REQUIRE(loaded.ok());
    REQUIRE(a.output == b.output);
    a.scheduler.advance_to(99'999);
    b.scheduler.advance_to(99'999);
    auto end = Archive::saver();
    end(a.scheduler, a.apic);
    auto same = Archive::comparer(end.bytes());
    same(b.scheduler, b.apic);
    REQUIRE(same.ok());
}
