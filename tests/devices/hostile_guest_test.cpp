// Nonsense from the guest and from snapshot files: whatever comes, the chips stay within their bounds.
#include <catch2/catch.hpp>
#include <random>

#include "devices/floppy.hpp"
#include "devices/i440fx.hpp"
#include "devices/keyboard_controller.hpp"
#include "devices/piix3.hpp"
#include "devices/piix3_ide.hpp"
#include "devices/piix4_pm.hpp"
#include "devices/ps2_keyboard.hpp"
#include "devices/ps2_mouse.hpp"
#include "devices/uart.hpp"
#include "storage_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

struct WholeBoard : Board {
    std::vector<u8> disk = std::vector<u8>(300 * 512), disc = std::vector<u8>(40 * 2048),
                    diskette = std::vector<u8>(1440 * 1024);
    TextSink sink;
    PciBus pci{ports, log, {}};
    I440fx bridge{[](u32, u32, bool, bool) {}};
    Piix3 piix{lines};
    Piix4Pm pm{[](std::optional<u16>) {}};
    Piix3Ide ide{ports, IrqLine{lines, 14}, IrqLine{lines, 15}, scheduler, ram, log};
    AtapiCd& cd{ide.attach_cd(1, 0, std::make_unique<MemoryDisk>(disc))};
    Ps2Keyboard keyboard{scheduler, log};
    Ps2Mouse mouse{scheduler, log};
    KeyboardController controller{ports, IrqLine{lines, 1}, IrqLine{lines, 12}, scheduler, log, {}, keyboard, &mouse};
    Uart uart{ports, 0x3F8, IrqLine{lines, 4}, scheduler, sink};
    Dma dma{ports, ram, log};
    Floppy floppy{ports, IrqLine{lines, 6}, scheduler, dma, log};
    std::vector<Device*> devices{&pci, &bridge, &piix, &pm, &ide, &keyboard, &mouse, &controller, &uart, &dma, &floppy};

    WholeBoard() {
        pci.attach(0, 0, bridge);
        pci.attach(1, 0, piix);
        pci.attach(1, 1, ide);
        pci.attach(1, 3, pm);
        ide.attach_disk(0, 0, std::make_unique<MemoryDisk>(disk));
        floppy.attach(0, std::make_unique<MemoryDisk>(diskette));
        for (Device* device : devices) device->reset();
        ide.write_config(0x20, 4, 0xC000);
        ide.write_config(0x04, 2, 5);
    }
    void serialize(Archive& a) {
        scheduler.serialize(a);
        for (Device* device : devices) device->serialize(a);
    }
    // `count` accesses to ports where something lives, with values that often mean something.
    void nonsense(std::mt19937& random, u32 count) {
        constexpr u32 bases[] = {0x1F0, 0x170, 0x1F0, 0x170, 0x3F6, 0x376, 0xC000, 0xC008, 0x3F0,
                                 0x3F0, 0x3F5, 0x60,  0x64,  0x3F8, 0x00,  0xC0,   0x81,   0xCF8};
        constexpr u8 sizes[] = {1, 1, 2, 4};
        constexpr u8 commands[] = {0x20, 0x24, 0x30, 0xC8, 0xCA, 0x25, 0x35, 0xC4, 0xC5, 0xC6,
                                   0xEC, 0xA0, 0xA1, 0x90, 0xEF, 0x91, 0x40, 0x08, 0xFF, 0xD4};
        for (u32 i = 0; i < count; ++i) {
            u32 port = bases[random() % std::size(bases)] + random() % 8;
            u8 size = sizes[random() % 4];
            u32 value = random() % 3 ? random() % 0x120 : random();
            if (random() % 4 == 0) value = commands[random() % std::size(commands)];
            // Configuration is left alone but for the IDE function's own registers.
            if (port >= 0xCF8 && port < 0xD00) continue;
            if (random() % 3 == 0)
                ports.read(port, size);
            else
                ports.write(port, size, value);
            if (random() % 4 == 0) pass(random() % 20 * microsecond);
            if (random() % 200 == 0) keyboard.key({static_cast<u8>(random()), random() % 2 == 0});
            if (random() % 200 == 0) mouse.move({i32(random()), i32(random()), i32(random()), u8(random())});
            if (random() % 50 == 0 && uart.can_receive()) uart.receive(static_cast<u8>(random()));
        }
    }
};

}  // namespace

TEST_CASE("hostile guest: random accesses to all ports end", "[devices][hostile]") {
    std::mt19937 random{20240607};
    WholeBoard board;
    board.nonsense(random, 150'000);
    for (Device* device : board.devices) device->reset();
    board.out8(0x1F6, 0xA0);
    CHECK(board.in8(0x1F7) == 0x50);
}

TEST_CASE("hostile guest: random configuration space ends", "[devices][hostile]") {
    std::mt19937 random{7};
    WholeBoard board;
    for (u32 i = 0; i < 50'000; ++i) {
        board.out32(0xCF8, 0x80000000u | (random() % 16) << 8 | (random() & 0xFC));
        u8 size = 1u << random() % 3;
        u32 port = 0xCFC + random() % 4;
        if (random() % 2)
            board.ports.read(port, size);
        else
            board.ports.write(port, size, random());
    }
    board.out32(0xCF8, 0x80000000);
    CHECK(board.in32(0xCFC) == 0x12378086);
}

TEST_CASE("hostile snapshot: damaged state is refused or harmless", "[devices][hostile]") {
    std::mt19937 random{99};
    WholeBoard source;
    constexpr std::size_t clock_bytes = 8;  // the scheduler's time comes first
    u32 refused = 0;
    for (u32 round = 0; round < 150; ++round) {
        source.nonsense(random, 200);
        Archive saved = Archive::saver();
        source.serialize(saved);
        std::vector<u8> bytes = saved.bytes();
        for (u32 i = 0; i < 30; ++i)
            bytes[clock_bytes + random() % (bytes.size() - clock_bytes)] = static_cast<u8>(random());
        Archive load = Archive::loader(bytes);
        WholeBoard target;
        target.serialize(load);
        refused += !load.ok();
        target.nonsense(random, 300);
    }
    CHECK(refused > 0);
}

TEST_CASE("snapshot: a restored board compares equal and goes on as the first", "[devices][hostile]") {
    std::mt19937 random{5};
    WholeBoard a, b;
    a.nonsense(random, 20'000);
    Archive saved = Archive::saver();
    a.serialize(saved);
    Archive load = Archive::loader(saved.bytes());
    b.serialize(load);
    REQUIRE(load.ok());
    b.disk = a.disk;
    b.disc = a.disc;
    b.diskette = a.diskette;
    b.ram.bytes = a.ram.bytes;
    Archive compare = Archive::comparer(saved.bytes());
    b.serialize(compare);
    CHECK(compare.ok());
    std::mt19937 same = random;
    a.nonsense(random, 20'000);
    b.nonsense(same, 20'000);
    Archive first = Archive::saver(), second_one = Archive::saver();
    a.serialize(first);
    b.serialize(second_one);
    CHECK(first.bytes() == second_one.bytes());
}
