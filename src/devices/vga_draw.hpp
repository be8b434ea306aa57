// From the VGA's state to what its monitor shows: pure functions, nothing is kept from call to call.
// Legacy modes give the monitor's raster (mode 13h is 640x400), DISPI modes their own size.
#pragma once

#include <array>
#include <span>

#include "devices/picture.hpp"
#include "devices/vga_registers.hpp"

namespace vellum {

struct VgaView {
    const VgaRegisters& registers;
    std::span<const u8> vram;
    Nanoseconds now = 0;  // guest time, for blinking
};

// At most 4608x1024 (legacy) or 2560x1600 (DISPI) pixels, whatever the registers say.
void draw(const VgaView& view, Picture& out);

// The cells of a text mode, at most 256x1024; false in graphics modes.
bool text_screen(const VgaView& view, TextScreen& out);

// Changes whenever blinking alters the picture; constant in modes where nothing blinks.
u64 blink_phase(const VgaView& view);

namespace vga_drawing {

// The parts of draw(), one file each.
void draw_dispi(const VgaView& view, Picture& out);
void draw_text(const VgaView& view, Picture& out);
void draw_graphics(const VgaView& view, Picture& out);

// The 256 colours of the DAC, behind its mask, as 0x00RRGGBB.
std::array<u32, 256> dac_palette(const VgaRegisters& registers);
// The 16 colours behind the attribute controller.
std::array<u32, 16> attribute_palette(const VgaRegisters& registers);

// What the CRTC does at each scan line (IBM VGA Technical Reference, "CRT Controller"): where the line's first plane
// address is, and which line of a character row or repeated graphics row it is.
class LineCounter {
 public:
    explicit LineCounter(const VgaRegisters& registers);
    void next();
    u32 address() const { return address_; }
    u32 row_scan() const { return row_scan_; }
    u32 panning() const { return panning_; }  // the raw register; 0 below a split that does not pan

 private:
    u32 line_ = 0, address_, row_scan_, panning_;
    u32 row_height_, row_step_, split_line_;
    bool doubled_, second_of_pair_ = false, split_pans_;
};

constexpr u32 plane_mask = 0xFFFF;  // plane addresses count 16 bits and wrap

}  // namespace vga_drawing

}  // namespace vellum
