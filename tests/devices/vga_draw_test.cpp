// Pictures of small hand-made states.
#include <catch2/catch.hpp>

#include "devices/vga_screen.hpp"
#include "vga_bench.hpp"

using namespace vellum;

namespace {

u32 pixel(const Picture& p, u32 x, u32 y) { return p.pixels[y * p.width + x]; }

// A line as text, a character per dot: '.' for `background`, '#' for `foreground`, '?' for anything else.
std::string dots(const Picture& p, u32 y, u32 background, u32 foreground) {
    std::string text;
    for (u32 x = 0; x < p.width; ++x) {
        const u32 c = pixel(p, x, y);
        text += c == background ? '.' : c == foreground ? '#' : '?';
    }
    return text;
}

struct TextBench : VgaBench {
    TextBench() {
        text_mode(2, 2);
        glyph(0, 'A', {0x81, 0x42, 0x24, 0x18});
        glyph(0, 0xC4, {0x00, 0xFF, 0x00, 0x00});
    }
    void cell(u32 n, u8 character, u8 color) { mmio.write(0xB8000 + 2 * n, 2, character | color << 8); }
    Picture picture_at_frame(u64 frame) {
        Picture p;
        draw({vga.registers(), vga.memory(), frame * second / 60 + millisecond}, p);
        return p;
    }
};

}  // namespace

TEST_CASE("vga text: glyphs are drawn in the cell's colours") {
    TextBench b;
    b.cell(1, 'A', 0x2E);
    const Picture p = b.picture();
    REQUIRE(p.width == 16);
    REQUIRE(p.height == 8);
    const u32 back = VgaBench::red(2), front = VgaBench::red(14);
    REQUIRE(dots(p, 0, back, front).substr(8) == "#......#");
    REQUIRE(dots(p, 3, back, front).substr(8) == "...##...");
    REQUIRE(pixel(p, 0, 0) == 0);
}

TEST_CASE("vga text: the ninth dot repeats the eighth for line drawing characters only") {
    TextBench b;
    b.sequencer(1, 0x00);
    b.attribute(0x10, 0x04);
    b.attribute(0x13, 8);  // no panning, with nine dots
    b.cell(0, 0xC4, 0x07);
    b.cell(1, 'A', 0x07);
    const Picture p = b.picture();
    REQUIRE(p.width == 18);
    REQUIRE(dots(p, 1, 0, VgaBench::red(7)) == "#########.#....#..");
    REQUIRE(dots(p, 0, 0, VgaBench::red(7)) == ".........#......#.");
}

TEST_CASE("vga text: attribute bit 3 selects the second font") {
    TextBench b;
    b.sequencer(3, 0x04);  // font A (bit 3 set) is the second, at 4000h; font B the first
    b.glyph(0x4000, 'A', {0xF0, 0, 0, 0});
    b.cell(0, 'A', 0x07);
    b.cell(1, 'A', 0x0F);
    const Picture p = b.picture();
    REQUIRE(dots(p, 0, 0, VgaBench::red(7)).substr(0, 8) == "#......#");
    REQUIRE(dots(p, 0, 0, VgaBench::red(15)).substr(8) == "####....");
}

TEST_CASE("vga text: bit 7 of the attribute blinks or brightens the background") {
    TextBench b;
    b.cell(0, 'A', 0xA7);
    REQUIRE(pixel(b.picture_at_frame(0), 1, 0) == VgaBench::red(10));
    b.attribute(0x10, 0x08);
    REQUIRE(pixel(b.picture_at_frame(0), 1, 0) == VgaBench::red(2));
    REQUIRE(pixel(b.picture_at_frame(0), 0, 0) == VgaBench::red(7));
    REQUIRE(pixel(b.picture_at_frame(16), 0, 0) == VgaBench::red(2));
    REQUIRE(pixel(b.picture_at_frame(32), 0, 0) == VgaBench::red(7));
}

TEST_CASE("vga text: the cursor covers its scan lines and blinks") {
    TextBench b;
    for (u32 i = 0; i < 4; ++i) b.cell(i, ' ', 0x07);
    b.crtc(0x0A, 1);
    b.crtc(0x0B, 2);
    b.crtc(0x0F, 3);
    const u32 front = VgaBench::red(7);
    const Picture p = b.picture_at_frame(0);
    REQUIRE(dots(p, 4, 0, front) == "................");
    REQUIRE(dots(p, 5, 0, front) == "........########");
    REQUIRE(dots(p, 6, 0, front) == "........########");
    REQUIRE(dots(p, 7, 0, front) == "................");
    REQUIRE(dots(b.picture_at_frame(8), 5, 0, front) == "................");
    b.crtc(0x0A, 0x21);
    REQUIRE(dots(b.picture_at_frame(0), 5, 0, front) == "................");
}

TEST_CASE("vga text: attribute 1 is underlined at the underline row") {
    TextBench b;
    b.crtc(0x14, 2);
    b.cell(0, ' ', 0x01);
    const Picture p = b.picture();
    REQUIRE(dots(p, 2, 0, VgaBench::red(1)).substr(0, 8) == "########");
    REQUIRE(dots(p, 1, 0, VgaBench::red(1)).substr(0, 8) == "........");
}

TEST_CASE("vga text: the start address, preset row and panning move the picture") {
    TextBench b;
    b.cell(3, 'A', 0x07);
    const u32 front = VgaBench::red(7);
    b.crtc(0x0D, 3);
    REQUIRE(dots(b.picture(), 0, 0, front) == "#......#........");
    b.crtc(0x08, 1);
    REQUIRE(dots(b.picture(), 0, 0, front) == ".#....#.........");
    b.attribute(0x13, 1);
    REQUIRE(dots(b.picture(), 0, 0, front) == "#....#..........");
    b.crtc(0x0D, 1);
    b.crtc(0x08, 0x20);  // byte panning by one
    REQUIRE(dots(b.picture(), 0, 0, front) == ".......#......#.");
}

TEST_CASE("vga text: below the line compare the picture starts at address 0") {
    TextBench b;
    b.cell(0, 'A', 0x07);
    b.crtc(0x0D, 8);
    b.crtc(0x18, 2);
    b.crtc(0x07, 0x00);
    b.crtc(0x09, 0x03);
    const Picture p = b.picture();
    REQUIRE(dots(p, 2, 0, VgaBench::red(7)) == "................");
    REQUIRE(dots(p, 3, 0, VgaBench::red(7)) == "#......#........");
    REQUIRE(dots(p, 6, 0, VgaBench::red(7)) == "...##...........");
}

TEST_CASE("vga text: a halved dot clock doubles the dots") {
    TextBench b;
    b.sequencer(1, 0x09);
    b.cell(0, 'A', 0x07);
    const Picture p = b.picture();
    REQUIRE(p.width == 32);
    REQUIRE(dots(p, 0, 0, VgaBench::red(7)).substr(0, 16) == "##............##");
}

TEST_CASE("vga text: the characters and the cursor can be read as text") {
    TextBench b;
    b.cell(2, 'h', 0x1F);
    b.cell(3, 'i', 0x2E);
    b.crtc(0x0A, 0);
    b.crtc(0x0F, 3);
    TextScreen s;
    REQUIRE(text_screen({b.vga.registers(), b.vga.memory()}, s));
    REQUIRE(s.columns == 2);
    REQUIRE(s.rows == 2);
    REQUIRE(s.cells[2] == 0x1F68);
    REQUIRE(s.cells[3] == 0x2E69);
    REQUIRE(s.cursor_visible);
    REQUIRE(s.cursor_column == 1);
    REQUIRE(s.cursor_row == 1);
    b.planar_mode(2, 8);
    REQUIRE_FALSE(text_screen({b.vga.registers(), b.vga.memory()}, s));
}

TEST_CASE("vga graphics: 16 colours come from four planes through the palette") {
    VgaBench b;
    b.planar_mode(2, 2);
    b.sequencer(2, 0x05);
    b.poke(0xA0000, 0x80);
    b.sequencer(2, 0x08);
    b.poke(0xA0003, 0x01);
    b.attribute(5, 33);
    const Picture p = b.picture();
    REQUIRE(p.width == 16);
    REQUIRE(p.height == 2);
    REQUIRE(pixel(p, 0, 0) == VgaBench::red(33));
    REQUIRE(pixel(p, 1, 0) == 0);
    REQUIRE(pixel(p, 15, 1) == VgaBench::red(8));
}

TEST_CASE("vga graphics: mode 13h shows each byte as two dots on two lines") {
    VgaBench b;
    b.mode_13h(2, 4);
    b.poke(0xA0001, 40);
    b.poke(0xA0008, 50);
    const Picture p = b.picture();
    REQUIRE(p.width == 16);
    REQUIRE(p.height == 4);
    for (u32 y : {0, 1})
        for (u32 x : {2, 3}) REQUIRE(pixel(p, x, y) == VgaBench::red(40));
    REQUIRE(pixel(p, 4, 0) == 0);
    REQUIRE(pixel(p, 0, 2) == VgaBench::red(50));
}

TEST_CASE("vga graphics: the low nibble of 256 colours goes through the attribute palette") {
    VgaBench b;
    b.mode_13h(2, 4);
    b.attribute(1, 5);
    b.poke(0xA0000, 0x01);
    b.poke(0xA0001, 0x21);
    b.poke(0xA0002, 0x22);
    const Picture p = b.picture();
    REQUIRE(pixel(p, 0, 0) == VgaBench::red(0x05));
    REQUIRE(pixel(p, 2, 0) == VgaBench::red(0x25));
    REQUIRE(pixel(p, 4, 0) == VgaBench::red(0x22));
}

TEST_CASE("vga graphics: mode X writes each plane's pixels by the map mask and pages by the start address") {
    VgaBench b;
    b.mode_13h(2, 4);
    b.sequencer(4, 0x06);
    b.crtc(0x14, 0x00);
    b.crtc(0x17, 0xE3);
    b.sequencer(2, 0x04);
    b.poke(0xA0004, 21);
    b.crtc(0x0D, 4);
    const Picture p = b.picture();
    REQUIRE(pixel(p, 4, 0) == VgaBench::red(21));
    REQUIRE(pixel(p, 5, 1) == VgaBench::red(21));
    REQUIRE(pixel(p, 6, 0) == 0);
}

TEST_CASE("vga graphics: CGA's four colours are two bits each, odd lines 8 KiB apart") {
    VgaBench b;
    b.raster(2, 8, 0x81, 1);  // two lines in a row, each shown twice
    b.crtc(0x17, 0xA2);
    b.sequencer(1, 0x09);
    b.sequencer(2, 0x03);
    b.sequencer(4, 0x02);
    b.graphics(5, 0x30);
    b.graphics(6, 0x0F);
    b.graphics(8, 0xFF);
    b.attribute(0x10, 0x01);
    b.poke(0xB8000, 0x1B);           // colours 0 1 2 3
    b.poke(0xB8000 + 1, 0xC0);       // the next four pixels: 3 0 0 0
    b.poke(0xB8000 + 0x2000, 0x80);  // the second line
    b.poke(0xB8000 + 4, 0x40);       // the third
    const Picture p = b.picture();
    REQUIRE(p.width == 32);
    for (u32 i : {0, 1, 2, 3}) REQUIRE(pixel(p, 2 * i + 1, 1) == VgaBench::red(i));
    REQUIRE(pixel(p, 8, 0) == VgaBench::red(3));
    REQUIRE(pixel(p, 0, 2) == VgaBench::red(2));
    REQUIRE(pixel(p, 0, 3) == VgaBench::red(2));
    REQUIRE(pixel(p, 0, 4) == VgaBench::red(1));
}

TEST_CASE("vga graphics: mode 6 shows plane 0, odd lines 8 KiB apart") {
    VgaBench b;
    b.planar_mode(2, 4);
    b.crtc(0x09, 0xC1);
    b.crtc(0x17, 0xC2);
    b.crtc(0x13, 1);
    b.graphics(6, 0x0D);
    b.attribute(0x12, 0x01);
    b.poke(0xB8000 + 1, 0x01);
    b.poke(0xB8000 + 0x2000, 0x80);
    const Picture p = b.picture();
    REQUIRE(dots(p, 0, 0, VgaBench::red(1)) == "...............#");
    REQUIRE(dots(p, 1, 0, VgaBench::red(1)) == "...............#");
    REQUIRE(dots(p, 2, 0, VgaBench::red(1)) == "#...............");
}

TEST_CASE("vga graphics: the DAC mask and the colour select register choose the colours") {
    VgaBench b;
    b.planar_mode(1, 1);
    b.poke(0xA0000, 0xFF);
    b.attribute(0x10, 0x81);
    b.attribute(0x14, 0x02);
    REQUIRE(pixel(b.picture(), 0, 0) == VgaBench::red(0x2F));
    b.out(0x3C6, 0x0E);
    REQUIRE(pixel(b.picture(), 0, 0) == VgaBench::red(0x0E));
}

TEST_CASE("vga: a screen switched off or disconnected from the palette is black") {
    VgaBench b;
    b.planar_mode(1, 1);
    b.poke(0xA0000, 0xFF);
    b.sequencer(1, 0x21);
    REQUIRE(pixel(b.picture(), 0, 0) == 0);
    b.sequencer(1, 0x01);
    REQUIRE(pixel(b.picture(), 0, 0) != 0);
    b.in(0x3DA);
    b.out(0x3C0, 0x00);
    REQUIRE(pixel(b.picture(), 0, 0) == 0);
}

TEST_CASE("vga dispi: every depth shows its colours") {
    VgaBench b;
    const auto shown = [&](u16 bits, std::vector<u8> bytes) {
        b.dispi_mode(8, 2, bits);
        std::copy(bytes.begin(), bytes.end(), b.vram.begin());
        return pixel(b.picture(), 0, 0);
    };
    b.palette();
    REQUIRE(shown(4, {0x80, 0x00, 0x80, 0x00}) == VgaBench::red(5));
    REQUIRE(shown(8, {42}) == VgaBench::red(42));
    REQUIRE(shown(15, {0x00, 0x7C}) == 0xFF0000);
    REQUIRE(shown(16, {0xE0, 0x07}) == 0x00FF00);
    REQUIRE(shown(24, {0x11, 0x22, 0x33}) == 0x332211);
    REQUIRE(shown(32, {0x11, 0x22, 0x33, 0xFF}) == 0x332211);
}

TEST_CASE("vga dispi: an 8-bit DAC shows components as they are") {
    VgaBench b;
    b.dispi_mode(8, 2, 8, 0x20);
    b.color(1, 0xFF, 0x41, 0x02);
    b.vram[0] = 1;
    REQUIRE(pixel(b.picture(), 0, 0) == 0xFF4102);
}

TEST_CASE("vga dispi: offsets move the visible part over the virtual screen") {
    VgaBench b;
    b.dispi_mode(8, 2, 32);
    b.dispi(6, 16);
    b.vram[(3 * 16 + 5) * 4] = 0x7F;
    b.dispi(8, 4);
    b.dispi(9, 2);
    REQUIRE(pixel(b.picture(), 1, 1) == 0x7F);
}

TEST_CASE("vga: pictures of any register values stay within bounds") {
    VgaBench b;
    u32 seed = 99;
    const auto random = [&seed] { return seed = seed * 1664525 + 1013904223, seed >> 8; };
    const u32 mode = GENERATE(0, 1, 2, 3);
    for (u32 round = 0; round < 12; ++round) {
        b.out(0x3C2, 0x63);
        b.crtc(0x11, 0);
        for (u8 i = 0; i < 25; ++i) b.crtc(i, i == 0x11 ? 0 : static_cast<u8>(round == 0 ? 0xFF : random()));
        for (u8 i = 0; i < 5; ++i) b.sequencer(i, static_cast<u8>(random() & ~0x20));
        for (u8 i = 0; i < 9; ++i) b.graphics(i, static_cast<u8>(random()));
        for (u8 i = 0; i < 21; ++i) b.attribute(i, static_cast<u8>(random()));
        b.graphics(6, static_cast<u8>(mode & 1));
        if (mode & 2)
            for (u16 i = 1; i < 10; ++i) b.dispi(i, static_cast<u16>(i == 4 ? random() | 1 : random()));
        const Picture p = b.picture();
        REQUIRE(p.width <= 4608);
        REQUIRE(p.height <= 1600);
        REQUIRE(p.pixels.size() == std::size_t{p.width} * p.height);
        TextScreen s;
        text_screen({b.vga.registers(), b.vga.memory()}, s);
        REQUIRE(s.cells.size() == std::size_t{s.columns} * s.rows);
    }
}

TEST_CASE("vga screen: only a change gives a new picture") {
    TextBench b;
    VgaScreen screen{b.vga};
    Picture p;
    REQUIRE(screen.update(0, p));
    REQUIRE_FALSE(screen.update(millisecond, p));
    b.cell(0, 'A', 0x07);
    REQUIRE(screen.update(millisecond, p));
    b.cell(0, 'A', 0x07);
    REQUIRE_FALSE(screen.update(millisecond, p));
    REQUIRE(pixel(p, 0, 0) == VgaBench::red(7));
}

TEST_CASE("vga screen: bytes written straight into a linear framebuffer are seen") {
    VgaBench b;
    b.dispi_mode(8, 2, 32);
    VgaScreen screen{b.vga};
    Picture p;
    REQUIRE(screen.update(0, p));
    REQUIRE_FALSE(screen.update(0, p));
    b.vram[4] = 9;
    REQUIRE(screen.update(0, p));
    REQUIRE(pixel(p, 1, 0) == 9);
}
