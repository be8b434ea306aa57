// What the screens of roms/screens.S must look like, pixel by pixel, straight from the definitions of their patterns.
// Nothing of the emulated VGA is used. The reference pictures in screens/ are written from this by write_screens.
#pragma once

#include <span>

#include "devices/picture.hpp"

namespace vellum {

// The 8x16 font in an image of the VGA BIOS: 256 characters of 16 bytes. Throws HostError when there is none.
std::span<const u8> find_font(std::span<const u8> vga_bios);

Picture expected_text(std::span<const u8> font, bool cursor_shown);
Picture expected_mode12h();
Picture expected_mode13h();  // each of 320x200 pixels covers two columns and two lines of the raster
Picture expected_vbe();

}  // namespace vellum
