// The CD drive.
#include <catch2/catch.hpp>

#include "devices/piix3_ide.hpp"
#include "storage_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

constexpr u32 port = 0x170, control = 0x376, bus_master = 0xC008;
using Bytes = std::vector<u8>;

struct CdBoard : Board {
    std::vector<u8> disc = std::vector<u8>(100 * 2048);
    std::vector<u8> other = std::vector<u8>(50 * 2048, 0x5C);
    bool failing = false;
    Piix3Ide ide{ports, IrqLine{lines, 14}, IrqLine{lines, 15}, scheduler, ram, log};
    AtapiCd& cd;

    explicit CdBoard(bool empty = false)
        : cd{ide.attach_cd(1, 0, empty ? nullptr : std::make_unique<MemoryDisk>(disc, &failing))} {
        for (std::size_t i = 0; i < disc.size(); ++i) disc[i] = static_cast<u8>(i / 2048 * 3 + i);
        ide.reset();
        ide.write_config(0x20, 4, 0xC000);
        ide.write_config(0x04, 2, 5);
        out8(port + 6, 0xA0);
    }
    void command(u8 code) {
        out8(port + 7, code);
        pass(20 * microsecond);
    }
    void packet(Bytes bytes, u16 limit = 0xFFFE, bool dma = false) {
        bytes.resize(12);
        out8(port + 1, dma);
        out8(port + 4, limit);
        out8(port + 5, limit >> 8);
        command(0xA0);
        CHECK(in8(port + 2) == 1);
        for (u32 i = 0; i < 6; ++i) out16(port, bytes[2 * i] | bytes[2 * i + 1] << 8);
        pass(20 * microsecond);
    }
    u32 offered() { return in8(port + 4) | in8(port + 5) << 8; }
    // All blocks that are offered.
    Bytes data() {
        Bytes bytes;
        while ((in8(port + 7) & 0x88) == 0x08) {
            CHECK(in8(port + 2) == 2);
            u32 count = offered();
            for (u32 i = 0; i < count; i += 2) {
                u16 word = in16(port);
                bytes.push_back(static_cast<u8>(word));
                if (i + 1 < count) bytes.push_back(word >> 8);
            }
            pass(20 * microsecond);
        }
        return bytes;
    }
    Bytes ask(const Bytes& bytes) {
        packet(bytes);
        return data();
    }
    u32 sense() {
        Bytes s = ask({0x03, 0, 0, 0, 18});
        REQUIRE(s.size() == 18);
        return u32{s[2]} << 16 | s[12] << 8 | s[13];
    }
    Bytes sectors(u32 lba, u32 count) { return {disc.begin() + lba * 2048, disc.begin() + (lba + count) * 2048}; }
};

}  // namespace

TEST_CASE("atapi cd: soft reset and IDENTIFY DEVICE show the packet signature", "[devices][cd]") {
    CdBoard b;
    b.out8(control, 4);
    b.out8(control, 0);
    b.pass(millisecond);
    CHECK(b.in8(port + 4) == 0x14);
    CHECK(b.in8(port + 5) == 0xEB);
    b.out8(port + 4, 0);
    b.command(0xEC);
    CHECK((b.in8(port + 7) & 1) == 1);
    CHECK(b.in8(port + 1) == 4);
    CHECK(b.in8(port + 4) == 0x14);
    b.command(0xA1);
    CHECK(b.in8(port + 7) == 0x58);
    CHECK(b.in16(port) == 0x85C0);
}

TEST_CASE("atapi cd: INQUIRY names a removable CD drive", "[devices][cd]") {
    CdBoard b;
    Bytes answer = b.ask({0x12, 0, 0, 0, 36});
    REQUIRE(answer.size() == 36);
    CHECK(answer[0] == 5);
    CHECK(answer[1] == 0x80);
    CHECK(std::string(answer.begin() + 8, answer.begin() + 14) == "VELLUM");
    CHECK(b.in8(port + 2) == 3);
    CHECK(b.in8(port + 7) == 0x50);
    CHECK(b.ask({0x12, 0, 0, 0, 5}).size() == 5);
}

TEST_CASE("atapi cd: capacity and sectors, in blocks no larger than the host allows", "[devices][cd]") {
    CdBoard b;
    CHECK(b.ask({0x25}) == Bytes{0, 0, 0, 99, 0, 0, 8, 0});
    b.packet({0x28, 0, 0, 0, 0, 7, 0, 0, 3}, 2048);
    CHECK(b.offered() == 2048);
    u32 before = b.lines.rises[15];
    CHECK(b.data() == b.sectors(7, 3));
    CHECK(b.lines.rises[15] == before + 3);  // two more blocks and the end
    CHECK(b.ask({0xA8, 0, 0, 0, 0, 0, 0, 0, 0, 100}) == b.disc);
    CHECK(b.ask({0xBE, 0, 0, 0, 0, 2, 0, 0, 1, 0x10}) == b.sectors(2, 1));
    CHECK(b.ask({0xBE, 0, 0, 0, 0, 2, 0, 0, 1, 0x00}).empty());
}

TEST_CASE("atapi cd: DMA moves sectors through the table", "[devices][cd]") {
    CdBoard b;
    u32 words[] = {0x20000, 0x80000000u | 4096};
    for (u32 i = 0; i < 8; ++i) b.ram.bytes[0x1000 + i] = static_cast<u8>(words[i / 4] >> (8 * (i % 4)));
    b.out32(bus_master + 4, 0x1000);
    b.packet({0x28, 0, 0, 0, 0, 40, 0, 0, 2}, 0, true);
    b.out8(bus_master, 9);
    b.pass(20 * microsecond);
    CHECK(b.in8(bus_master + 2) == 4);
    CHECK(b.in8(port + 7) == 0x50);
    CHECK(Bytes(&b.ram.bytes[0x20000], &b.ram.bytes[0x21000]) == b.sectors(40, 2));
}

TEST_CASE("atapi cd: errors come with sense data, once", "[devices][cd]") {
    CdBoard b;
    b.packet({0x28, 0, 0, 0, 0, 99, 0, 0, 2});
    CHECK((b.in8(port + 7) & 1) == 1);
    CHECK(b.in8(port + 1) == 0x54);
    CHECK(b.sense() == 0x052100);
    CHECK(b.sense() == 0);
    b.packet({0x99});
    CHECK(b.sense() == 0x052000);
    b.failing = true;
    b.packet({0x28, 0, 0, 0, 0, 0, 0, 0, 1});
    CHECK(b.sense() == 0x031100);
}

TEST_CASE("atapi cd: an empty drive is not ready", "[devices][cd]") {
    CdBoard b{true};
    b.packet({0x00});
    CHECK((b.in8(port + 7) & 1) == 1);
    CHECK(b.sense() == 0x023A01);
    b.packet({0x25});
    CHECK(b.sense() == 0x023A01);
}

TEST_CASE("atapi cd: a changed medium is a unit attention and an event", "[devices][cd]") {
    CdBoard b;
    b.packet({0x00});
    CHECK(b.in8(port + 7) == 0x50);
    b.cd.change_medium(std::make_unique<MemoryDisk>(b.other));
    CHECK(b.ask({0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8}) == Bytes{0, 6, 4, 0x10, 2, 2, 0, 0});
    CHECK(b.ask({0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8}) == Bytes{0, 6, 4, 0x10, 0, 2, 0, 0});
    b.packet({0x00});
    CHECK(b.sense() == 0x062800);
    b.packet({0x00});
    CHECK(b.in8(port + 7) == 0x50);
    CHECK(b.ask({0x28, 0, 0, 0, 0, 0, 0, 0, 1}) == Bytes(2048, 0x5C));
    b.cd.change_medium(nullptr);
    b.packet({0x00});
    CHECK(b.sense() == 0x023A01);
}

TEST_CASE("atapi cd: a medium that goes away during a read ends it", "[devices][cd]") {
    CdBoard b;
    b.packet({0x28, 0, 0, 0, 0, 0, 0, 0, 100});
    b.cd.change_medium(nullptr);
    CHECK(b.data().size() < 100 * 2048);
    CHECK((b.in8(port + 7) & 0x88) == 0);
}

TEST_CASE("atapi cd: the guest ejects, unless it has locked the tray", "[devices][cd]") {
    CdBoard b;
    b.packet({0x1E, 0, 0, 0, 1});
    b.packet({0x1B, 0, 0, 0, 2});
    CHECK(b.sense() == 0x055302);
    b.packet({0x1E, 0, 0, 0, 0});
    b.packet({0x1B, 0, 0, 0, 2});
    CHECK(b.in8(port + 7) == 0x50);
    CHECK_FALSE(b.cd.has_medium());
    b.packet({0x00});
    CHECK(b.sense() == 0x023A02);
    b.packet({0x1B, 0, 0, 0, 3});
    CHECK(b.cd.has_medium());
    b.packet({0x00});
    CHECK(b.sense() == 0x062800);
}

TEST_CASE("atapi cd: READ TOC knows one data track and the lead-out", "[devices][cd]") {
    CdBoard b;
    CHECK(b.ask({0x43, 0, 0, 0, 0, 0, 0, 1, 0}) ==
          Bytes{0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xAA, 0, 0, 0, 0, 100});
    CHECK(b.ask({0x43, 2, 0, 0, 0, 0, 0xAA, 1, 0}) == Bytes{0, 10, 1, 1, 0, 0x14, 0xAA, 0, 0, 0, 3, 25});
    CHECK(b.ask({0x43, 0, 1, 0, 0, 0, 0, 1, 0}) == Bytes{0, 10, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0});
    CHECK(b.ask({0x43, 2, 2, 0, 0, 0, 0, 1, 0}).size() == 4 + 4 * 11);
    b.packet({0x43, 0, 0, 0, 0, 0, 5, 1, 0});
    CHECK(b.sense() == 0x052400);
}

TEST_CASE("atapi cd: mode pages, configuration, mechanism and disc information", "[devices][cd]") {
    CdBoard b;
    Bytes page = b.ask({0x5A, 0, 0x2A, 0, 0, 0, 0, 1, 0});
    REQUIRE(page.size() == 30);
    CHECK(page[1] == 28);
    CHECK(page[8] == 0x2A);
    CHECK(b.ask({0x1A, 0, 0x01, 0, 255}).size() == 12);
    CHECK(b.ask({0x1A, 0, 0x3F, 0, 255}).size() == 4 + 8 + 8 + 16 + 22);
    b.packet({0x5A, 0, 0x0F, 0, 0, 0, 0, 1, 0});
    CHECK(b.sense() == 0x052400);
    b.packet({0x5A, 0, 0xEA, 0, 0, 0, 0, 1, 0});
    CHECK(b.sense() == 0x053900);
    Bytes configuration = b.ask({0x46, 0, 0, 0, 0, 0, 0, 1, 0});
    CHECK(configuration[7] == 0x08);
    CHECK(configuration[3] + 4u == configuration.size());
    CHECK(b.ask({0x46, 2, 0, 3, 0, 0, 0, 1, 0}).size() == 16);
    CHECK(b.ask({0xBD, 0, 0, 0, 0, 0, 0, 0, 0, 8}).size() == 8);
    CHECK(b.ask({0x51, 0, 0, 0, 0, 0, 0, 1, 0}).size() == 34);
    CHECK(b.ask({0x51, 0, 0, 0, 0, 0, 0, 0, 0}).empty());
}

TEST_CASE("atapi cd: READ CD gives the parts of a sector that it is asked for", "[devices][cd]") {
    CdBoard b;
    auto read = [&b](u8 main, u8 subchannel = 0) { return b.ask({0xBE, 0, 0, 0, 0, 7, 0, 0, 1, main, subchannel}); };
    Bytes whole = read(0xF8);
    REQUIRE(whole.size() == 2352);
    auto part = [&whole](u32 first, u32 size) { return Bytes(whole.begin() + first, whole.begin() + first + size); };
    CHECK(part(0, 12) == Bytes{0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0});
    CHECK(part(12, 4) == Bytes{0x00, 0x02, 0x07, 0x01});
    CHECK(part(16, 2048) == b.sectors(7, 1));
    CHECK(read(0x10) == part(16, 2048));
    CHECK(read(0x18) == part(16, 2336));
    CHECK(read(0x20) == part(12, 4));
    CHECK(read(0x38) == part(12, 2340));
    CHECK(read(0x78) == part(12, 2340));
    CHECK(read(0x50) == part(16, 2048));
    CHECK(read(0x80) == part(0, 12));
    CHECK(read(0xB0) == part(0, 2064));
    CHECK(read(0x40).empty());
    CHECK(read(0x00).empty());
    CHECK(read(0xFA).size() == 2352 + 294);
    CHECK(read(0xFC).size() == 2352 + 296);
    for (u8 in_pieces : {0x08, 0x28, 0x90, 0xC0, 0xFE, 0x11}) {
        CAPTURE(in_pieces);
        CHECK(read(in_pieces).empty());
        CHECK(b.sense() == 0x052400);
    }
}

TEST_CASE("atapi cd: READ CD gives the subchannels beside or without the sector", "[devices][cd]") {
    CdBoard b;
    Bytes q = b.ask({0xBE, 0, 0, 0, 0, 80, 0, 0, 1, 0, 2});
    REQUIRE(q.size() == 16);
    CHECK(Bytes(q.begin(), q.begin() + 10) == Bytes{0x41, 1, 1, 0x00, 0x01, 0x05, 0, 0x00, 0x03, 0x05});
    Bytes raw = b.ask({0xBE, 0, 0, 0, 0, 80, 0, 0, 1, 0x10, 1});
    REQUIRE(raw.size() == 2048 + 96);
    for (u32 bit = 0; bit < 96; ++bit) CHECK(raw[2048 + bit] == ((q[bit / 8] >> (7 - bit % 8)) & 1) << 6);
    CHECK(b.ask({0xBE, 0, 0, 0, 0, 80, 0, 0, 1, 0x10, 4}).size() == 2048 + 96);
    b.packet({0xBE, 0, 0, 0, 0, 80, 0, 0, 1, 0x10, 3});
    CHECK(b.sense() == 0x052400);
}

TEST_CASE("atapi cd: READ CD reads many whole sectors, by DMA and by minute, second and frame", "[devices][cd]") {
    CdBoard b;
    Bytes many = b.ask({0xBE, 0x08, 0, 0, 0, 0, 0, 0, 70, 0xF8});
    REQUIRE(many.size() == 70 * 2352);
    for (u32 i : {0, 31, 32, 69}) {
        CAPTURE(i);
        Bytes one = b.ask({0xB9, 0, 0, 0, static_cast<u8>(2 + i / 75), static_cast<u8>(i % 75), 0,
                           static_cast<u8>(2 + (i + 1) / 75), static_cast<u8>((i + 1) % 75), 0xF8});
        CHECK(one == Bytes(many.begin() + i * 2352, many.begin() + (i + 1) * 2352));
    }
    b.ram.bytes[0x1000 + 2] = 2;  // a table of one entry: 2352 bytes at 20000h
    b.ram.bytes[0x1000 + 4] = 2352 & 0xFF;
    b.ram.bytes[0x1000 + 5] = 2352 >> 8;
    b.ram.bytes[0x1000 + 7] = 0x80;
    b.out32(bus_master + 4, 0x1000);
    b.packet({0xBE, 0, 0, 0, 0, 5, 0, 0, 1, 0xF8}, 0xFFFE, true);
    b.out8(bus_master, 9);
    b.pass(millisecond);
    CHECK(Bytes(b.ram.bytes.begin() + 0x20000, b.ram.bytes.begin() + 0x20000 + 2352) ==
          Bytes(many.begin() + 5 * 2352, many.begin() + 6 * 2352));
    b.packet({0xBE, 0x04, 0, 0, 0, 0, 0, 0, 1, 0xF8});  // audio
    CHECK(b.sense() == 0x056400);
    b.packet({0xB9, 0, 0, 0, 1, 0, 0, 2, 0, 0xF8});  // before the first block
    CHECK(b.sense() == 0x052400);
}

TEST_CASE("atapi cd: MODE SELECT changes the audio ports and nothing else", "[devices][cd]") {
    CdBoard b;
    auto select = [&b](Bytes list) {
        b.packet({0x55, 0x10, 0, 0, 0, 0, 0, 0, static_cast<u8>(list.size())});
        CHECK(b.in8(port + 2) == 0);
        CHECK(b.offered() == list.size());
        for (u32 i = 0; i < list.size(); i += 2) b.out16(port, list[i] | list[i + 1] << 8);
        b.pass(20 * microsecond);
    };
    Bytes before = b.ask({0x5A, 0, 0x0E, 0, 0, 0, 0, 1, 0});
    REQUIRE(before.size() == 24);
    CHECK(Bytes(before.begin() + 16, before.end()) == Bytes{1, 0xFF, 2, 0xFF, 0, 0, 0, 0});
    select({0, 0, 0, 0, 0, 0, 0, 0, 0x0E, 14, 4, 0, 0, 0, 0, 75, 2, 0x40, 1, 0x20, 0, 0, 0, 0});
    CHECK((b.in8(port + 7) & 1) == 0);
    Bytes after = b.ask({0x5A, 0, 0x0E, 0, 0, 0, 0, 1, 0});
    CHECK(Bytes(after.begin() + 16, after.end()) == Bytes{2, 0x40, 1, 0x20, 0, 0, 0, 0});
    Bytes changeable = b.ask({0x5A, 0, 0x4D, 0, 0, 0, 0, 1, 0});
    CHECK(Bytes(changeable.begin() + 10, changeable.end()) == Bytes(6, 0));
    select({0, 0, 0, 0, 0, 0, 0, 0, 0x0F, 2, 0, 0});
    CHECK(b.sense() == 0x052600);
    select({0, 0, 0, 0, 0, 0, 0, 0, 0x0E, 14, 4, 0});
    CHECK(b.sense() == 0x051A00);
    CHECK(b.ask({0x5A, 0, 0x0E, 0, 0, 0, 0, 1, 0}) == after);
}

TEST_CASE("atapi cd: what drivers of DOS ask for: device parameters, position, header; there is nothing to play",
          "[devices][cd]") {
    CdBoard b;
    Bytes parameters = b.ask({0x5A, 0, 0x0D, 0, 0, 0, 0, 1, 0});
    REQUIRE(parameters.size() == 16);
    CHECK(Bytes(parameters.begin() + 12, parameters.end()) == Bytes{0, 60, 0, 75});
    b.ask({0x28, 0, 0, 0, 0, 9, 0, 0, 1});
    Bytes position = b.ask({0x42, 2, 0x40, 1, 0, 0, 0, 1, 0});
    REQUIRE(position.size() == 16);
    CHECK(position[1] == 0x15);
    CHECK(Bytes(position.begin() + 4, position.end()) == Bytes{1, 0x14, 1, 1, 0, 0, 2, 10, 0, 0, 0, 10});
    CHECK(b.ask({0x42, 0, 0, 0, 0, 0, 0, 1, 0}).size() == 4);
    CHECK(b.ask({0x44, 0, 0, 0, 0, 9, 0, 0, 8}) == Bytes{1, 0, 0, 0, 0, 0, 0, 9});
    b.packet({0x47, 0, 0, 0, 2, 0, 0, 3, 0});
    CHECK(b.sense() == 0x056400);
    b.packet({0x4B});
    CHECK(b.sense() == 0x052C00);
    b.packet({0x4E});
    CHECK(b.sense() == 0);
}

TEST_CASE("atapi cd: saved in the middle of a read, it goes on in another machine", "[devices][cd]") {
    CdBoard a, b;
    a.packet({0x28, 0, 0, 0, 0, 7, 0, 0, 40}, 2048);
    a.in16(port);
    Archive saved = Archive::saver();
    a.ide.serialize(saved);
    Archive load = Archive::loader(saved.bytes());
    b.ide.serialize(load);
    REQUIRE(load.ok());
    for (u32 i = 1; i < 1024; ++i) b.in16(port);
    b.pass(20 * microsecond);
    CHECK(b.data() == b.sectors(8, 39));
}
