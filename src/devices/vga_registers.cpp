// Reset, saving and the timing of the beam.
#include "devices/vga_registers.hpp"

#include <algorithm>

namespace vellum {

void Dac::fill_latch() {
    std::copy_n(&colors[address * 3u], latch.size(), latch.begin());
    ++address;
    component = 0;
}

void Dac::begin_reading(u8 first) {
    address = first;
    fill_latch();
    reading = true;
}

void Dac::begin_writing(u8 first) {
    address = first;
    component = 0;
    reading = false;
}

u8 Dac::read_data() {
    const u8 value = latch[component];
    if (++component == latch.size()) fill_latch();
    return value;
}

// A colour changes when its third component is written.
void Dac::write_data(u8 value) {
    latch[component] = value;
    if (++component < latch.size()) return;
    std::copy(latch.begin(), latch.end(), &colors[address * 3u]);
    component = 0;
    ++address;
}

void Dac::serialize(Archive& a) {
    a(colors, mask, address, component, reading, latch);
    if (component > 2) a.refuse();
}

void VgaRegisters::reset() {
    *this = VgaRegisters{vbe.read(static_cast<u16>(VbeIndex::VideoMemory)) * 0x10000u};
    vbe.reset();
    // The adapter answers at the colour addresses with its memory enabled before any BIOS has run.
    miscellaneous_output = 0x03;
}

void VgaRegisters::serialize(Archive& a) {
    a(miscellaneous_output, feature_control, crtc, sequencer, graphics, attribute, attribute_expects_data, dac, vbe);
}

namespace {

// Vertical values have their bits 8 and 9 in the overflow register.
u32 with_overflow(u8 low, u8 overflow, u32 bit_8, u32 bit_9) {
    return low | ((overflow >> bit_8) & 1u) << 8 | ((overflow >> bit_9) & 1u) << 9;
}

}  // namespace

u32 VgaRegisters::lines() const {
    return with_overflow(crtc[Crtc::VerticalDisplayEnd], crtc[Crtc::Overflow], 1, 6) + 1;
}

u32 VgaRegisters::line_compare() const {
    return crtc[Crtc::LineCompare] | ((crtc[Crtc::Overflow] >> 4) & 1u) << 8 |
           ((crtc[Crtc::MaximumScanLine] >> 6) & 1u) << 9;
}

u8 VgaRegisters::input_status_1(Nanoseconds now) const {
    const u8 clocking = sequencer[Sequencer::ClockingMode];
    const u64 dots = (crtc[Crtc::HorizontalTotal] + 5u) * (clocking & 1 ? 8u : 9u) * (clocking & 8 ? 2u : 1u);
    const u64 dots_per_second = miscellaneous_output & 0x04 ? 28'322'000 : 25'175'000;
    const u64 total = with_overflow(crtc[Crtc::VerticalTotal], crtc[Crtc::Overflow], 0, 5) + 2;
    u64 line_time = dots * second / dots_per_second;
    // Values no monitor would show (before a BIOS ran, or behind a DISPI mode) give a plain 60 Hz frame.
    if (line_time * total < second / 200 || line_time * total > second / 40) line_time = second / 60 / total;
    const u64 in_frame = now % (line_time * total);
    const u64 line = in_frame / line_time;
    const u64 character = in_frame % line_time * (crtc[Crtc::HorizontalTotal] + 5u) / line_time;

    const u64 retrace_start = with_overflow(crtc[Crtc::VerticalRetraceStart], crtc[Crtc::Overflow], 2, 7);
    u64 retrace_length = (crtc[Crtc::VerticalRetraceEnd] - retrace_start) & 0x0F;
    if (retrace_length == 0) retrace_length = 2;
    // A start that the beam never reaches would let a guest wait for ever: then the last lines are the retrace.
    const u64 start = retrace_start + retrace_length < total ? retrace_start : total - 1;
    const bool retrace = line >= start && line < start + retrace_length;
    const bool blank = retrace || line >= lines() || character >= characters();
    return static_cast<u8>((retrace ? 0x08 : 0) | (blank ? 0x01 : 0));
}

}  // namespace vellum
