// Text modes: characters and attributes in planes 0 and 1, fonts in plane 2
// (IBM VGA Technical Reference, "Alphanumeric Modes").
#include <algorithm>

#include "devices/vga_draw.hpp"

namespace vellum {

namespace {

using namespace vga_drawing;

constexpr u32 most_cells = 257;  // a panned line shows a part of one more than the 256 of the widest mode

// Where the fonts begin in plane 2, by the three select bits (the highest one is apart in the register).
constexpr std::array<u32, 8> font_places = {0x0000, 0x4000, 0x8000, 0xC000, 0x2000, 0x6000, 0xA000, 0xE000};

struct TextMode {
    explicit TextMode(const VgaView& view);

    u32 columns, dots, scale;
    bool blinks, line_graphics;
    bool blink_hidden, cursor_hidden;
    u32 underline_row;
    std::array<u32, 2> fonts;  // by bit 3 of the attribute
    u32 cursor_address, cursor_first, cursor_last;
    bool cursor_enabled;
};

TextMode::TextMode(const VgaView& view) {
    const auto& r = view.registers;
    const u8 clocking = r.sequencer[Sequencer::ClockingMode];
    columns = r.characters();
    dots = clocking & 0x01 ? 8 : 9;
    scale = clocking & 0x08 ? 2 : 1;
    blinks = r.attribute[Attribute::ModeControl] & 0x08;
    line_graphics = r.attribute[Attribute::ModeControl] & 0x04;
    // The cursor changes every 8 frames, characters every 16.
    const u64 frame = VgaRegisters::frame_number(view.now);
    cursor_hidden = frame / 8 & 1;
    blink_hidden = frame / 16 & 1;
    underline_row = r.crtc[Crtc::UnderlineLocation] & 0x1F;
    const u8 select = r.sequencer[Sequencer::CharacterMapSelect];
    fonts = {font_places[(select & 3) | (select >> 4 & 1) << 2],
             font_places[(select >> 2 & 3) | (select >> 5 & 1) << 2]};
    cursor_address = r.crtc[Crtc::CursorLocationHigh] << 8 | r.crtc[Crtc::CursorLocationLow];
    cursor_first = r.crtc[Crtc::CursorStart] & 0x1F;
    cursor_last = r.crtc[Crtc::CursorEnd] & 0x1F;
    cursor_enabled = !(r.crtc[Crtc::CursorStart] & 0x20) && cursor_first <= cursor_last;
}

// A cell with all that does not change from scan line to scan line.
struct Cell {
    u32 foreground, background, glyph;
    bool underlined, repeats_last_dot, cursor;
};

void load_cells(const TextMode& mode, const VgaView& view, const std::array<u32, 16>& palette, u32 address,
                std::array<Cell, most_cells>& cells) {
    for (u32 i = 0; i <= mode.columns; ++i) {
        const u32 at = (address + i) & plane_mask;
        const u8 character = view.vram[at * 4], attribute = view.vram[at * 4 + 1];
        const u32 background = mode.blinks ? attribute >> 4 & 7 : attribute >> 4;
        const bool hidden = mode.blinks && (attribute & 0x80) && mode.blink_hidden;
        Cell& cell = cells[i];
        cell.background = palette[background];
        cell.foreground = hidden ? cell.background : palette[attribute & 15];
        cell.glyph = mode.fonts[attribute >> 3 & 1] + character * 32u;
        cell.underlined = (attribute & 7) == 1;
        cell.repeats_last_dot = mode.line_graphics && character >= 0xC0 && character <= 0xDF;
        cell.cursor = mode.cursor_enabled && !mode.cursor_hidden && at == mode.cursor_address;
        if (cell.cursor) cell.foreground = palette[attribute & 15];
    }
}

void draw_line(const TextMode& mode, std::span<const u8> vram, const std::array<Cell, most_cells>& cells, u32 row_scan,
               u32* to) {
    const bool cursor_row = row_scan >= mode.cursor_first && row_scan <= mode.cursor_last;
    for (u32 i = 0; i <= mode.columns; ++i, to += mode.dots) {
        const Cell& cell = cells[i];
        u32 bits = vram[((cell.glyph + row_scan) & plane_mask) * 4 + 2];
        bits = bits << 1 | (cell.repeats_last_dot ? bits & 1 : 0);
        if ((cell.cursor && cursor_row) || (cell.underlined && row_scan == mode.underline_row)) bits = 0x1FF;
        const u32 difference = cell.foreground ^ cell.background;
        for (u32 dot = 0; dot < mode.dots; ++dot)
            to[dot] = cell.background ^ (difference & (0u - (bits >> (8 - dot) & 1)));
    }
}

// The panning register's meaning: 8 is none with 9 dots, where 0 to 7 move by one more.
u32 panned_dots(const TextMode& mode, u32 panning) {
    if (mode.dots == 8) return panning & 7;
    return panning >= 8 ? 0 : panning + 1;
}

}  // namespace

void vga_drawing::draw_text(const VgaView& view, Picture& out) {
    const TextMode mode{view};
    const auto palette = attribute_palette(view.registers);
    out.width = mode.columns * mode.dots * mode.scale;
    out.height = view.registers.lines();
    out.pixels.resize(std::size_t{out.width} * out.height);

    std::array<Cell, most_cells> cells;
    std::array<u32, most_cells * 9> line;
    LineCounter counter{view.registers};
    u32 loaded = ~0u;
    for (u32 y = 0; y < out.height; ++y, counter.next()) {
        if (counter.address() != loaded) load_cells(mode, view, palette, counter.address(), cells);
        loaded = counter.address();
        draw_line(mode, view.vram, cells, counter.row_scan(), line.data());
        const u32* from = line.data() + panned_dots(mode, counter.panning());
        u32* to = &out.pixels[std::size_t{y} * out.width];
        if (mode.scale == 1)
            std::copy_n(from, out.width, to);
        else
            for (u32 x = 0; x < out.width; ++x) to[x] = from[x / 2];
    }
}

bool text_screen(const VgaView& view, TextScreen& out) {
    const auto& r = view.registers;
    if (r.vbe.enabled() || r.graphics_mode()) return false;
    const bool on = r.screen_on() && r.crtc[Crtc::HorizontalTotal] != 0;
    const TextMode mode{view};
    const u8 maximum = r.crtc[Crtc::MaximumScanLine];
    const u32 row_lines = ((maximum & 0x1F) + 1) << (maximum >> 7);
    out.columns = on ? mode.columns : 80;
    out.rows = on ? std::max(1u, r.lines() / row_lines) : 25;
    out.cells.assign(std::size_t{out.columns} * out.rows, 0x0720);
    out.cursor_visible = false;
    if (!on) return true;

    const u32 start = r.crtc[Crtc::StartAddressHigh] << 8 | r.crtc[Crtc::StartAddressLow];
    for (u32 row = 0; row < out.rows; ++row)
        for (u32 column = 0; column < out.columns; ++column) {
            const u32 at = (start + row * r.crtc[Crtc::Offset] * 2 + column) & plane_mask;
            out.cells[row * out.columns + column] = static_cast<u16>(view.vram[at * 4] | view.vram[at * 4 + 1] << 8);
            if (at != mode.cursor_address || !mode.cursor_enabled) continue;
            out.cursor_visible = true;
            out.cursor_column = column;
            out.cursor_row = row;
        }
    return true;
}

u64 blink_phase(const VgaView& view) {
    if (view.registers.vbe.enabled() || view.registers.graphics_mode() || !view.registers.screen_on()) return 0;
    return VgaRegisters::frame_number(view.now) / 8;
}

}  // namespace vellum
