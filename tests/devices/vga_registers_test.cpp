// Ports of the VGA: indexes, flip-flop, colour table, status.
#include <catch2/catch.hpp>

#include "vga_bench.hpp"

using namespace vellum;

TEST_CASE("vga: one 16-bit write sets index and data") {
    VgaBench b;
    b.ports.write(0x3CE, 2, 0x5A08);
    REQUIRE(b.in(0x3CE) == 0x08);
    REQUIRE(b.in(0x3CF) == 0x5A);
}

TEST_CASE("vga: the attribute port takes index and data in turn, and reading 3DAh starts over") {
    VgaBench b;
    b.in(0x3DA);
    b.out(0x3C0, 0x12);
    b.out(0x3C0, 0x0B);
    REQUIRE(b.vga.registers().attribute[Attribute::ColorPlaneEnable] == 0x0B);
    b.out(0x3C0, 0x11);
    b.in(0x3DA);
    b.out(0x3C0, 0x32);
    REQUIRE(b.in(0x3C0) == 0x32);
    REQUIRE(b.in(0x3C1) == 0x0B);
    REQUIRE(b.vga.registers().attribute[Attribute::Overscan] == 0);
}

TEST_CASE("vga: a colour is taken when its third component is written, and the index goes on") {
    VgaBench b;
    b.out(0x3C8, 7);
    b.out(0x3C9, 1);
    b.out(0x3C9, 2);
    REQUIRE(b.vga.registers().dac.colors[7 * 3] == 0);
    b.out(0x3C9, 3);
    REQUIRE(b.vga.registers().dac.colors[7 * 3] == 1);
    REQUIRE(b.vga.registers().dac.colors[7 * 3 + 2] == 3);
    REQUIRE(b.in(0x3C8) == 8);
    REQUIRE(b.in(0x3C7) == 0);
}

TEST_CASE("vga: colours are read back by component") {
    VgaBench b;
    b.color(255, 10, 20, 30);
    b.color(0, 1, 2, 3);
    b.out(0x3C7, 255);
    REQUIRE(b.in(0x3C7) == 3);
    REQUIRE(b.in(0x3C9) == 10);
    REQUIRE(b.in(0x3C9) == 20);
    REQUIRE(b.in(0x3C9) == 30);
    REQUIRE(b.in(0x3C9) == 1);
}

TEST_CASE("vga: the colour table has one address, and reading leaves it at the colour behind the latch") {
    VgaBench b;
    b.color(7, 1, 2, 3);
    b.color(9, 7, 8, 9);
    b.out(0x3C7, 7);
    REQUIRE(b.in(0x3C8) == 8);
    for (u8 part : {0x0B, 0x0C, 0x0D}) b.out(0x3C9, part);
    REQUIRE(b.vga.registers().dac.colors[8 * 3] == 0x0B);
    REQUIRE(b.vga.registers().dac.colors[7 * 3] == 1);
    REQUIRE(b.in(0x3C8) == 9);
    b.out(0x3C7, 7);
    for (u8 part : {1, 2, 3, 0x0B, 0x0C, 0x0D, 7}) REQUIRE(b.in(0x3C9) == part);
    REQUIRE(b.in(0x3C8) == 10);
}

TEST_CASE("vga: a colour's components have six bits, and eight when the DISPI registers say so") {
    VgaBench b;
    b.color(9, 0x7F, 0x40, 0x3F);
    b.out(0x3C7, 9);
    for (u8 part : {0x3F, 0x00, 0x3F}) REQUIRE(b.in(0x3C9) == part);
    b.dispi_mode(8, 2, 8, 0x20);
    b.color(9, 0x7F, 0x40, 0x3F);
    b.out(0x3C7, 9);
    for (u8 part : {0x7F, 0x40, 0x3F}) REQUIRE(b.in(0x3C9) == part);
}

TEST_CASE("vga: bit 7 of CRTC register 11h protects registers 0 to 7 but for the line compare bit") {
    VgaBench b;
    b.out(0x3C2, 0x01);
    b.crtc(0x11, 0x80);
    b.crtc(0x01, 0x55);
    b.crtc(0x07, 0xFF);
    b.crtc(0x08, 0x11);
    REQUIRE(b.vga.registers().crtc[Crtc::HorizontalDisplayEnd] == 0);
    REQUIRE(b.vga.registers().crtc[Crtc::Overflow] == 0x10);
    REQUIRE(b.vga.registers().crtc[Crtc::PresetRowScan] == 0x11);
}

TEST_CASE("vga: the CRTC answers at 3B4h or 3D4h as the miscellaneous output register says") {
    VgaBench b;
    b.out(0x3C2, 0x01);
    b.crtc(0x0E, 0x12);
    REQUIRE(b.in(0x3B5) == 0xFF);
    b.out(0x3C2, 0x00);
    REQUIRE(b.in(0x3B5) == 0x12);
    REQUIRE(b.in(0x3D5) == 0xFF);
}

TEST_CASE("vga: registers that do not exist swallow writes and read as zero") {
    VgaBench b;
    b.sequencer(0xFF, 0xAA);
    REQUIRE(b.in(0x3C5) == 0);
    b.graphics(9, 0xAA);
    REQUIRE(b.in(0x3CF) == 0);
    b.crtc(25, 0xAA);
    REQUIRE(b.in(0x3D5) == 0);
    b.attribute(0x1F, 0xAA);
    b.in(0x3DA);
    b.out(0x3C0, 0x1F);
    REQUIRE(b.in(0x3C1) == 0);
}

TEST_CASE("vga: vertical retrace comes once in a frame and lasts as many lines as programmed") {
    VgaBench b;
    b.text_mode(80, 100);
    b.crtc(0x00, 95);    // 100 characters of 8 dots
    b.crtc(0x06, 0xBF);  // 449 lines
    b.crtc(0x07, 0x1F);
    b.crtc(0x10, 0x9C);  // retrace from line 412 to 413
    b.crtc(0x11, 0x0E);
    const u64 line = 800 * second / 25'175'000;
    const auto status_at = [&](u64 at_line) { return b.vga.registers().input_status_1(at_line * line + line / 2); };
    REQUIRE((status_at(0) & 0x09) == 0);
    REQUIRE((status_at(399) & 0x09) == 0);
    REQUIRE((status_at(400) & 0x09) == 0x01);
    REQUIRE((status_at(411) & 0x09) == 0x01);
    REQUIRE((status_at(412) & 0x09) == 0x09);
    REQUIRE((status_at(413) & 0x09) == 0x09);
    REQUIRE((status_at(414) & 0x09) == 0x01);
    REQUIRE((status_at(449) & 0x09) == 0);
}

TEST_CASE("vga: whatever the timing registers say, retrace begins and ends within 25 ms") {
    const u8 value = GENERATE(as<u8>{}, 0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF);
    VgaBench b;
    b.out(0x3C2, 0x01);
    for (u8 i = 0; i < 25; ++i) b.crtc(i, i == 0x11 ? value & 0x7F : value);
    bool seen = false, ended = false;
    for (Nanoseconds t = 0; t < 25 * millisecond; t += 3 * microsecond) {
        const bool retrace = b.vga.registers().input_status_1(t) & 0x08;
        ended |= seen && !retrace;
        seen |= retrace;
    }
    REQUIRE(seen);
    REQUIRE(ended);
}

TEST_CASE("vga: state saved and loaded is the same state") {
    VgaBench a, b;
    a.text_mode(4, 2);
    a.poke(0xB8000, 'A');
    a.dispi_mode(640, 480, 32, 0x80);
    Archive saved = Archive::saver();
    a.vga.serialize(saved);
    Archive load = Archive::loader(saved.bytes());
    b.vga.serialize(load);
    REQUIRE(load.ok());
    REQUIRE(b.vram == a.vram);
    REQUIRE(b.picture().pixels == a.picture().pixels);
    REQUIRE(b.vga.linear_legacy_window() == a.vga.linear_legacy_window());
}

TEST_CASE("vga: reset brings back the state of power-on") {
    VgaBench b;
    b.text_mode(4, 2);
    b.dispi_mode(640, 480, 32);
    b.vga.reset();
    VgaBench fresh;
    Archive one = Archive::saver(), two = Archive::saver();
    b.vga.serialize(one);
    fresh.vga.serialize(two);
    REQUIRE(one.bytes() == two.bytes());
}
