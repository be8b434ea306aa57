// The memory window: write and read modes, chains, windows.
#include <catch2/catch.hpp>
#include <cstring>

#include "vga_bench.hpp"

using namespace vellum;

namespace {

constexpr u32 window = 0xA0000;

// The four planes' bytes at a plane address, plane 0 lowest.
u32 planes(const VgaBench& b, u32 address) {
    u32 word;
    std::memcpy(&word, &b.vram[address * 4], 4);
    return word;
}

struct PlanarBench : VgaBench {
    PlanarBench() { planar_mode(8, 8); }
};

}  // namespace

TEST_CASE("vga: write mode 0 writes the byte to the planes of the map mask") {
    PlanarBench b;
    b.sequencer(2, 0x05);
    b.poke(window + 3, 0xA5);
    REQUIRE(planes(b, 3) == 0x00A500A5);
}

TEST_CASE("vga: write mode 0 rotates, sets planes by set/reset and keeps latched bits outside of the mask") {
    PlanarBench b;
    b.poke(window, 0x0F);
    b.peek(window);
    b.graphics(0, 0x02);  // set/reset: plane 1 ones
    b.graphics(1, 0x06);  // planes 1 and 2 take it
    b.graphics(3, 0x01);  // rotate by 1
    b.graphics(8, 0xF0);
    b.poke(window, 0x81);  // rotated: C0
    REQUIRE(planes(b, 0) == 0xCF0FFFCF);
}

TEST_CASE("vga: the data rotate register combines with the latches") {
    const auto [function, result] = GENERATE(table<int, u32>({{0, 0x3C}, {1, 0x0C}, {2, 0x3F}, {3, 0x33}}));
    PlanarBench b;
    b.sequencer(2, 0x01);
    b.poke(window, 0x0F);
    b.peek(window);
    b.graphics(3, static_cast<u8>(function << 3));
    b.poke(window, 0x3C);
    REQUIRE(planes(b, 0) == result);
}

TEST_CASE("vga: write mode 1 copies the latches") {
    PlanarBench b;
    const u32 pattern = 0x44332211;
    std::memcpy(&b.vram[5 * 4], &pattern, 4);
    b.peek(window + 5);
    b.graphics(5, 0x01);
    b.graphics(8, 0x00);
    b.poke(window + 9, 0xEE);
    REQUIRE(planes(b, 9) == pattern);
}

TEST_CASE("vga: write mode 2 expands a colour under the bit mask") {
    PlanarBench b;
    b.graphics(5, 0x02);
    b.graphics(8, 0x18);
    b.peek(window);
    b.poke(window, 0x0A);
    REQUIRE(planes(b, 0) == 0x18001800);
}

TEST_CASE("vga: write mode 3 writes set/reset where the byte and the bit mask have ones") {
    PlanarBench b;
    b.graphics(5, 0x03);
    b.graphics(0, 0x09);
    b.graphics(8, 0x3F);
    b.peek(window);
    b.poke(window, 0xF8);
    REQUIRE(planes(b, 0) == 0x38000038);
}

TEST_CASE("vga: read mode 0 reads the selected plane") {
    const u8 plane = GENERATE(as<u8>{}, 0, 1, 2, 3);
    PlanarBench b;
    const u32 pattern = 0x44332211;
    std::memcpy(&b.vram[0], &pattern, 4);
    b.graphics(4, plane);
    REQUIRE(b.peek(window) == 0x11 * (plane + 1));
}

TEST_CASE("vga: read mode 1 compares colours, leaving out planes that are not cared for") {
    PlanarBench b;
    const u32 pattern = 0x000F0FF0;  // dots 0-3: colour 1, dots 4-7: colour 6
    std::memcpy(&b.vram[0], &pattern, 4);
    b.graphics(5, 0x08);
    b.graphics(2, 0x06);
    REQUIRE(b.peek(window) == 0x0F);
    b.graphics(2, 0x01);
    REQUIRE(b.peek(window) == 0xF0);
    b.graphics(7, 0x08);  // only plane 3, clear everywhere
    REQUIRE(b.peek(window) == 0xFF);
}

TEST_CASE("vga: odd/even puts characters into plane 0 and attributes into plane 1") {
    VgaBench b;
    b.text_mode(80, 25);
    b.mmio.write(0xB8000 + 6, 4, 0x1E421F41);
    REQUIRE(planes(b, 3) == 0x1F41);
    REQUIRE(planes(b, 4) == 0x1E42);
    REQUIRE(b.mmio.read(0xB8000 + 6, 4) == 0x1E421F41);
}

TEST_CASE("vga: odd/even with write logic goes to the same places as without") {
    VgaBench b;
    b.text_mode(80, 25);
    b.graphics(3, 0x10);  // OR with the latches
    b.peek(0xB8000);
    b.poke(0xB8000, 0x41);
    b.poke(0xB8001, 0x1F);
    REQUIRE(planes(b, 0) == 0x1F41);
}

TEST_CASE("vga: chain-4 memory is linear and can be mapped") {
    VgaBench b;
    b.mode_13h(80, 8);
    b.mmio.write(window + 0x1235, 4, 0x44332211);
    REQUIRE(b.vram[0x1235] == 0x11);
    REQUIRE(b.vram[0x1238] == 0x44);
    REQUIRE(b.mmio.read(window + 0x1235, 4) == 0x44332211);
    REQUIRE(b.vga.linear_legacy_window() == 0u);
}

TEST_CASE("vga: chain-4 with a masked plane is not plain memory and still goes to the same places") {
    VgaBench b;
    b.mode_13h(80, 8);
    const u64 mappings = b.vga.mapping_counter();
    b.sequencer(2, 0x0B);
    REQUIRE_FALSE(b.vga.linear_legacy_window());
    REQUIRE(b.vga.mapping_counter() == mappings + 1);
    b.mmio.write(window, 4, 0x44332211);
    REQUIRE(planes(b, 0) == 0x44002211);
}

TEST_CASE("vga: planar and text modes are not plain memory") {
    VgaBench b;
    b.text_mode(80, 25);
    REQUIRE_FALSE(b.vga.linear_legacy_window());
    b.planar_mode(8, 8);
    REQUIRE_FALSE(b.vga.linear_legacy_window());
}

TEST_CASE("vga: the window lies where the miscellaneous graphics register says") {
    PlanarBench b;
    b.graphics(6, 0x0D);  // B8000h, 32 KiB
    b.poke(0xA0000, 0x11);
    REQUIRE(planes(b, 0) == 0);
    b.poke(0xB8000, 0x22);
    REQUIRE(planes(b, 0) == 0x22222222);
    REQUIRE(b.peek(0xA0000) == 0xFF);
    b.graphics(6, 0x09);  // B0000h
    REQUIRE(b.peek(0xB0000) == 0x22);
    REQUIRE(b.peek(0xB8000) == 0xFF);
}

TEST_CASE("vga: memory switched off by the miscellaneous output register does not answer") {
    PlanarBench b;
    b.poke(window, 0x55);
    b.out(0x3C2, 0x61);
    b.poke(window, 0xAA);
    REQUIRE(b.peek(window) == 0xFF);
    REQUIRE(planes(b, 0) == 0x55555555);
}

TEST_CASE("vga: DISPI banks move the 64 KiB window over the screen memory") {
    VgaBench b;
    b.dispi_mode(1024, 768, 32);
    b.dispi(5, 3);
    b.mmio.write(window + 0x10, 4, 0x12345678);
    REQUIRE(b.vram[0x30010] == 0x78);
    REQUIRE(b.vga.linear_legacy_window() == 0x30000u);
    b.dispi(5, 0xFFFF);  // no such bank: the old one stays
    REQUIRE(b.dispi(5) == 3);
}

TEST_CASE("vga: any register values and any address stay within the screen memory") {
    VgaBench b;
    u32 seed = 0x1234567;
    const auto random = [&seed] { return seed = seed * 1664525 + 1013904223, seed >> 8; };
    for (u32 round = 0; round < 2000; ++round) {
        for (u8 i = 0; i < 9; ++i) b.graphics(i, static_cast<u8>(random()));
        for (u8 i = 0; i < 5; ++i) b.sequencer(i, static_cast<u8>(random()));
        b.out(0x3C2, static_cast<u8>(random() | 3));
        for (u32 i = 0; i < 3; ++i) b.dispi(static_cast<u16>(random() % 11), static_cast<u16>(random()));
        for (u32 i = 0; i < 8; ++i) {
            const u32 address = 0xA0000 + random() % 0x20000;
            b.mmio.write(address, 4, random());
            b.mmio.read(address, 4);
        }
        for (u32 address : {0xA0000u, 0xAFFFCu, 0xBFFFCu}) b.mmio.write(address, 4, b.mmio.read(address, 4));
    }
    REQUIRE(b.vram.size() == VgaBench::memory_size);
}
