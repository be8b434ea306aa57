// The channel and the disk on it.
#include <catch2/catch.hpp>

#include "devices/piix3_ide.hpp"
#include "storage_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

constexpr u32 port = 0x1F0, control = 0x3F6, bus_master = 0xC000;

struct IdeBoard : Board {
    std::vector<u8> image = std::vector<u8>(4096 * 512);
    bool failing = false;
    u32 flushes = 0;
    Piix3Ide ide{ports, IrqLine{lines, 14}, IrqLine{lines, 15}, scheduler, ram, log};

    explicit IdeBoard(u8 unit = 0) {
        for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<u8>(i / 512 * 7 + i);
        ide.attach_disk(0, unit, std::make_unique<MemoryDisk>(image, &failing, &flushes));
        ide.reset();
        ide.write_config(0x20, 4, bus_master);
        ide.write_config(0x04, 2, 5);
        out8(port + 6, 0xA0 | unit << 4);
    }
    void lba28(u32 lba, u8 count) {
        out8(port + 2, count);
        out8(port + 3, lba);
        out8(port + 4, lba >> 8);
        out8(port + 5, lba >> 16);
        out8(port + 6, 0xE0 | lba >> 24);
    }
    void lba48(u64 lba, u16 count) {
        out8(port + 2, count >> 8);
        out8(port + 2, count);
        for (u32 i = 0; i < 3; ++i) {
            out8(port + 3 + i, static_cast<u32>(lba >> (8 * (3 + i))));
            out8(port + 3 + i, static_cast<u32>(lba >> (8 * i)));
        }
        out8(port + 6, 0xE0);
    }
    void command(u8 code) {
        out8(port + 7, code);
        pass(20 * microsecond);
    }
    std::vector<u8> read_block(u32 size = 512) {
        std::vector<u8> bytes;
        for (u32 i = 0; i < size / 2; ++i) {
            u16 word = in16(port);
            bytes.push_back(static_cast<u8>(word));
            bytes.push_back(word >> 8);
        }
        pass(20 * microsecond);
        return bytes;
    }
    void write_block(u8 value, u32 size = 512) {
        for (u32 i = 0; i < size / 4; ++i) out32(port, value * 0x01010101u);
        pass(20 * microsecond);
    }
    std::vector<u8> sectors(u32 lba, u32 count) {
        auto first = image.begin() + lba * 512;
        return {first, first + count * 512};
    }
    u16 identify_word(u32 n) {
        command(0xEC);
        auto bytes = read_block();
        return static_cast<u16>(bytes[2 * n] | bytes[2 * n + 1] << 8);
    }
    void region(u32 at, u32 address, u16 count, bool last) {
        u32 words[] = {address, count | (last ? 0x80000000u : 0)};
        for (u32 i = 0; i < 8; ++i) ram.bytes[at + i] = static_cast<u8>(words[i / 4] >> (8 * (i % 4)));
    }
    void start_dma(u32 table, u8 direction) {
        out32(bus_master + 4, table);
        out8(bus_master + 2, 6);
        out8(bus_master, direction);
        out8(bus_master, direction | 1);
        pass(20 * microsecond);
    }
};

using Bytes = std::vector<u8>;

}  // namespace

TEST_CASE("ide: an empty channel reads as zeros", "[devices][ide]") {
    IdeBoard b;
    CHECK(b.in8(0x177) == 0);
    b.out8(0x172, 0x55);
    CHECK(b.in8(0x172) == 0);
    b.out8(0x176, 0xA0);
    CHECK(b.in8(0x176) == 0);
    CHECK(b.in8(0x376) == 0);
}

TEST_CASE("ide: the drive that is missing has status 0 beside one that is there", "[devices][ide]") {
    IdeBoard b;
    CHECK(b.in8(port + 7) == 0x50);
    b.out8(port + 6, 0xB0);
    CHECK(b.in8(port + 7) == 0);
    b.command(0xEC);
    CHECK(b.in8(port + 7) == 0);
    CHECK_FALSE(b.lines.level[14]);
    b.out8(port + 6, 0xA0);
    CHECK(b.in8(port + 7) == 0x50);
}

TEST_CASE("ide: a lone slave works", "[devices][ide]") {
    IdeBoard b{1};
    CHECK(b.in8(port + 7) == 0x50);
    b.command(0xEC);
    CHECK(b.in8(port + 7) == 0x58);
}

TEST_CASE("ide: soft reset shows the signature of a disk", "[devices][ide]") {
    IdeBoard b;
    b.lba28(0x123456, 9);
    b.out8(control, 0x04);
    CHECK(b.in8(control) == 0x80);
    b.out8(control, 0x00);
    b.pass(millisecond);
    CHECK(b.in8(port + 7) == 0x50);
    CHECK(b.in8(port + 1) == 1);
    CHECK(b.in8(port + 2) == 1);
    CHECK(b.in8(port + 3) == 1);
    CHECK(b.in8(port + 4) == 0);
    CHECK(b.in8(port + 5) == 0);
    CHECK_FALSE(b.lines.level[14]);
}

TEST_CASE("ide: diagnostics raise the interrupt with the signature", "[devices][ide]") {
    IdeBoard b;
    b.command(0x90);
    CHECK(b.lines.level[14]);
    CHECK(b.in8(port + 1) == 1);
    CHECK(b.in8(port + 3) == 1);
}

TEST_CASE("ide: an interrupt comes after the command's write and goes when status is read", "[devices][ide]") {
    IdeBoard b;
    b.out8(port + 7, 0xEC);
    CHECK_FALSE(b.lines.level[14]);
    CHECK(b.in8(control) == 0x80);
    b.pass(20 * microsecond);
    CHECK(b.lines.level[14]);
    CHECK(b.in8(control) == 0x58);
    CHECK(b.lines.level[14]);
    CHECK(b.in8(port + 7) == 0x58);
    CHECK_FALSE(b.lines.level[14]);
}

TEST_CASE("ide: nIEN holds the interrupt back", "[devices][ide]") {
    IdeBoard b;
    b.out8(control, 2);
    b.command(0xEC);
    CHECK_FALSE(b.lines.level[14]);
    b.out8(control, 0);
    CHECK(b.lines.level[14]);
}

TEST_CASE("ata disk: IDENTIFY tells size, geometry, model and modes", "[devices][ide]") {
    IdeBoard b;
    b.command(0xEC);
    auto bytes = b.read_block();
    auto word = [&](u32 n) { return bytes[2 * n] | bytes[2 * n + 1] << 8; };
    CHECK(b.in8(port + 7) == 0x50);
    CHECK(word(1) == 4);
    CHECK(word(3) == 16);
    CHECK(word(6) == 63);
    CHECK((word(60) | word(61) << 16) == 4096);
    CHECK((word(100) | word(101) << 16) == 4096);
    CHECK((word(83) & 0x0400) != 0);
    CHECK((word(88) & 0xFF) == 0x3F);
    std::string model;
    for (u32 n = 27; n < 47; ++n) {
        model += static_cast<char>(word(n) >> 8);
        model += static_cast<char>(word(n));
    }
    CHECK(model == "VELLUM HARDDISK                         ");
}

TEST_CASE("ata disk: READ SECTORS by LBA gives one interrupt per sector", "[devices][ide]") {
    IdeBoard b;
    b.lba28(5, 2);
    b.command(0x20);
    CHECK(b.in8(port + 7) == 0x58);
    CHECK(b.read_block() == b.sectors(5, 1));
    CHECK(b.lines.level[14]);
    CHECK(b.in8(port + 7) == 0x58);
    CHECK(b.read_block() == b.sectors(6, 1));
    CHECK_FALSE(b.lines.level[14]);
    CHECK(b.in8(port + 7) == 0x50);
    CHECK(b.lines.rises[14] == 2);
    CHECK(b.in8(port + 3) == 6);
    CHECK(b.in8(port + 2) == 0);
}

TEST_CASE("ata disk: CHS addresses follow the geometry that software sets", "[devices][ide]") {
    IdeBoard b;
    auto read = [&b](u16 cylinder, u8 head, u8 sector) {
        b.out8(port + 2, 1);
        b.out8(port + 3, sector);
        b.out8(port + 4, cylinder);
        b.out8(port + 5, cylinder >> 8);
        b.out8(port + 6, 0xA0 | head);
        b.command(0x20);
    };
    read(1, 2, 3);
    CHECK(b.read_block() == b.sectors((1 * 16 + 2) * 63 + 2, 1));
    b.out8(port + 2, 32);
    b.out8(port + 6, 0xA3);
    b.command(0x91);
    CHECK(b.in8(port + 7) == 0x50);
    CHECK(b.identify_word(55) == 4);
    CHECK(b.identify_word(56) == 32);
    read(1, 2, 3);
    CHECK(b.read_block() == b.sectors((1 * 4 + 2) * 32 + 2, 1));
    read(0, 0, 0);
    CHECK(b.in8(port + 7) == 0x51);
    CHECK(b.in8(port + 1) == 0x10);
}

TEST_CASE("ata disk: 48-bit reads take the older half of the registers", "[devices][ide]") {
    IdeBoard b;
    b.lba48(0x100, 1);
    b.command(0x24);
    CHECK(b.read_block() == b.sectors(0x100, 1));
    b.lba48(0x1'0000'0000, 1);
    b.command(0x24);
    CHECK(b.in8(port + 7) == 0x51);
    CHECK(b.in8(port + 1) == 0x10);
    b.lba48(0x010203040506, 7);
    b.out8(control, 0x80);
    CHECK(b.in8(port + 3) == 0x03);
    CHECK(b.in8(port + 5) == 0x01);
    b.out8(control, 0);
    CHECK(b.in8(port + 3) == 0x06);
}

TEST_CASE("ata disk: WRITE SECTORS asks for data without an interrupt first", "[devices][ide]") {
    IdeBoard b;
    b.lba28(10, 2);
    b.command(0x30);
    CHECK_FALSE(b.lines.level[14]);
    CHECK(b.in8(port + 7) == 0x58);
    b.write_block(0xA1);
    CHECK(b.lines.level[14]);
    CHECK(b.in8(port + 7) == 0x58);
    b.write_block(0xA2);
    CHECK(b.in8(port + 7) == 0x50);
    CHECK(b.sectors(10, 1) == Bytes(512, 0xA1));
    CHECK(b.sectors(11, 1) == Bytes(512, 0xA2));
}

TEST_CASE("ata disk: multiple mode moves blocks, and is refused while it is off", "[devices][ide]") {
    IdeBoard b;
    b.lba28(0, 3);
    b.command(0xC4);
    CHECK(b.in8(port + 7) == 0x51);
    CHECK(b.in8(port + 1) == 4);
    b.out8(port + 2, 2);
    b.command(0xC6);
    CHECK(b.in8(port + 7) == 0x50);
    CHECK(b.identify_word(59) == 0x0102);
    b.lba28(0, 3);
    b.command(0xC4);
    CHECK(b.read_block(1024) == b.sectors(0, 2));
    CHECK(b.read_block(512) == b.sectors(2, 1));
    CHECK(b.in8(port + 7) == 0x50);
    b.lba28(20, 3);
    b.command(0xC5);
    b.write_block(0x77, 1024);
    b.write_block(0x78, 512);
    CHECK(b.in8(port + 7) == 0x50);
    CHECK(b.sectors(20, 2) == Bytes(1024, 0x77));
    CHECK(b.sectors(22, 1) == Bytes(512, 0x78));
}

TEST_CASE("ata disk: requests past the end find nothing, also when they begin before it", "[devices][ide]") {
    IdeBoard b;
    b.lba28(4095, 2);
    b.command(0x20);
    CHECK(b.in8(port + 7) == 0x51);
    CHECK(b.in8(port + 1) == 0x10);
    b.lba28(4095, 1);
    b.command(0x20);
    CHECK(b.in8(port + 7) == 0x58);
}

TEST_CASE("ata disk: a failing host is an uncorrectable sector or an aborted write", "[devices][ide]") {
    IdeBoard b;
    b.failing = true;
    b.lba28(7, 1);
    b.command(0x20);
    CHECK(b.in8(port + 7) == 0x51);
    CHECK(b.in8(port + 1) == 0x40);
    CHECK(b.in8(port + 3) == 7);
    b.lba28(7, 1);
    b.command(0x30);
    b.write_block(1);
    CHECK(b.in8(port + 7) == 0x51);
    CHECK(b.in8(port + 1) == 0x04);
    b.command(0xE7);
    CHECK(b.in8(port + 7) == 0x51);
}

TEST_CASE("ata disk: FLUSH CACHE reaches the host, and without a write cache every write does", "[devices][ide]") {
    IdeBoard b;
    b.command(0xE7);
    b.command(0xEA);
    CHECK(b.flushes == 2);
    b.out8(port + 1, 0x82);
    b.command(0xEF);
    b.lba28(0, 1);
    b.command(0x30);
    b.write_block(9);
    CHECK(b.flushes == 4);
}

TEST_CASE("ata disk: the chosen transfer mode shows in IDENTIFY", "[devices][ide]") {
    IdeBoard b;
    b.out8(port + 1, 3);
    b.out8(port + 2, 0x44);
    b.command(0xEF);
    CHECK(b.in8(port + 7) == 0x50);
    CHECK(b.identify_word(88) == 0x103F);
    CHECK(b.identify_word(63) == 0x0007);
    b.out8(port + 1, 3);
    b.out8(port + 2, 0x47);
    b.command(0xEF);
    CHECK(b.in8(port + 7) == 0x51);
}

TEST_CASE("ata disk: DMA reads scatter over the table's regions", "[devices][ide]") {
    IdeBoard b;
    b.region(0x1000, 0x20000, 512, false);
    b.region(0x1008, 0x30000, 1024, true);
    b.lba28(8, 3);
    b.command(0xC8);
    CHECK_FALSE(b.lines.level[14]);
    b.start_dma(0x1000, 8);
    CHECK(b.lines.level[14]);
    CHECK(b.in8(bus_master + 2) == 0x04);
    CHECK(b.in8(port + 7) == 0x50);
    CHECK(Bytes(&b.ram.bytes[0x20000], &b.ram.bytes[0x20200]) == b.sectors(8, 1));
    CHECK(Bytes(&b.ram.bytes[0x30000], &b.ram.bytes[0x30400]) == b.sectors(9, 2));
    b.out8(bus_master, 0);
    b.out8(bus_master + 2, 4);
    CHECK(b.in8(bus_master + 2) == 0);
}

TEST_CASE("ata disk: DMA writes gather, and the engine may be started before the command", "[devices][ide]") {
    IdeBoard b;
    b.region(0x1000, 0x20000, 256, false);
    b.region(0x1008, 0x30000, 256, true);
    std::fill_n(b.ram.bytes.begin() + 0x20000, 256, 0x11);
    std::fill_n(b.ram.bytes.begin() + 0x30000, 256, 0x22);
    b.start_dma(0x1000, 0);
    b.lba48(30, 1);
    b.command(0x35);
    CHECK(b.in8(port + 7) == 0x50);
    Bytes expected(256, 0x11);
    expected.insert(expected.end(), 256, 0x22);
    CHECK(b.sectors(30, 1) == expected);
}

TEST_CASE("ata disk: a table shorter than the request leaves the drive busy until a reset", "[devices][ide]") {
    IdeBoard b;
    b.region(0x1000, 0x20000, 512, true);
    b.lba28(0, 2);
    b.command(0xC8);
    b.start_dma(0x1000, 8);
    CHECK_FALSE(b.lines.level[14]);
    CHECK((b.in8(bus_master + 2) & 5) == 0);
    CHECK((b.in8(port + 7) & 0x80) != 0);
    b.out8(control, 4);
    b.out8(control, 0);
    b.pass(millisecond);
    CHECK(b.in8(port + 7) == 0x50);
}

TEST_CASE("ata disk: a region table and regions outside of RAM harm nobody", "[devices][ide]") {
    IdeBoard b;
    b.lba28(0, 16);
    b.command(0xC8);
    b.start_dma(0xFFFFFFFC, 8);
    CHECK(b.in8(port + 7) == 0x50);
    b.out8(bus_master, 0);
    b.lba28(0, 16);
    b.command(0xCA);
    b.start_dma(0xFFFFFFFC, 0);
    CHECK(b.in8(port + 7) == 0x50);
    CHECK(b.image[0] == 0xFF);
}

TEST_CASE("ata disk: unknown commands are aborted", "[devices][ide]") {
    IdeBoard b;
    b.command(0xB0);
    CHECK(b.in8(port + 7) == 0x51);
    CHECK(b.in8(port + 1) == 4);
    CHECK(b.lines.rises[14] == 1);
}

TEST_CASE("ata disk: a command is ignored while another is in progress", "[devices][ide]") {
    IdeBoard b;
    b.out8(port + 7, 0xEC);
    b.out8(port + 7, 0xE7);
    b.pass(20 * microsecond);
    CHECK(b.flushes == 0);
    CHECK(b.in8(port + 7) == 0x58);
}

TEST_CASE("ata disk: saved in the middle of a read, it goes on in another machine", "[devices][ide]") {
    IdeBoard a, b;
    a.lba28(5, 2);
    a.command(0x20);
    CHECK(a.in16(port) == (a.image[5 * 512] | a.image[5 * 512 + 1] << 8));
    Archive saved = Archive::saver();
    a.ide.serialize(saved);
    Archive load = Archive::loader(saved.bytes());
    b.ide.serialize(load);
    REQUIRE(load.ok());
    auto rest = b.read_block(510);
    CHECK(rest.front() == b.image[5 * 512 + 2]);
    CHECK(b.read_block() == b.sectors(6, 1));
    Archive cut = Archive::loader({saved.bytes().begin(), saved.bytes().begin() + 100});
    b.ide.serialize(cut);
    CHECK_FALSE(cut.ok());
}
