// What all modes share: which kind of mode it is, colours, the count of scan lines; and the DISPI modes.
#include "devices/vga_draw.hpp"

#include <algorithm>
#include <cstring>

namespace vellum {

namespace vga_drawing {

std::array<u32, 256> dac_palette(const VgaRegisters& registers) {
    const bool wide = registers.vbe.dac_8_bit();
    const auto widen = [wide](u8 value) -> u32 { return wide ? value : (value & 0x3F) << 2 | (value & 0x3F) >> 4; };
    std::array<u32, 256> palette{};
    for (u32 i = 0; i < 256; ++i) {
        const u8* color = &registers.dac.colors[(i & registers.dac.mask) * 3];
        palette[i] = widen(color[0]) << 16 | widen(color[1]) << 8 | widen(color[2]);
    }
    return palette;
}

std::array<u32, 16> attribute_palette(const VgaRegisters& registers) {
    const auto dac = dac_palette(registers);
    const auto& attribute = registers.attribute;
    const u8 select = attribute[Attribute::ColorSelect];
    std::array<u32, 16> palette{};
    for (u32 i = 0; i < 16; ++i) {
        const u8 entry = attribute.values[i & attribute[Attribute::ColorPlaneEnable] & 15] & 0x3F;
        // Bit 7 of the mode control register takes colour bits 5 and 4 from the colour select register too.
        const u32 low = attribute[Attribute::ModeControl] & 0x80 ? (entry & 0x0F) | (select & 3) << 4 : entry;
        palette[i] = dac[low | (select & 0x0C) << 4];
    }
    return palette;
}

LineCounter::LineCounter(const VgaRegisters& registers) {
    const auto& crtc = registers.crtc;
    const u8 maximum = crtc[Crtc::MaximumScanLine];
    row_height_ = (maximum & 0x1Fu) + 1;
    doubled_ = maximum & 0x80;
    row_step_ = crtc[Crtc::Offset] * 2u;
    split_line_ = registers.line_compare();
    row_scan_ = std::min<u32>(crtc[Crtc::PresetRowScan] & 0x1F, row_height_ - 1);
    address_ = (crtc[Crtc::StartAddressHigh] << 8 | crtc[Crtc::StartAddressLow]) + (crtc[Crtc::PresetRowScan] >> 5 & 3);
    panning_ = registers.attribute[Attribute::PixelPanning] & 15;
    split_pans_ = !(registers.attribute[Attribute::ModeControl] & 0x20);
}

void LineCounter::next() {
    if (line_++ == split_line_) {
        address_ = row_scan_ = 0;
        second_of_pair_ = false;
        if (!split_pans_) panning_ = 0;
        return;
    }
    if (doubled_ && (second_of_pair_ = !second_of_pair_)) return;
    if (++row_scan_ < row_height_) return;
    row_scan_ = 0;
    address_ = (address_ + row_step_) & plane_mask;
}

namespace {

u32 from_555(u32 p) {
    const u32 r = p >> 10 & 31, g = p >> 5 & 31, b = p & 31;
    return (r << 3 | r >> 2) << 16 | (g << 3 | g >> 2) << 8 | (b << 3 | b >> 2);
}

u32 from_565(u32 p) {
    const u32 r = p >> 11 & 31, g = p >> 5 & 63, b = p & 31;
    return (r << 3 | r >> 2) << 16 | (g << 2 | g >> 4) << 8 | (b << 3 | b >> 2);
}

u32 little_endian_16(const u8* p) { return p[0] | p[1] << 8; }

// One line of packed pixels, `Bytes` each.
template <u32 Bytes, typename Convert>
void convert_line(const u8* from, u32* to, u32 count, Convert convert) {
    for (u32 x = 0; x < count; ++x) to[x] = convert(from + x * Bytes);
}

void packed_line(const Vbe& vbe, const std::array<u32, 256>& palette, const u8* from, u32* to) {
    const u32 count = vbe.width();
    switch (vbe.bits_per_pixel()) {
        case 15: convert_line<2>(from, to, count, [](const u8* p) { return from_555(little_endian_16(p)); }); break;
        case 16: convert_line<2>(from, to, count, [](const u8* p) { return from_565(little_endian_16(p)); }); break;
        case 24:
            convert_line<3>(from, to, count, [](const u8* p) { return u32(p[0] | p[1] << 8 | p[2] << 16); });
            break;
        case 32:
            std::memcpy(to, from, count * 4);
            for (u32 x = 0; x < count; ++x) to[x] &= 0x00FFFFFF;
            break;
        default: convert_line<1>(from, to, count, [&](const u8* p) { return palette[*p]; }); break;
    }
}

void planar_line(const std::array<u32, 16>& palette, const u8* words, u32 first, u32* to, u32 count) {
    for (u32 x = 0; x < count; ++x) {
        const u8* word = words + (first + x) / 8 * 4;
        const u32 bit = 7 - (first + x) % 8;
        u32 color = 0;
        for (u32 plane = 0; plane < 4; ++plane) color |= (word[plane] >> bit & 1u) << plane;
        to[x] = palette[color];
    }
}

// The size of a legacy mode's raster is not known before a BIOS has programmed the CRTC.
bool programmed(const VgaRegisters& registers) { return registers.crtc[Crtc::HorizontalTotal] != 0; }

void fill(Picture& out, u32 width, u32 height) {
    out.width = width;
    out.height = height;
    out.pixels.assign(std::size_t{width} * height, 0);
}

}  // namespace

void draw_dispi(const VgaView& view, Picture& out) {
    const Vbe& vbe = view.registers.vbe;
    out.width = vbe.width();
    out.height = vbe.height();
    out.pixels.resize(std::size_t{out.width} * out.height);
    const bool planar = vbe.bits_per_pixel() == 4;
    const auto colors = dac_palette(view.registers);
    const auto sixteen = attribute_palette(view.registers);
    for (u32 y = 0; y < out.height; ++y) {
        u32* to = &out.pixels[std::size_t{y} * out.width];
        const std::size_t line = std::size_t{vbe.offset_y() + y} * vbe.pitch();
        const std::size_t start = planar ? line * 4 : line + vbe.offset_x() * vbe.bytes_per_pixel();
        const std::size_t bytes =
            planar ? (vbe.offset_x() + out.width + 7) / 8 * 4 : std::size_t{out.width} * vbe.bytes_per_pixel();
        if (start + bytes > view.vram.size())
            std::fill_n(to, out.width, 0);
        else if (planar)
            planar_line(sixteen, &view.vram[start], vbe.offset_x(), to, out.width);
        else
            packed_line(vbe, colors, &view.vram[start], to);
    }
}

}  // namespace vga_drawing

void draw(const VgaView& view, Picture& out) {
    using namespace vga_drawing;
    const auto& registers = view.registers;
    if (registers.vbe.enabled()) {
        if (registers.screen_on()) return draw_dispi(view, out);
        return fill(out, registers.vbe.width(), registers.vbe.height());
    }
    if (!programmed(registers)) return fill(out, 720, 400);
    if (registers.graphics_mode())
        draw_graphics(view, out);
    else
        draw_text(view, out);
    if (!registers.screen_on()) fill(out, out.width, out.height);
}

}  // namespace vellum
