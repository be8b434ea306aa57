// What a screen shows: pixels for windows and PNG files, characters for terminals.
#pragma once

#include <string>
#include <vector>

#include "base/types.hpp"

namespace vellum {

// Rows from top to bottom, no padding; a pixel is 0x00RRGGBB.
struct Picture {
    u32 width = 0, height = 0;
    std::vector<u32> pixels;
};

// A text mode's cells: low byte character (code page 437), high byte attribute (background high nibble).
struct TextScreen {
    u32 columns = 0, rows = 0;
    std::vector<u16> cells;
    bool cursor_visible = false;
    u32 cursor_column = 0, cursor_row = 0;
};

}  // namespace vellum
