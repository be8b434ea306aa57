// The floppy controller with its drives.
#include "devices/floppy.hpp"

#include <catch2/catch.hpp>

#include <tuple>

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
    void start(const Bytes& bytes) {
        for (u8 byte : bytes) out8(0x3F5, byte);
        pass(millisecond);
    }
    // Sends a command, waits, and takes its result.
    Bytes command(const Bytes& bytes) {
        start(bytes);
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

std::optional<FloppyGeometry> geometry_of(u32 size) {
    Bytes bytes(size);
    MemoryDisk image{bytes};
    return floppy_geometry(image);
}

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
    struct {
        u32 kilobytes;
        u8 cylinders, heads, sectors, rate, drive_type;
    } const disks[] = {
        {160, 40, 1, 8, 2, 1},   {180, 40, 1, 9, 2, 1},   {320, 40, 2, 8, 2, 1},   {360, 40, 2, 9, 2, 1},
        {720, 80, 2, 9, 2, 4},   {800, 80, 2, 10, 2, 4},  {820, 82, 2, 10, 2, 4},  {1200, 80, 2, 15, 0, 2},
        {1440, 80, 2, 18, 0, 4}, {1476, 82, 2, 18, 0, 4}, {1494, 83, 2, 18, 0, 4}, {1600, 80, 2, 20, 0, 5},
        {1680, 80, 2, 21, 0, 5}, {1722, 82, 2, 21, 0, 5}, {1743, 83, 2, 21, 0, 5}, {1760, 80, 2, 22, 0, 5},
        {1840, 80, 2, 23, 0, 5}, {1920, 80, 2, 24, 0, 5}, {2880, 80, 2, 36, 3, 5}, {3840, 80, 2, 48, 3, 5},
    };
    for (const auto& d : disks) {
        CAPTURE(d.kilobytes);
        FloppyGeometry g = *geometry_of(d.kilobytes * 1024);
        CHECK(std::tie(g.cylinders, g.heads, g.sectors) == std::tie(d.cylinders, d.heads, d.sectors));
        CHECK(std::tie(g.rate, g.drive_type) == std::tie(d.rate, d.drive_type));
    }
    FloppyBoard b;
    CHECK(b.floppy.cmos_types() == 0x40);
}

TEST_CASE("floppy: an image of an odd size is the beginning of the disk that its boot sector names, or of a usual one",
          "[devices][floppy]") {
    CHECK(geometry_of(1)->sectors == 18);
    CHECK(geometry_of(512)->sectors == 18);
    CHECK(geometry_of(1440 * 1024 - 700)->sectors == 18);
    CHECK(geometry_of(1440 * 1024 + 1)->sectors == 36);
    CHECK_FALSE(geometry_of(4 << 20).has_value());
    Bytes fat(100'000);
    auto word = [&fat](u32 at, u32 value) {
        fat[at] = static_cast<u8>(value);
        fat[at + 1] = static_cast<u8>(value >> 8);
    };
    word(0x0B, 512);
    word(0x13, 720);
    word(0x18, 9);
    word(0x1A, 2);
    MemoryDisk truncated{fat};
    CHECK(floppy_geometry(truncated)->bytes() == 360 * 1024);
    word(0x18, 8);  // contradicts itself
    CHECK(floppy_geometry(truncated)->bytes() == 1440 * 1024);
}

TEST_CASE("floppy: a short image reads zeros where it ends", "[devices][floppy]") {
    FloppyBoard b;
    Bytes boot(512, 0x99);
    b.floppy.change_medium(0, std::make_unique<MemoryDisk>(boot));
    b.read(0x46, 0, 0, 1, 18, 1024);
    CHECK(b.ram.bytes[buffer + 511] == 0x99);
    CHECK(b.ram.bytes[buffer + 512] == 0);
}

TEST_CASE("floppy: an image that ends within a sector keeps what fits and refuses the rest", "[devices][floppy]") {
    FloppyBoard b;
    Bytes odd(700, 0x99);
    b.floppy.change_medium(0, std::make_unique<MemoryDisk>(odd));
    b.read(0x46, 0, 0, 1, 18, 1024);
    CHECK(b.ram.bytes[buffer + 699] == 0x99);
    CHECK(b.ram.bytes[buffer + 700] == 0);
    b.ram.bytes[buffer + 512] = 0x11;
    CHECK((b.write(0x45, 0, 0, 1, 18, 1024)[0] & 0xC0) == 0);
    CHECK(odd[512] == 0x11);
    b.ram.bytes[buffer + 700] = 0x11;
    Bytes refused = b.write(0x45, 0, 0, 1, 18, 1024);
    CHECK(Bytes(refused.begin(), refused.begin() + 3) == Bytes{0x40, 0x20, 0x20});
    CHECK(odd.size() == 700);
}

TEST_CASE("floppy: without DMA a sector is read byte by byte, and ends at the end of its track", "[devices][floppy]") {
    FloppyBoard b;
    b.command({0x03, 0xDF, 0x03});
    b.start({0x46, 0, 0, 0, 1, 2, 1, 0x1B, 0xFF});
    Bytes read;
    while (b.in8(0x3F4) == 0xF0) {
        CHECK(b.lines.level[6]);
        read.push_back(b.in8(0x3F5));
    }
    CHECK(read == b.sectors(0, 1));
    CHECK(b.lines.rises[6] >= 512);
    Bytes result;
    while (b.in8(0x3F4) == 0xD0) result.push_back(b.in8(0x3F5));
    CHECK(result == Bytes{0x40, 0x80, 0, 1, 0, 1, 2});
    CHECK_FALSE(b.lines.level[6]);
    CHECK(b.in8(0x3F4) == 0x80);
}

TEST_CASE("floppy: without DMA the FIFO's threshold says how many bytes an interrupt stands for", "[devices][floppy]") {
    FloppyBoard b;
    b.command({0x03, 0xDF, 0x03});
    b.command({0x13, 0, 0x0F, 0});
    u32 before = b.lines.rises[6];
    b.start({0x46, 0, 0, 0, 1, 2, 1, 0x1B, 0xFF});
    while (b.in8(0x3F4) == 0xF0) b.in8(0x3F5);
    CHECK(b.lines.rises[6] - before == 512 / 16 + 1);  // and one for the result
}

TEST_CASE("floppy: without DMA sectors are written, over both heads, and formatted", "[devices][floppy]") {
    FloppyBoard b;
    b.command({0x03, 0xDF, 0x03});
    b.start({0xC5, 0, 0, 0, 18, 2, 18, 0x1B, 0xFF});
    u32 taken = 0;
    for (; b.in8(0x3F4) == 0xB0; ++taken) b.out8(0x3F5, 0xEE);
    CHECK(taken == 19 * 512);
    while (b.in8(0x3F4) == 0xD0) b.in8(0x3F5);
    CHECK(b.sectors(17, 19) == Bytes(19 * 512, 0xEE));
    b.start({0x4D, 0, 2, 2, 0x54, 0xF6});
    for (u8 byte : {0, 0, 1, 2, 0, 0, 2, 2}) b.out8(0x3F5, byte);
    CHECK((b.in8(0x3F5) & 0xC0) == 0);
    CHECK(b.sectors(0, 2) == Bytes(2 * 512, 0xF6));
}

TEST_CASE("floppy: a disk taken out during a transfer without DMA ends it with an error", "[devices][floppy]") {
    FloppyBoard b;
    b.command({0x03, 0xDF, 0x03});
    b.start({0x46, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF});
    b.floppy.change_medium(0, nullptr);
    u32 given = 0;
    for (; b.in8(0x3F4) == 0xF0; ++given) b.in8(0x3F5);
    CHECK(given == 512);
    CHECK(b.in8(0x3F4) == 0xD0);
    CHECK((b.in8(0x3F5) & 0xC0) == 0x40);
}

TEST_CASE("floppy: saved between two bytes of a transfer without DMA, it goes on", "[devices][floppy]") {
    FloppyBoard a, b;
    a.command({0x03, 0xDF, 0x03});
    a.start({0x46, 0, 0, 0, 1, 2, 1, 0x1B, 0xFF});
    for (u32 i = 0; i < 100; ++i) a.in8(0x3F5);
    Archive saved = Archive::saver();
    a.scheduler.serialize(saved);
    a.floppy.serialize(saved);
    Archive load = Archive::loader(saved.bytes());
    b.scheduler.serialize(load);
    b.floppy.serialize(load);
    REQUIRE(load.ok());
    Bytes rest;
    while (b.in8(0x3F4) == 0xF0) rest.push_back(b.in8(0x3F5));
    Bytes sector = b.sectors(0, 1);
    CHECK(rest == Bytes(sector.begin() + 100, sector.end()));
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
