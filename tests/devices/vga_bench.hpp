// A VGA on empty buses, and the register values a BIOS would give it for common modes.
#pragma once

#include <vector>

#include "devices/vga.hpp"
#include "devices/vga_draw.hpp"

namespace vellum {

struct VgaBench {
    static constexpr u32 memory_size = 16u << 20;

    Bus ports, mmio;
    Scheduler scheduler;
    Log log;
    std::vector<u8> vram = std::vector<u8>(memory_size);
    Vga vga{ports, mmio, scheduler, vram, log};

    void out(u16 port, u8 value) { ports.write(port, 1, value); }
    u8 in(u16 port) { return static_cast<u8>(ports.read(port, 1)); }
    void sequencer(u8 index, u8 value) { ports.write(0x3C4, 2, index | value << 8); }
    void graphics(u8 index, u8 value) { ports.write(0x3CE, 2, index | value << 8); }
    void crtc(u8 index, u8 value) { ports.write(0x3D4, 2, index | value << 8); }
    void attribute(u8 index, u8 value) {
        in(0x3DA);
        out(0x3C0, index);
        out(0x3C0, value);
        out(0x3C0, 0x20);
    }
    void color(u8 index, u8 red, u8 green, u8 blue) {
        out(0x3C8, index);
        for (u8 part : {red, green, blue}) out(0x3C9, part);
    }
    void dispi(u16 index, u16 value) {
        ports.write(0x1CE, 2, index);
        ports.write(0x1CF, 2, value);
    }
    u16 dispi(u16 index) {
        ports.write(0x1CE, 2, index);
        return static_cast<u16>(ports.read(0x1CF, 2));
    }
    void poke(u32 address, u8 value) { mmio.write(address, 1, value); }
    u8 peek(u32 address) { return static_cast<u8>(mmio.read(address, 1)); }
    Picture picture() {
        Picture p;
        draw({vga.registers(), vga.memory(), scheduler.now()}, p);
        return p;
    }

    // Palette entry n is DAC colour n; DAC colour n (below 64) is (n, 0, 0), shown as n << 2 | n >> 4 in red.
    static u32 red(u32 n) { return (n << 2 | n >> 4) << 16; }
    void palette() {
        for (u8 i = 0; i < 16; ++i) attribute(i, i);
        attribute(0x12, 0x0F);
        for (u8 i = 0; i < 64; ++i) color(i, i, 0, 0);
    }
    void raster(u32 characters, u32 lines, u8 maximum_scan_line, u8 offset) {
        out(0x3C2, 0x63);
        crtc(0x11, 0);
        crtc(0x00, static_cast<u8>(characters + 5));
        crtc(0x01, static_cast<u8>(characters - 1));
        crtc(0x12, static_cast<u8>(lines - 1));
        crtc(0x07, 0x10 | ((lines - 1) >> 8 & 1) << 1 | ((lines - 1) >> 9 & 1) << 6);
        crtc(0x18, 0xFF);
        crtc(0x09, maximum_scan_line | 0x40);
        crtc(0x13, offset);
        crtc(0x17, 0xA3);
        crtc(0x0A, 0x20);
        crtc(0x14, 0x1F);
        palette();
    }
    // Eight dots, characters of four lines.
    void text_mode(u32 columns, u32 rows) {
        raster(columns, rows * 4, 3, static_cast<u8>(columns / 2));
        sequencer(1, 0x01);
        sequencer(2, 0x03);
        sequencer(4, 0x02);
        graphics(5, 0x10);
        graphics(6, 0x0E);
        graphics(8, 0xFF);
        attribute(0x10, 0x00);
    }
    // Font bytes go to plane 2 as a BIOS would write them.
    void glyph(u32 place, u8 character, std::vector<u8> rows) {
        for (u32 i = 0; i < rows.size(); ++i) vram[(place + character * 32 + i) * 4 + 2] = rows[i];
    }
    void planar_mode(u32 characters, u32 lines) {
        raster(characters, lines, 0, static_cast<u8>(characters / 2));
        crtc(0x17, 0xE3);
        sequencer(1, 0x01);
        sequencer(2, 0x0F);
        sequencer(4, 0x06);
        graphics(5, 0x00);
        graphics(6, 0x05);
        graphics(7, 0x0F);
        graphics(8, 0xFF);
        attribute(0x10, 0x01);
    }
    void mode_13h(u32 characters, u32 lines) {
        planar_mode(characters, lines);
        crtc(0x09, 0x41);
        crtc(0x14, 0x40);
        crtc(0x17, 0xA3);
        sequencer(4, 0x0E);
        graphics(5, 0x40);
        attribute(0x10, 0x41);
    }
    void dispi_mode(u16 width, u16 height, u16 bits, u16 flags = 0) {
        attribute(0x10, 0x01);
        dispi(4, 0);
        dispi(1, width);
        dispi(2, height);
        dispi(3, bits);
        dispi(4, 0x41 | flags);
    }
};

}  // namespace vellum
