// Change counters first, pixels where those cannot tell.
#include "devices/vga_screen.hpp"

#include <utility>

namespace vellum {

bool VgaScreen::update(Nanoseconds now, Picture& picture) {
    const VgaView view{vga_.registers(), vga_.memory(), now};
    const u64 changes = vga_.change_counter(), phase = blink_phase(view);
    if (changes == drawn_changes_ && phase == drawn_phase_ && !vga_.directly_writable()) return false;
    drawn_changes_ = changes;
    drawn_phase_ = phase;
    draw(view, spare_);
    if (spare_.width == picture.width && spare_.height == picture.height && spare_.pixels == picture.pixels)
        return false;
    std::swap(spare_, picture);
    return true;
}

bool VgaScreen::update(Nanoseconds now, TextScreen& screen) {
    if (vga_.change_counter() == read_changes_) return false;
    read_changes_ = vga_.change_counter();
    if (!text_screen({vga_.registers(), vga_.memory(), now}, spare_text_)) spare_text_ = TextScreen{};
    const auto same = [](const TextScreen& a, const TextScreen& b) {
        return a.columns == b.columns && a.rows == b.rows && a.cursor_visible == b.cursor_visible &&
               a.cursor_column == b.cursor_column && a.cursor_row == b.cursor_row && a.cells == b.cells;
    };
    if (same(spare_text_, screen)) return false;
    std::swap(spare_text_, screen);
    return true;
}

}  // namespace vellum
