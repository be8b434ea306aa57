// The guest's text screen as control sequences for a terminal (ECMA-48; 16 colours as in aixterm): only what changed.
#pragma once

#include <string>
#include <string_view>

#include "devices/picture.hpp"

namespace vellum {

struct TerminalSize {
    u32 columns = 80, rows = 25;
    bool operator==(const TerminalSize&) const = default;
};

class TerminalPainter {
 public:
    // The bytes to send so that the terminal shows `screen`, with `status` on the line below it (or on the last line
    // when the terminal is too low; then the part around the cursor is shown).
    std::string paint(const TextScreen& screen, std::string_view status, TerminalSize size);
    // The same with one line of text in place of a screen.
    std::string paint_message(std::string_view message, std::string_view status, TerminalSize size);
    // The terminal's contents are not known any more: the next painting is complete.
    void forget() { known_ = false; }

 private:
    void start_over(TerminalSize size);
    void paint_row(std::string& out, const TextScreen& screen, u32 source_row, u32 row);
    void paint_status(std::string& out, std::string_view status, u32 row);

    bool known_ = false;
    TerminalSize size_;
    std::vector<u32> shown_;  // a cell of the terminal each: attribute << 8 | character, or `unknown`
    std::string shown_status_, shown_message_;
    u32 shown_status_row_ = 0;
    u32 shown_columns_ = 0, shown_rows_ = 0;
    u32 color_ = ~0u;  // the attribute that the terminal's colours are set to
};

// Appends a character of code page 437 as UTF-8.
void append_cp437(std::string& out, u8 character);

}  // namespace vellum
