// Painting by difference.
#include "frontend/terminal_painter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace vellum {

namespace {

// Code page 437 in Unicode, graphic characters in the places of control codes too.
constexpr std::array<u16, 256> code_page_437 = {
    0x0020, 0x263A, 0x263B, 0x2665, 0x2666, 0x2663, 0x2660, 0x2022, 0x25D8, 0x25CB, 0x25D9, 0x2642, 0x2640, 0x266A,
    0x266B, 0x263C, 0x25BA, 0x25C4, 0x2195, 0x203C, 0x00B6, 0x00A7, 0x25AC, 0x21A8, 0x2191, 0x2193, 0x2192, 0x2190,
    0x221F, 0x2194, 0x25B2, 0x25BC, 0x0020, 0x0021, 0x0022, 0x0023, 0x0024, 0x0025, 0x0026, 0x0027, 0x0028, 0x0029,
    0x002A, 0x002B, 0x002C, 0x002D, 0x002E, 0x002F, 0x0030, 0x0031, 0x0032, 0x0033, 0x0034, 0x0035, 0x0036, 0x0037,
    0x0038, 0x0039, 0x003A, 0x003B, 0x003C, 0x003D, 0x003E, 0x003F, 0x0040, 0x0041, 0x0042, 0x0043, 0x0044, 0x0045,
    0x0046, 0x0047, 0x0048, 0x0049, 0x004A, 0x004B, 0x004C, 0x004D, 0x004E, 0x004F, 0x0050, 0x0051, 0x0052, 0x0053,
    0x0054, 0x0055, 0x0056, 0x0057, 0x0058, 0x0059, 0x005A, 0x005B, 0x005C, 0x005D, 0x005E, 0x005F, 0x0060, 0x0061,
    0x0062, 0x0063, 0x0064, 0x0065, 0x0066, 0x0067, 0x0068, 0x0069, 0x006A, 0x006B, 0x006C, 0x006D, 0x006E, 0x006F,
    0x0070, 0x0071, 0x0072, 0x0073, 0x0074, 0x0075, 0x0076, 0x0077, 0x0078, 0x0079, 0x007A, 0x007B, 0x007C, 0x007D,
    0x007E, 0x2302, 0x00C7, 0x00FC, 0x00E9, 0x00E2, 0x00E4, 0x00E0, 0x00E5, 0x00E7, 0x00EA, 0x00EB, 0x00E8, 0x00EF,
    0x00EE, 0x00EC, 0x00C4, 0x00C5, 0x00C9, 0x00E6, 0x00C6, 0x00F4, 0x00F6, 0x00F2, 0x00FB, 0x00F9, 0x00FF, 0x00D6,
    0x00DC, 0x00A2, 0x00A3, 0x00A5, 0x20A7, 0x0192, 0x00E1, 0x00ED, 0x00F3, 0x00FA, 0x00F1, 0x00D1, 0x00AA, 0x00BA,
    0x00BF, 0x2310, 0x00AC, 0x00BD, 0x00BC, 0x00A1, 0x00AB, 0x00BB, 0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561,
    0x2562, 0x2556, 0x2555, 0x2563, 0x2551, 0x2557, 0x255D, 0x255C, 0x255B, 0x2510, 0x2514, 0x2534, 0x252C, 0x251C,
    0x2500, 0x253C, 0x255E, 0x255F, 0x255A, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256C, 0x2567, 0x2568, 0x2564,
    0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256B, 0x256A, 0x2518, 0x250C, 0x2588, 0x2584, 0x258C, 0x2590, 0x2580,
    0x03B1, 0x00DF, 0x0393, 0x03C0, 0x03A3, 0x03C3, 0x00B5, 0x03C4, 0x03A6, 0x0398, 0x03A9, 0x03B4, 0x221E, 0x03C6,
    0x03B5, 0x2229, 0x2261, 0x00B1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00F7, 0x2248, 0x00B0, 0x2219, 0x00B7, 0x221A,
    0x207F, 0x00B2, 0x25A0, 0x0020};

constexpr u32 unknown = ~0u;
// The VGA counts blue, green, red; terminals count red, green, blue.
constexpr std::array<u8, 8> terminal_color = {0, 4, 2, 6, 1, 5, 3, 7};
constexpr std::string_view status_colors = "\x1B[0;7m";

void move_to(std::string& out, u32 row, u32 column) {
    fmt::format_to(std::back_inserter(out), "\x1B[{};{}H", row + 1, column + 1);
}

void set_colors(std::string& out, u8 attribute) {
    const u32 front = attribute & 15, back = attribute >> 4;
    fmt::format_to(std::back_inserter(out), "\x1B[0;{};{}m", (front & 8 ? 90 : 30) + terminal_color[front & 7],
                   (back & 8 ? 100 : 40) + terminal_color[back & 7]);
}

// Cuts UTF-8 text to a number of columns, one per character.
std::string_view first_columns(std::string_view text, u32 columns) {
    std::size_t at = 0;
    const auto continues = [&] { return at < text.size() && (static_cast<u8>(text[at]) & 0xC0) == 0x80; };
    for (; columns > 0 && at < text.size(); --columns) {
        ++at;
        while (continues()) ++at;
    }
    return text.substr(0, at);
}

}  // namespace

void append_cp437(std::string& out, u8 character) {
    const u16 code = code_page_437[character];
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xC0 | code >> 6);
        out += static_cast<char>(0x80 | (code & 0x3F));
    } else {
        out += static_cast<char>(0xE0 | code >> 12);
        out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
        out += static_cast<char>(0x80 | (code & 0x3F));
    }
}

void TerminalPainter::start_over(TerminalSize size) {
    known_ = true;
    size_ = size;
    shown_.assign(std::size_t{size.columns} * size.rows, unknown);
    shown_status_.clear();
    shown_message_.clear();
    shown_columns_ = shown_rows_ = 0;
    color_ = ~0u;
}

void TerminalPainter::paint_row(std::string& out, const TextScreen& screen, u32 source_row, u32 row) {
    const u32 columns = std::min(screen.columns, size_.columns);
    u32 next_column = ~0u;  // where the terminal's cursor is in this row
    for (u32 column = 0; column < columns; ++column) {
        const u16 cell = screen.cells[std::size_t{source_row} * screen.columns + column];
        u32& shown = shown_[std::size_t{row} * size_.columns + column];
        if (shown == cell) continue;
        shown = cell;
        if (next_column != column) move_to(out, row, column);
        next_column = column + 1;
        if (color_ != cell >> 8u) {
            color_ = cell >> 8u;
            set_colors(out, static_cast<u8>(color_));
        }
        append_cp437(out, static_cast<u8>(cell));
    }
}

void TerminalPainter::paint_status(std::string& out, std::string_view status, u32 row) {
    if (status == shown_status_ && row == shown_status_row_) return;
    shown_status_ = status;
    shown_status_row_ = row;
    move_to(out, row, 0);
    out += status_colors;
    out += first_columns(status, size_.columns);
    out += "\x1B[0m\x1B[K";
    color_ = ~0u;
}

std::string TerminalPainter::paint(const TextScreen& screen, std::string_view status, TerminalSize size) {
    std::string out;
    if (size.columns == 0 || size.rows == 0) return out;
    const bool whole = !known_ || size != size_ || !shown_message_.empty() || screen.columns != shown_columns_ ||
                       screen.rows != shown_rows_;
    if (whole) {
        start_over(size);
        out += "\x1B[0m\x1B[2J";
    }
    shown_columns_ = screen.columns;
    shown_rows_ = screen.rows;
    const u32 visible = std::min(screen.rows, size.rows - 1);
    // In a low terminal the rows up to the cursor's are the ones to see.
    const u32 first =
        screen.cursor_row < visible ? 0 : std::min(screen.cursor_row - visible + 1, screen.rows - visible);
    for (u32 row = 0; row < visible; ++row) paint_row(out, screen, first + row, row);
    paint_status(out, status, visible);
    const bool cursor =
        screen.cursor_visible && screen.cursor_row - first < visible && screen.cursor_column < size.columns;
    if (cursor) move_to(out, screen.cursor_row - first, screen.cursor_column);
    out += cursor ? "\x1B[?25h" : "\x1B[?25l";
    return out;
}

std::string TerminalPainter::paint_message(std::string_view message, std::string_view status, TerminalSize size) {
    std::string out;
    if (size.columns == 0 || size.rows == 0) return out;
    if (!known_ || size != size_ || message != shown_message_) {
        start_over(size);
        shown_message_ = message;
        out += "\x1B[0m\x1B[2J\x1B[?25l";
        move_to(out, 0, 0);
        out += first_columns(message, size.columns);
    }
    paint_status(out, status, size.rows - 1);
    return out;
}

}  // namespace vellum
