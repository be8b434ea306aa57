// The patterns of roms/screens.S as functions from place to colour.
#include "machine/screens_expected.hpp"

#include <algorithm>
#include <array>

#include "base/host_error.hpp"

namespace vellum {

namespace {

// The PC's sixteen colours: dark yellow is brown.
constexpr std::array<u32, 16> pc_colors = {0x000000, 0x0000AA, 0x00AA00, 0x00AAAA, 0xAA0000, 0xAA00AA,
                                           0xAA5500, 0xAAAAAA, 0x555555, 0x5555FF, 0x55FF55, 0x55FFFF,
                                           0xFF5555, 0xFF55FF, 0xFFFF55, 0xFFFFFF};

template <typename Color>
Picture draw_each(u32 width, u32 height, Color color) {
    Picture picture{width, height, {}};
    picture.pixels.reserve(std::size_t{width} * height);
    for (u32 y = 0; y < height; ++y)
        for (u32 x = 0; x < width; ++x) picture.pixels.push_back(color(x, y));
    return picture;
}

bool bit_of_byte(u32 byte, u32 x) { return byte >> (7 - x % 8) & 1; }  // the highest bit is the leftmost pixel

// --- mode 12h, by the bands of 120 rows

u32 write_mode_0(u32 x, u32 y) {
    u32 bar = x / 40;
    if (y >= 100) return (bar & 5) | (bit_of_byte(0x3C, x) ? 10 : 0);
    return y >= 40 && y < 80 && x % 8 >= 4 ? 15 - bar : bar;
}

u32 write_mode_2(u32 x, u32 y) {
    u32 sum = (x / 8 + y) % 16;
    return y >= 180 && x % 2 == 1 ? sum ^ 9 : sum;
}

u32 write_mode_1(u32 x, u32 y) { return write_mode_0((79 - x / 8) * 8 + x % 8, y - 240); }

u32 write_mode_3(u32 x, u32 y) {
    u32 rotated = (0x1F1F >> y % 8) & 0xFF;
    if (y >= 420 && bit_of_byte(rotated & 0x7E, x)) return y % 16;
    u32 plane_2 = x / 8 % 2, plane_3 = y / 4 % 2;
    return u32{bit_of_byte(0xF0, x)} | u32{bit_of_byte(0xCC, x)} << 1 | plane_2 << 2 | plane_3 << 3;
}

// Six bits become eight so that 0 stays 0 and 63 becomes 255: the highest bits follow again.
u32 widened(u32 six_bits) { return six_bits << 2 | six_bits >> 4; }

}  // namespace

std::span<const u8> find_font(std::span<const u8> vga_bios) {
    // Characters 0 and 1: an empty cell, and the face.
    constexpr std::array<u8, 32> beginning = {0,    0,    0,    0,    0,    0,    0, 0,    0,    0,    0,
                                              0,    0,    0,    0,    0,    0,    0, 0x7E, 0x81, 0xA5, 0x81,
                                              0x81, 0xBD, 0x99, 0x81, 0x81, 0x7E, 0, 0,    0,    0};
    constexpr std::size_t font_bytes = 256 * 16;
    auto at = std::search(vga_bios.begin(), vga_bios.end(), beginning.begin(), beginning.end());
    auto offset = static_cast<std::size_t>(at - vga_bios.begin());
    if (offset + font_bytes > vga_bios.size()) throw HostError("the VGA BIOS has no 8x16 font that starts as usual");
    return vga_bios.subspan(offset, font_bytes);
}

Picture expected_text(std::span<const u8> font, bool cursor_shown) {
    return draw_each(720, 400, [&](u32 x, u32 y) {
        u32 column = x / 9, row = y / 16, dot = x % 9;
        u32 foreground = pc_colors[column % 16], background = pc_colors[row % 16];
        if (cursor_shown && row == 12 && column == 40) return foreground;
        u32 character = (row * 80 + column) % 256;
        u32 line = font[character * 16 + y % 16];
        if (dot == 8) {  // only box-drawing characters reach into the ninth dot
            bool reaches = character >= 0xC0 && character <= 0xDF;
            return reaches && line & 1 ? foreground : background;
        }
        return bit_of_byte(line, dot) ? foreground : background;
    });
}

Picture expected_mode12h() {
    constexpr std::array bands = {write_mode_0, write_mode_2, write_mode_1, write_mode_3};
    return draw_each(640, 480, [&](u32 x, u32 y) { return pc_colors[bands[y / 120](x, y)]; });
}

Picture expected_mode13h() {
    return draw_each(640, 400, [](u32 raster_x, u32 raster_y) {
        u32 x = raster_x / 2, y = raster_y / 2;
        u32 color = (y < 100 ? x + y : x ^ y) % 256;
        return widened(color / 4) << 16 | widened((255 - color) / 4) << 8 | widened(color * 5 % 64);
    });
}

Picture expected_vbe() {
    return draw_each(1024, 768, [](u32 x, u32 y) -> u32 {
        if (x == 0 || y == 0 || x == 1023 || y == 767 || x == y) return 0xFFFFFF;
        return (x % 256) << 16 | (y % 256) << 8 | (x ^ y) % 256;
    });
}

}  // namespace vellum
