// The VGA's registers as numbers, and what groups of them mean together (IBM VGA Technical Reference, chapter 2).
// No ports and no memory here: see vga.hpp and vga_memory.hpp.
#pragma once

#include <array>

#include "base/archive.hpp"
#include "base/types.hpp"
#include "devices/vbe.hpp"

namespace vellum {

// Register numbers, with the manual's names.
enum class Crtc : u8 {
    HorizontalTotal,
    HorizontalDisplayEnd,
    StartHorizontalBlank,
    EndHorizontalBlank,
    StartHorizontalRetrace,
    EndHorizontalRetrace,
    VerticalTotal,
    Overflow,
    PresetRowScan,
    MaximumScanLine,
    CursorStart,
    CursorEnd,
    StartAddressHigh,
    StartAddressLow,
    CursorLocationHigh,
    CursorLocationLow,
    VerticalRetraceStart,
    VerticalRetraceEnd,
    VerticalDisplayEnd,
    Offset,
    UnderlineLocation,
    StartVerticalBlank,
    EndVerticalBlank,
    ModeControl,
    LineCompare,
    Count
};
enum class Sequencer : u8 { Reset, ClockingMode, MapMask, CharacterMapSelect, MemoryMode, Count };
enum class Graphics : u8 {
    SetReset,
    EnableSetReset,
    ColorCompare,
    DataRotate,
    ReadMapSelect,
    Mode,
    Miscellaneous,
    ColorDontCare,
    BitMask,
    Count
};
enum class Attribute : u8 { Palette, ModeControl = 16, Overscan, ColorPlaneEnable, PixelPanning, ColorSelect, Count };

// A group of registers behind one index, addressed by the names above.
template <typename Name>
struct RegisterFile {
    std::array<u8, static_cast<std::size_t>(Name::Count)> values{};
    u8 index = 0;

    u8& operator[](Name n) { return values[static_cast<std::size_t>(n)]; }
    u8 operator[](Name n) const { return values[static_cast<std::size_t>(n)]; }
    bool exists(u8 number) const { return number < values.size(); }
    void serialize(Archive& a) { a(values, index); }
};

// The colour table: 256 times red, green, blue of 6 bits (8 bits when the DISPI interface says so). Reading and writing
// share one address register and one latch (IBM VGA Technical Reference, "Video Digital-to-Analog Converter").
struct Dac {
    std::array<u8, 768> colors{};
    u8 mask = 0xFF;
    u8 address = 0, component = 0;
    bool reading = false;       // which of the two addresses was written last
    std::array<u8, 3> latch{};  // a colour on its way out, or not yet complete on its way in

    void begin_reading(u8 first);
    void begin_writing(u8 first);
    u8 read_data();
    void write_data(u8 value);
    void serialize(Archive& a);

 private:
    void fill_latch();  // the address is then the next colour's
};

struct VgaRegisters {
    explicit VgaRegisters(u32 memory) : vbe{memory} {}

    u8 miscellaneous_output = 0, feature_control = 0;
    RegisterFile<Crtc> crtc;
    RegisterFile<Sequencer> sequencer;
    RegisterFile<Graphics> graphics;
    RegisterFile<Attribute> attribute;  // index: bit 5 connects the screen to the palette
    bool attribute_expects_data = false;
    Dac dac;
    Vbe vbe;

    void reset();
    void serialize(Archive&);

    bool color_addresses() const { return miscellaneous_output & 0x01; }
    bool screen_on() const { return (attribute.index & 0x20) && !(sequencer[Sequencer::ClockingMode] & 0x20); }
    bool graphics_mode() const { return graphics[Graphics::Miscellaneous] & 0x01; }
    u8 dac_component_mask() const { return vbe.dac_8_bit() ? 0xFF : 0x3F; }
    u32 lines() const;         // visible scan lines, 1 to 1024
    u32 line_compare() const;  // the last line above the split
    u32 characters() const { return crtc[Crtc::HorizontalDisplayEnd] + 1u; }
    // Frames since power-on of a 60 Hz monitor: what blinking is derived from.
    static u64 frame_number(Nanoseconds now) { return now * 60 / second; }
    // Input status 1 (3DAh): bit 0 outside of the visible part, bit 3 vertical retrace.
    u8 input_status_1(Nanoseconds now) const;
};

}  // namespace vellum
