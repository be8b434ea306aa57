// The newest picture of a VGA, drawn only when something may have changed.
#pragma once

#include "devices/vga.hpp"
#include "devices/vga_draw.hpp"

namespace vellum {

class VgaScreen {
 public:
    explicit VgaScreen(const Vga& vga) : vga_{vga} {}

    // Brings `picture` up to date; false when it already was (`picture` must be what the last call left there).
    bool update(Nanoseconds now, Picture& picture);
    // The same for characters; in graphics modes `screen` has no columns.
    bool update(Nanoseconds now, TextScreen& screen);

 private:
    const Vga& vga_;
    u64 drawn_changes_ = ~u64{0}, drawn_phase_ = 0;
    u64 read_changes_ = ~u64{0};
    Picture spare_;
    TextScreen spare_text_;
};

}  // namespace vellum
