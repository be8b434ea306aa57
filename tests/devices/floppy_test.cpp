// The floppy controller with its drives.
#include "devices/floppy.hpp"

#include <catch2/catch.hpp>

#include "storage_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

using Bytes = std::vector<u8>;
constexpr u32 buffer = 0x8000;

struct FloppyBoard : Board {
    Bytes image = Bytes(2880 * 512);
    bool failing = false;
    Dma dma{ports, ram, log};
    Floppy floppy{ports, IrqLine{lines, 6}, scheduler, dma, log};

    explicit FloppyBoard(bool read_only = false) {
        for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<u8>(i / 512 * 5 + i);
        floppy.attach(0, std::make_unique<MemoryDisk>(image, &failing, nullptr, read_only));
        dma.reset();
        floppy.reset();
        out8(0x3F2, 0x1C);
        pass(millisecond);
        for (int i = 0; i < 4; ++i) command({0x08});
        out8(0x3F7, 0);
        command({0x03, 0xDF, 0x02});
    }
    // Sends a command, waits, and takes its result.
    Bytes command(const Bytes& bytes) {
        for (u8 byte : bytes) out8(0x3F5, byte);
        pass(millisecond);
        Bytes result;
        while ((in8(0x3F4) & 0xD0) == 0xD0) result.push_back(in8(0x3F5));
        return result;
    }
    void seek(u8 cylinder) {
        command({0x0F, 0, cylinder});
        CHECK(command({0x08}) == Bytes{0x20, cylinder});
    }
    void program_dma(u16 count, u8 mode) {
        out8(0x0C, 0);
        out8(4, buffer & 0xFF);
        out8(4, buffer >> 8);
        out8(5, (count - 1) & 0xFF);
        out8(5, (count - 1) >> 8);
        out8(0x81, 0);
        out8(0x0B, mode | 2);
        out8(0x0A, 2);
    }
    Bytes read(u8 code, u8 cylinder, u8 head, u8 sector, u8 end, u16 count) {
        program_dma(count, 0x44);
        return command({code, static_cast<u8>(head << 2), cylinder, head, sector, 2, end, 0x1B, 0xFF});
    }
    Bytes write(u8 code, u8 cylinder, u8 head, u8 sector, u8 end, u16 count) {
        program_dma(count, 0x48);
        return command({code, static_cast<u8>(head << 2), cylinder, head, sector, 2, end, 0x1B, 0xFF});
    }
    Bytes sectors(u32 first, u32 count) { return {image.begin() + first * 512, image.begin() + (first + count) * 512}; }
    Bytes memory(u32 count) { return {ram.bytes.begin() + buffer, ram.bytes.begin() + buffer + count}; }
};

}  // namespace

TEST_CASE("floppy: a reset raises the interrupt and answers four SENSE INTERRUPTs", "[devices][floppy]") {
    FloppyBoard b;
    u32 before = b.lines.rises[6];
    b.out8(0x3F2, 0x18);
    CHECK(b.in8(0x3F4) == 0);
    b.out8(0x3F2, 0x1C);
    b.pass(millisecond);
    CHECK(b.lines.rises[6] == before + 1);
    CHECK(b.in8(0x3F4) == 0x80);
    for (u8 unit = 0; unit < 4; ++unit) CHECK(b.command({0x08}) == Bytes{static_cast<u8>(0xC0 | unit), 0});
    CHECK_FALSE(b.lines.level[6]);
    CHECK(b.command({0x08}) == Bytes{0x80});
}

TEST_CASE("floppy: enabling the controller raises the interrupt though software asks for one answer only",
          "[devices][floppy]") {
    FloppyBoard b;
    b.out8(0x3F2, b.in8(0x3F2) & ~0x04);
    b.out8(0x3F2, b.in8(0x3F2) | 0x04);
    b.pass(millisecond);
    CHECK(b.lines.level[6]);
    CHECK(b.command({0x08}) == Bytes{0xC0, 0});
    b.command({0x07, 0});
    CHECK(b.lines.level[6]);
    CHECK(b.command({0x08}) == Bytes{0x20, 0});
    CHECK_FALSE(b.lines.level[6]);
}

TEST_CASE("floppy: version, lock, configuration and registers", "[devices][floppy]") {
    FloppyBoard b;
    CHECK(b.command({0x10}) == Bytes{0x90});
    CHECK(b.command({0x94}) == Bytes{0x10});
    CHECK(b.command({0x13, 0, 0x57, 0}).empty());
    b.out8(0x3F4, 0x80);
    b.pass(millisecond);
    Bytes registers = b.command({0x0E});
    REQUIRE(registers.size() == 10);
    CHECK(registers[4] == 0xDF);
    CHECK((registers[7] & 0x80) == 0x80);
    CHECK(registers[8] == 0x57);
    CHECK(b.command({0x14}) == Bytes{0});
    CHECK(b.command({0x18}) == Bytes{0x80});
}

TEST_CASE("floppy: seek and recalibrate move the head and report by SENSE INTERRUPT", "[devices][floppy]") {
    FloppyBoard b;
    b.command({0x0F, 0, 40});
    CHECK(b.lines.level[6]);
    CHECK((b.in8(0x3F4) & 0x0F) == 1);
    CHECK(b.command({0x08}) == Bytes{0x20, 40});
    CHECK_FALSE(b.lines.level[6]);
    CHECK((b.in8(0x3F4) & 0x0F) == 0);
    CHECK(b.command({0x04, 0}) == Bytes{0x28});
    b.command({0x07, 0});
    CHECK(b.command({0x08}) == Bytes{0x20, 0});
    CHECK(b.command({0x04, 0}) == Bytes{0x38});
    b.command({0x07, 1});
    CHECK(b.command({0x08}) == Bytes{0x71, 0});
}

TEST_CASE("floppy: a sector is read by DMA", "[devices][floppy]") {
    FloppyBoard b;
    b.seek(3);
    CHECK(b.read(0x46, 3, 1, 5, 18, 512) == Bytes{0x04, 0, 0, 3, 1, 6, 2});
    CHECK(b.memory(512) == b.sectors((3 * 2 + 1) * 18 + 4, 1));
}

TEST_CASE("floppy: a transfer seeks by itself", "[devices][floppy]") {
    FloppyBoard b;
    CHECK((b.read(0xE6, 7, 0, 1, 1, 512)[0] & 0xC0) == 0);
    CHECK(b.memory(512) == b.sectors(7 * 36, 1));
}

TEST_CASE("floppy: the interrupt of a transfer goes with its first result byte", "[devices][floppy]") {
    FloppyBoard b;
    b.program_dma(512, 0x44);
    for (u8 byte : {0x46, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF}) b.out8(0x3F5, byte);
    CHECK_FALSE(b.lines.level[6]);
    CHECK((b.in8(0x3F4) & 0x90) == 0x10);
    b.pass(millisecond);
    CHECK(b.lines.level[6]);
    CHECK(b.in8(0x3F4) == 0xD0);
    b.in8(0x3F5);
    CHECK_FALSE(b.lines.level[6]);
}

TEST_CASE("floppy: multi-track goes on with the other head", "[devices][floppy]") {
    FloppyBoard b;
    CHECK(b.read(0xC6, 0, 0, 17, 18, 4 * 512) == Bytes{0x04, 0, 0, 0, 1, 3, 2});
    CHECK(b.memory(4 * 512) == b.sectors(16, 4));
    CHECK(b.read(0xC6, 0, 1, 18, 18, 512) == Bytes{0x00, 0, 0, 1, 0, 1, 2});
}

TEST_CASE("floppy: running past the end of the cylinder is an error", "[devices][floppy]") {
    FloppyBoard b;
    Bytes result = b.read(0x46, 0, 0, 18, 18, 1024);
    CHECK(result[0] == 0x40);
    CHECK(result[1] == 0x80);
}

TEST_CASE("floppy: wrong cylinder, sector, rate and missing disks are told apart", "[devices][floppy]") {
    FloppyBoard b;
    Bytes wrong = b.read(0x46, 90, 0, 1, 18, 512);
    CHECK(Bytes(wrong.begin(), wrong.begin() + 3) == Bytes{0x40, 0x04, 0x10});
    Bytes absent = b.read(0x46, 0, 0, 19, 19, 512);
    CHECK(Bytes(absent.begin(), absent.begin() + 3) == Bytes{0x40, 0x04, 0x00});
    b.out8(0x3F7, 2);
    CHECK(b.command({0x4A, 0})[1] == 0x01);
    b.out8(0x3F7, 0);
    CHECK(b.command({0x4A, 0})[0] == 0x00);
    b.floppy.change_medium(0, nullptr);
    CHECK(b.command({0x4A, 0})[1] == 0x01);
}

TEST_CASE("floppy: sectors are written, unless the disk is protected", "[devices][floppy]") {
    FloppyBoard b;
    std::fill_n(b.ram.bytes.begin() + buffer, 1024, 0xEE);
    CHECK(b.write(0xC5, 0, 0, 18, 18, 1024)[0] == 0x04);
    CHECK(b.sectors(17, 2) == Bytes(1024, 0xEE));
    FloppyBoard locked{true};
    Bytes result = locked.write(0x45, 0, 0, 1, 18, 512);
    CHECK(result[0] == 0x40);
    CHECK(result[1] == 0x02);
    CHECK((locked.command({0x04, 0})[0] & 0x40) == 0x40);
}

TEST_CASE("floppy: a failing host is a data error", "[devices][floppy]") {
    FloppyBoard b;
    b.failing = true;
    Bytes result = b.read(0x46, 0, 0, 1, 18, 512);
    CHECK(Bytes(result.begin(), result.begin() + 3) == Bytes{0x40, 0x20, 0x20});
}

TEST_CASE("floppy: a masked DMA channel is an overrun", "[devices][floppy]") {
    FloppyBoard b;
    Bytes result = b.command({0x46, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF});
    CHECK(result[1] == 0x10);
}

TEST_CASE("floppy: FORMAT TRACK fills the sectors that the host names", "[devices][floppy]") {
    FloppyBoard b;
    b.seek(2);
    for (u8 i = 0; i < 18; ++i) {
        u8 id[] = {2, 1, static_cast<u8>(i + 1), 2};
        std::copy_n(id, 4, b.ram.bytes.begin() + buffer + 4 * i);
    }
    b.program_dma(72, 0x48);
    CHECK(b.command({0x4D, 4, 2, 18, 0x54, 0xF6})[0] == 0x04);
    CHECK(b.sectors((2 * 2 + 1) * 18, 18) == Bytes(18 * 512, 0xF6));
}

TEST_CASE("floppy: the change line stays until the head steps over a disk", "[devices][floppy]") {
    FloppyBoard b;
    CHECK(b.in8(0x3F7) == 0x80);
    b.seek(1);
    CHECK(b.in8(0x3F7) == 0);
    b.floppy.change_medium(0, nullptr);
    CHECK(b.in8(0x3F7) == 0x80);
    b.seek(2);
    CHECK(b.in8(0x3F7) == 0x80);
    Bytes small(720 * 1024, 0x42);
    b.floppy.change_medium(0, std::make_unique<MemoryDisk>(small));
    b.seek(0);
    CHECK(b.in8(0x3F7) == 0);
    b.out8(0x3F7, 2);
    CHECK(b.read(0x46, 0, 0, 9, 9, 512)[0] == 0);
    CHECK(b.memory(512) == Bytes(512, 0x42));
}

TEST_CASE("floppy: image sizes tell formats and drive types", "[devices][floppy]") {
    CHECK(floppy_geometry(160 * 1024)->heads == 1);
    CHECK(floppy_geometry(360 * 1024)->drive_type == 1);
    CHECK(floppy_geometry(720 * 1024)->sectors == 9);
    CHECK(floppy_geometry(1200 * 1024)->drive_type == 2);
    CHECK(floppy_geometry(1440 * 1024)->sectors == 18);
    CHECK(floppy_geometry(2880 * 1024)->drive_type == 5);
    CHECK(floppy_geometry(512)->sectors == 18);
    CHECK_FALSE(floppy_geometry(4 << 20).has_value());
    FloppyBoard b;
    CHECK(b.floppy.cmos_types() == 0x40);
}

TEST_CASE("floppy: a short image reads zeros where it ends", "[devices][floppy]") {
    FloppyBoard b;
    Bytes boot(512, 0x99);
    b.floppy.change_medium(0, std::make_unique<MemoryDisk>(boot));
    b.read(0x46, 0, 0, 1, 18, 1024);
    CHECK(b.ram.bytes[buffer + 511] == 0x99);
    CHECK(b.ram.bytes[buffer + 512] == 0);
}

TEST_CASE("floppy: saved between command and result, it goes on", "[devices][floppy]") {
    FloppyBoard a, b;
    a.program_dma(512, 0x44);
    for (u8 byte : {0x46, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF}) a.out8(0x3F5, byte);
    Archive saved = Archive::saver();
    a.scheduler.serialize(saved);
    a.dma.serialize(saved);
    a.floppy.serialize(saved);
    Archive load = Archive::loader(saved.bytes());
    b.scheduler.serialize(load);
    b.dma.serialize(load);
    b.floppy.serialize(load);
    REQUIRE(load.ok());
    b.pass(millisecond);
    CHECK(b.lines.level[6]);
    CHECK(b.memory(512) == b.sectors(0, 1));
}
