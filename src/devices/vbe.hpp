// The Bochs VBE "DISPI" registers (ports 1CEh-1D0h): linear and banked modes of 4 to 32 bits per pixel.
// The interface is the one of Bochs' and QEMU's standard VGA, as SeaBIOS's VGA BIOS and Linux's bochs driver use it.
#pragma once

#include "base/archive.hpp"
#include "base/types.hpp"

namespace vellum {

enum class VbeIndex : u16 {
    Id,
    Width,
    Height,
    BitsPerPixel,
    Enable,
    Bank,
    VirtualWidth,
    VirtualHeight,
    OffsetX,
    OffsetY,
    VideoMemory,  // in units of 64 KiB, read only
    Count
};

namespace vbe_enable {
constexpr u16 enabled = 0x01, get_capabilities = 0x02, dac_8_bit = 0x20, linear_framebuffer = 0x40, keep_memory = 0x80;
}

// What a mode may be at most; memory limits it further. Bounds the size of every picture.
constexpr u16 vbe_most_columns = 2560, vbe_most_lines = 1600;

class Vbe {
 public:
    // `memory` is the size of the screen memory in bytes, at least 256 KiB.
    explicit Vbe(u32 memory) : memory_{memory} {}

    void reset();
    void serialize(Archive&);
    u16 read(u16 index) const;
    // True when the write enabled a mode whose memory must be cleared: clear_size() bytes from the start.
    bool write(u16 index, u16 value);

    bool enabled() const { return enable_ & vbe_enable::enabled; }
    bool packed() const { return enabled() && bits_ >= 8; }  // every mode but the planar one of 4 bits
    bool dac_8_bit() const { return enable_ & vbe_enable::dac_8_bit; }
    u32 width() const { return width_; }
    u32 height() const { return height_; }
    u32 bits_per_pixel() const { return bits_; }
    // Bytes from one line to the next: of one plane with 4 bits, of packed pixels otherwise.
    u32 pitch() const { return bits_ == 4 ? virtual_width_ / 8 : virtual_width_ * bytes_per_pixel(); }
    u32 bytes_per_pixel() const { return (bits_ + 7) / 8; }
    u32 offset_x() const { return offset_x_; }
    u32 offset_y() const { return offset_y_; }
    // Where the 64 KiB window begins, counted as the CPU counts addresses (per plane with 4 bits).
    u32 bank_start() const { return enabled() ? u32{bank_} << 16 : 0; }
    u32 clear_size() const { return memory_per_line() * height_; }

 private:
    u16 capability(VbeIndex) const;
    u32 memory_per_line() const { return bits_ == 4 ? pitch() * 4 : pitch(); }
    u16 bank_count() const { return static_cast<u16>(memory_ >> (bits_ == 4 ? 18 : 16)); }
    void fit_mode();
    void fit_view();
    bool set_enable(u16 value);

    u32 memory_;
    u16 id_ = 0, enable_ = 0, bank_ = 0;
    u16 width_ = 0, height_ = 0, bits_ = 8;
    u16 virtual_width_ = 0, virtual_height_ = 0, offset_x_ = 0, offset_y_ = 0;
};

}  // namespace vellum
