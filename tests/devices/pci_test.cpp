// Configuration mechanism 1, BARs, host bridge, ISA bridge, power management.
#include "devices/pci.hpp"

#include <catch2/catch.hpp>

#include "devices/i440fx.hpp"
#include "devices/piix3.hpp"
#include "devices/piix4_pm.hpp"
#include "storage_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

struct Card final : PciDevice {
    explicit Card(IrqLine line = {}) : PciDevice{{0x1234, 0x5678, 3, 0x020000, 0xAAAA, 0xBBBB}, line} {
        define_bar(0, BarKind::Io, 0x20);
        define_bar(1, BarKind::Memory, 0x1000);
        define_bar(rom_index, BarKind::Memory, 0x8000);
        define_interrupt_pin(1);
    }
    std::string_view name() const override { return "card"; }
    void bar_changed(u8 index, std::optional<u32> base) override {
        bars[index] = base;
        ++changes;
    }
    using PciDevice::set_intx;
    std::map<u8, std::optional<u32>> bars;
    int changes = 0;
};

struct PciBoard : Board {
    u8 reset_control = 0;
    PciBus pci{ports, log, {[this] { return reset_control; }, [this](u8 v) { reset_control = v; }}};
    void select(u8 slot, u8 function, u8 offset) {
        out32(0xCF8, 0x80000000u | u32{slot} << 11 | u32{function} << 8 | (offset & 0xFC));
    }
    u32 get(u8 slot, u8 function, u8 offset, u8 size) {
        select(slot, function, offset);
        return ports.read(0xCFC + (offset & 3), size);
    }
    void set(u8 slot, u8 function, u8 offset, u8 size, u32 value) {
        select(slot, function, offset);
        ports.write(0xCFC + (offset & 3), size, value);
    }
};

}  // namespace

TEST_CASE("pci: a function answers in bytes, words and dwords and an absent one reads ones", "[devices][pci]") {
    PciBoard b;
    Card card;
    b.pci.attach(3, 0, card);
    CHECK(b.get(3, 0, 0, 4) == 0x56781234);
    CHECK(b.get(3, 0, 2, 2) == 0x5678);
    CHECK(b.get(3, 0, 1, 1) == 0x12);
    CHECK(b.get(3, 0, 0x2C, 4) == 0xBBBBAAAA);
    CHECK(b.get(3, 1, 0, 4) == 0xFFFFFFFF);
    CHECK(b.get(4, 0, 0, 2) == 0xFFFF);
}

TEST_CASE("pci: data ports are open while configuration is disabled or another bus is named", "[devices][pci]") {
    PciBoard b;
    Card card;
    b.pci.attach(0, 0, card);
    b.out32(0xCF8, 0);
    CHECK(b.in32(0xCFC) == 0xFFFFFFFF);
    b.out32(0xCF8, 0x80010000);
    CHECK(b.in32(0xCFC) == 0xFFFFFFFF);
    b.out32(0xCF8, 0x80000000);
    CHECK(b.in32(0xCFC) == 0x56781234);
    CHECK(b.in32(0xCF8) == 0x80000000);
}

TEST_CASE("pci: a byte at CF9h is the reset control and leaves the address alone", "[devices][pci]") {
    PciBoard b;
    b.out32(0xCF8, 0x80001234);
    b.out8(0xCF9, 0x06);
    CHECK(b.reset_control == 6);
    CHECK(b.in8(0xCF9) == 6);
    CHECK(b.in32(0xCF8) == 0x80001234);
}

TEST_CASE("pci: an access over both registers reaches the data, and is no address", "[devices][pci]") {
    // Once a read of two bytes at CFBh never ended.
    PciBoard b;
    Card card;
    b.pci.attach(3, 0, card);
    b.select(3, 0, 0);
    CHECK(b.ports.read(0xCFB, 2) == 0x34FF);
    CHECK(b.in32(0xCF9) == 0x34FFFFFF);
    CHECK(b.in32(0xCFA) == 0x1234FFFF);
    CHECK(b.in32(0xCFB) == 0x781234FF);
    b.select(3, 0, 0x3C);  // interrupt line
    b.ports.write(0xCFB, 2, 0x0B06);
    CHECK(b.get(3, 0, 0x3C, 1) == 0x0B);
    b.out32(0xCF9, 0x07060606);
    CHECK(b.get(3, 0, 0x3C, 1) == 0x07);
    CHECK(b.reset_control == 0);
    CHECK(b.in32(0xCF8) == 0x8000183C);
}

TEST_CASE("pci: a BAR written with ones tells its size and answers only when decoded", "[devices][pci]") {
    PciBoard b;
    Card card;
    b.pci.attach(3, 0, card);
    b.set(3, 0, 0x10, 4, 0xFFFFFFFF);
    CHECK(b.get(3, 0, 0x10, 4) == 0xFFFFFFE1);
    b.set(3, 0, 0x14, 4, 0xFFFFFFFF);
    CHECK(b.get(3, 0, 0x14, 4) == 0xFFFFF000);
    CHECK(card.changes == 0);

    b.set(3, 0, 0x10, 4, 0xC000);
    b.set(3, 0, 0x14, 4, 0xE0000000);
    CHECK(card.changes == 0);
    b.set(3, 0, 0x04, 2, 1);
    CHECK(card.bars[0] == 0xC000u);
    CHECK(card.changes == 1);
    b.set(3, 0, 0x04, 2, 3);
    CHECK(card.bars[1] == 0xE0000000u);
    b.set(3, 0, 0x14, 4, 0xE1000000);
    CHECK(card.bars[1] == 0xE1000000u);
    b.set(3, 0, 0x04, 2, 0);
    CHECK(card.bars[0] == std::nullopt);
    CHECK(card.bars[1] == std::nullopt);
}

TEST_CASE("pci: the expansion ROM needs its own enable bit", "[devices][pci]") {
    PciBoard b;
    Card card;
    b.pci.attach(3, 0, card);
    b.set(3, 0, 0x30, 4, 0xFFFFFFFE);
    CHECK(b.get(3, 0, 0x30, 4) == 0xFFFF8000);
    b.set(3, 0, 0x04, 2, 2);
    b.set(3, 0, 0x30, 4, 0xFEB00000);
    CHECK(card.changes == 0);
    b.set(3, 0, 0x30, 4, 0xFEB00001);
    CHECK(card.bars[PciDevice::rom_index] == 0xFEB00000u);
}

TEST_CASE("pci: reset takes BARs away, load brings them back", "[devices][pci]") {
    PciBoard b;
    Card card, other;
    b.pci.attach(3, 0, card);
    b.set(3, 0, 0x10, 4, 0xC000);
    b.set(3, 0, 0x04, 2, 1);
    Archive saved = Archive::saver();
    card.serialize(saved);
    card.reset();
    CHECK(card.bars[0] == std::nullopt);
    Archive load = Archive::loader(saved.bytes());
    other.serialize(load);
    CHECK(load.ok());
    CHECK(other.bars[0] == 0xC000u);
}

TEST_CASE("pci: INTx shows in status and can be disabled in command", "[devices][pci]") {
    PciBoard b;
    Card card{IrqLine{b.lines, 12}};
    b.pci.attach(3, 0, card);
    card.set_intx(true);
    CHECK(b.lines.level[12]);
    CHECK((b.get(3, 0, 6, 2) & 8) == 8);
    b.set(3, 0, 4, 2, 0x400);
    CHECK_FALSE(b.lines.level[12]);
}

TEST_CASE("i440fx: PAM registers tell which segments read and write RAM", "[devices][pci]") {
    PciBoard b;
    std::map<u32, std::pair<bool, bool>> shadow;
    std::map<u32, u32> sizes;
    int calls = 0;
    I440fx bridge{[&](u32 first, u32 size, bool read_ram, bool write_ram) {
        shadow[first] = {read_ram, write_ram};
        sizes[first] = size;
        ++calls;
    }};
    bridge.reset();
    CHECK(calls == 13);
    CHECK(sizes[0xF0000] == 0x10000);
    b.pci.attach(0, 0, bridge);
    CHECK(b.get(0, 0, 0, 4) == 0x12378086);
    CHECK(b.get(0, 0, 8, 4) == 0x06000002);
    CHECK(b.get(0, 0, 0x2C, 4) == 0x11001AF4);

    b.set(0, 0, 0x59, 1, 0x30);
    CHECK(shadow[0xF0000] == std::pair{true, true});
    CHECK(calls == 14);
    b.set(0, 0, 0x5A, 2, 0x0012);
    CHECK(shadow[0xC0000] == std::pair{false, true});
    CHECK(shadow[0xC4000] == std::pair{true, false});
    b.set(0, 0, 0x5F, 1, 0x20);
    CHECK(shadow[0xEC000] == std::pair{false, true});
    bridge.reset();
    CHECK(shadow[0xF0000] == std::pair{false, false});
}

TEST_CASE("piix3: INTA of slot 1 is PIRQA and follows its routing register", "[devices][pci]") {
    PciBoard b;
    Piix3 piix{b.lines};
    piix.reset();
    b.pci.attach(1, 0, piix);
    CHECK(b.get(1, 0, 0, 4) == 0x70008086);
    CHECK((b.get(1, 0, 0x0E, 1) & 0x80) == 0x80);
    piix.set_irq(Piix3::intx(1, 0), true);
    CHECK_FALSE(b.lines.level[11]);
    b.set(1, 0, 0x60, 1, 11);
    CHECK(b.lines.level[11]);
    b.set(1, 0, 0x60, 1, 10);
    CHECK_FALSE(b.lines.level[11]);
    CHECK(b.lines.level[10]);
    b.set(1, 0, 0x60, 1, 0x8A);
    CHECK_FALSE(b.lines.level[10]);
}

TEST_CASE("piix3: two devices on one PIRQ keep the line up until both let go", "[devices][pci]") {
    PciBoard b;
    Piix3 piix{b.lines};
    piix.reset();
    b.pci.attach(1, 0, piix);
    b.set(1, 0, 0x62, 1, 5);
    piix.set_irq(Piix3::intx(3, 0), true);  // slot 3, INTA: PIRQC
    piix.set_irq(Piix3::intx(2, 1), true);  // slot 2, INTB: PIRQC
    CHECK(b.lines.level[5]);
    piix.set_irq(Piix3::intx(3, 0), false);
    CHECK(b.lines.level[5]);
    piix.set_irq(Piix3::intx(2, 1), false);
    CHECK_FALSE(b.lines.level[5]);
    CHECK(b.lines.rises[5] == 1);
}

TEST_CASE("piix4 pm: the PM block is announced when it is enabled, moved and disabled", "[devices][pci]") {
    PciBoard b;
    std::vector<std::optional<u16>> bases;
    Piix4Pm pm{[&](std::optional<u16> base) { bases.push_back(base); }};
    pm.reset();
    b.pci.attach(1, 3, pm);
    CHECK(b.get(1, 3, 0, 4) == 0x71138086);
    b.set(1, 3, 0x80, 1, 1);
    CHECK(bases.empty());
    b.set(1, 3, 0x40, 4, 0x601);
    b.set(1, 3, 0x40, 4, 0xB001);
    b.set(1, 3, 0x80, 1, 0);
    REQUIRE(bases.size() == 3);
    CHECK(bases[0] == 0x600);
    CHECK(bases[1] == 0xB000);
    CHECK(bases[2] == std::nullopt);
}

TEST_CASE("piix4 pm: firmware finds SMM set up already", "[devices][pci]") {
    PciBoard b;
    Piix4Pm pm{[](std::optional<u16>) {}};
    pm.reset();
    b.pci.attach(1, 3, pm);
    CHECK((b.get(1, 3, 0x58, 4) & (1u << 25)) != 0);
}
