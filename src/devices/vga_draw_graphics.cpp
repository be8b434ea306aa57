// Graphics modes behind the CRTC: 16 colours from planes, CGA's packed 2 bits, 256 colours
// (IBM VGA Technical Reference, "All Points Addressable Modes").
#include <algorithm>

#include "devices/vga_draw.hpp"

namespace vellum {

namespace {

using namespace vga_drawing;

constexpr u32 most_pixels = 257 * 8;

enum class Shift : u8 { Planar, Interleaved, Packed256 };  // how the shift registers make pixels of four bytes

struct GraphicsMode {
    explicit GraphicsMode(const VgaRegisters& r) {
        const u8 mode = r.graphics[Graphics::Mode];
        shift = mode & 0x40 ? Shift::Packed256 : mode & 0x20 ? Shift::Interleaved : Shift::Planar;
        characters = r.characters();
        pixels_per_character = shift == Shift::Packed256 ? 4 : 8;
        const u32 dot_scale = r.sequencer[Sequencer::ClockingMode] & 0x08 ? 2 : 1;
        scale = dot_scale * 8 / pixels_per_character;
        const u8 control = r.crtc[Crtc::ModeControl];
        // Bits 0 and 1 clear: lines of a row lie 8 or 16 KiB apart, as on a CGA or Hercules. Our plane addresses leave
        // out the bit that word mode adds (vga_memory.hpp), so the place of that bit is one lower then.
        const u32 byte_mode = control >> 6 & 1;
        bank_13 = control & 1 ? 0 : 0x1000u << byte_mode;
        bank_14 = control & 2 ? 0 : 0x2000u << byte_mode;
    }

    u32 source(const LineCounter& counter) const {
        u32 address = counter.address() & plane_mask;
        if (bank_13) address = counter.row_scan() & 1 ? address | bank_13 : address & ~bank_13;
        if (bank_14) address = counter.row_scan() & 2 ? address | bank_14 : address & ~bank_14;
        return address;
    }

    Shift shift;
    u32 characters, pixels_per_character, scale;
    u32 bank_13, bank_14;
};

void planar_pixels(const u8* word, const std::array<u32, 16>& palette, u32* to) {
    for (u32 i = 0; i < 8; ++i) {
        const u32 bit = 7 - i;
        to[i] = palette[(word[0] >> bit & 1) | (word[1] >> bit & 1) << 1 | (word[2] >> bit & 1) << 2 |
                        (word[3] >> bit & 1) << 3];
    }
}

// Planes 0 and 1 give the low two bits of four pixels each, planes 2 and 3 the high two.
void interleaved_pixels(const u8* word, const std::array<u32, 16>& palette, u32* to) {
    for (u32 i = 0; i < 8; ++i) {
        const u32 plane = i / 4, bits = 6 - i % 4 * 2;
        to[i] = palette[(word[plane] >> bits & 3) | (word[plane + 2] >> bits & 3) << 2];
    }
}

// The attribute controller sees 256 colours as two nibbles. The low one still goes through its palette, as measured on
// adapters of several makers; a BIOS loads that with 0 to 15, so that only programs that change it notice.
std::array<u32, 256> packed_palette(const VgaRegisters& registers) {
    const auto dac = dac_palette(registers);
    const auto& attribute = registers.attribute;
    std::array<u32, 256> palette{};
    for (u32 i = 0; i < 256; ++i)
        palette[i] = dac[(i & 0xF0) | (attribute.values[i & attribute[Attribute::ColorPlaneEnable] & 15] & 0x0F)];
    return palette;
}

struct Colors {
    std::array<u32, 16> sixteen;
    std::array<u32, 256> all;
};

void draw_line(const GraphicsMode& mode, std::span<const u8> vram, const Colors& colors, u32 address, u32* to) {
    for (u32 i = 0; i <= mode.characters; ++i, to += mode.pixels_per_character) {
        const u8* word = &vram[((address + i) & plane_mask) * 4];
        switch (mode.shift) {
            case Shift::Planar: planar_pixels(word, colors.sixteen, to); break;
            case Shift::Interleaved: interleaved_pixels(word, colors.sixteen, to); break;
            case Shift::Packed256:
                for (u32 pixel = 0; pixel < 4; ++pixel) to[pixel] = colors.all[word[pixel]];
                break;
        }
    }
}

}  // namespace

void vga_drawing::draw_graphics(const VgaView& view, Picture& out) {
    const GraphicsMode mode{view.registers};
    const Colors colors{attribute_palette(view.registers), packed_palette(view.registers)};
    const u32 pixels = mode.characters * mode.pixels_per_character;
    out.width = pixels * mode.scale;
    out.height = view.registers.lines();
    out.pixels.resize(std::size_t{out.width} * out.height);

    std::array<u32, most_pixels> line;
    LineCounter counter{view.registers};
    u32 drawn = ~0u, drawn_panning = ~0u;
    for (u32 y = 0; y < out.height; ++y, counter.next()) {
        u32* to = &out.pixels[std::size_t{y} * out.width];
        const u32 source = mode.source(counter);
        if (source == drawn && counter.panning() == drawn_panning) {
            std::copy_n(to - out.width, out.width, to);
            continue;
        }
        drawn = source;
        drawn_panning = counter.panning();
        draw_line(mode, view.vram, colors, source, line.data());
        const u32 panned = mode.shift == Shift::Packed256 ? drawn_panning >> 1 & 3 : drawn_panning & 7;
        const u32* from = line.data() + panned;
        for (u32 pixel = 0; pixel < pixels; ++pixel)
            for (u32 i = 0; i < mode.scale; ++i) *to++ = from[pixel];
    }
}

}  // namespace vellum
