// The port side of the VGA.
#include "devices/vga.hpp"

#include <algorithm>

namespace vellum {

Vga::Vga(Bus& ports, Bus& mmio, const Scheduler& scheduler, std::span<u8> vram, Log& log)
    : scheduler_{scheduler},
      vram_{vram},
      log_{log},
      registers_{static_cast<u32>(vram.size())},
      memory_{registers_, vram, changes_} {
    check(vram.size() >= vga_legacy_memory && vram.size() % 0x10000 == 0 && vram.size() <= 64u << 20,
          "screen memory is 256 KiB to 64 MiB in units of 64 KiB");
    ports.claim(name(), mono_crtc_.first, 2, mono_crtc_, Bus::Width::Bytes);
    ports.claim(name(), mono_status_.first, 1, mono_status_, Bus::Width::Bytes);
    ports.claim(name(), common_.first, 16, common_, Bus::Width::Bytes);
    ports.claim(name(), color_crtc_.first, 2, color_crtc_, Bus::Width::Bytes);
    ports.claim(name(), color_status_.first, 1, color_status_, Bus::Width::Bytes);
    ports.claim(name(), 0x1CE, 4, vbe_ports_);
    mmio.claim(name(), vga_window_first, vga_window_size, memory_);
    reset();
}

void Vga::reset() {
    registers_.reset();
    memory_.reset();
    vbe_ports_.index = 0;
    // Only what the legacy modes show: touching all of it would make the host provide memory that no guest may use.
    std::span<u8> shown = vram_.first(vga_legacy_memory);
    std::fill(shown.begin(), shown.end(), u8{0});
    registers_changed();
}

void Vga::serialize(Archive& a) {
    a.section("vga", 2);
    a(registers_, memory_, vbe_ports_.index);
    a.raw(vram_);
    if (a.loading()) registers_changed();
}

void Vga::registers_changed() {
    ++changes_;
    memory_.choose_access();
    const auto window = memory_.linear_window();
    if (window == last_window_) return;
    last_window_ = window;
    ++mappings_;
}

u8 Vga::read_crtc_port(u16 port) {
    switch (port & 0x0F) {
        case 0x4: return registers_.crtc.index;
        case 0x5:
            return registers_.crtc.exists(registers_.crtc.index) ? registers_.crtc.values[registers_.crtc.index] : 0;
        case 0xA: registers_.attribute_expects_data = false; return registers_.input_status_1(scheduler_.now());
        default: return 0xFF;
    }
}

u8 Vga::read_port(u16 port) {
    auto& r = registers_;
    const u16 block = port & 0xFFF0;
    if (block == 0x3B0 || block == 0x3D0) {
        const bool ours = (block == 0x3D0) == r.color_addresses();
        return ours ? read_crtc_port(port) : 0xFF;
    }
    const auto data = [](const auto& file) -> u8 { return file.exists(file.index) ? file.values[file.index] : 0; };
    switch (port) {
        case 0x3C0: return r.attribute.index;
        case 0x3C1: {
            const u8 number = r.attribute.index & 0x1F;
            return r.attribute.exists(number) ? r.attribute.values[number] : 0;
        }
        case 0x3C2: return 0x10;  // input status 0: the sense switch reports a monitor
        case 0x3C3: return 0x01;  // subsystem enabled
        case 0x3C4: return r.sequencer.index;
        case 0x3C5: return data(r.sequencer);
        case 0x3C6: return r.dac.mask;
        case 0x3C7: return r.dac.reading ? 0x03 : 0x00;
        case 0x3C8: return r.dac.address;
        case 0x3C9: return r.dac.read_data() & r.dac_component_mask();
        case 0x3CA: return r.feature_control;
        case 0x3CC: return r.miscellaneous_output;
        case 0x3CE: return r.graphics.index;
        case 0x3CF: return data(r.graphics);
        default: return 0xFF;
    }
}

void Vga::write_crtc(u8 value) {
    auto& crtc = registers_.crtc;
    if (!crtc.exists(crtc.index)) return;
    const bool is_protected = crtc[Crtc::VerticalRetraceEnd] & 0x80;
    if (is_protected && crtc.index <= static_cast<u8>(Crtc::Overflow)) {
        // Only bit 8 of the line compare value may still change.
        if (crtc.index == static_cast<u8>(Crtc::Overflow))
            crtc[Crtc::Overflow] = static_cast<u8>((crtc[Crtc::Overflow] & ~0x10) | (value & 0x10));
        return;
    }
    crtc.values[crtc.index] = value;
}

void Vga::write_crtc_port(u16 port, u8 value) {
    switch (port & 0x0F) {
        case 0x4: registers_.crtc.index = value; break;
        case 0x5:
            write_crtc(value);
            ++changes_;  // nothing that decides how memory is accessed
            break;
        case 0xA: registers_.feature_control = value; break;
        default: break;
    }
}

// One port for index and data in turn; reading input status 1 makes the next write an index.
void Vga::write_attribute(u8 value) {
    auto& attribute = registers_.attribute;
    if (!registers_.attribute_expects_data) {
        attribute.index = value & 0x3F;
    } else {
        const u8 number = attribute.index & 0x1F;
        // IBM's palette takes writes only while disconnected from the screen; most later adapters take them always.
        if (attribute.exists(number)) attribute.values[number] = value;
    }
    registers_.attribute_expects_data = !registers_.attribute_expects_data;
    ++changes_;
}

void Vga::write_port(u16 port, u8 value) {
    auto& r = registers_;
    const u16 block = port & 0xFFF0;
    if (block == 0x3B0 || block == 0x3D0) {
        if ((block == 0x3D0) == r.color_addresses()) write_crtc_port(port, value);
        return;
    }
    switch (port) {
        case 0x3C0: return write_attribute(value);
        case 0x3C2: r.miscellaneous_output = value; break;
        case 0x3C4: r.sequencer.index = value; return;
        case 0x3C5:
            if (r.sequencer.exists(r.sequencer.index)) r.sequencer.values[r.sequencer.index] = value;
            break;
        case 0x3C6: r.dac.mask = value; break;
        case 0x3C7: return r.dac.begin_reading(value);
        case 0x3C8: return r.dac.begin_writing(value);
        case 0x3C9:
            r.dac.write_data(value & r.dac_component_mask());
            ++changes_;
            return;
        case 0x3CE: r.graphics.index = value; return;
        case 0x3CF:
            if (r.graphics.exists(r.graphics.index)) r.graphics.values[r.graphics.index] = value;
            break;
        default: log_.once(Topic::Video, "write to port {:03X}h does nothing", port); return;
    }
    registers_changed();
}

void Vga::write_vbe(u16 index, u16 value) {
    if (registers_.vbe.write(index, value))
        std::fill_n(vram_.begin(), std::min<std::size_t>(registers_.vbe.clear_size(), vram_.size()), u8{0});
    const auto& vbe = registers_.vbe;
    if (index == static_cast<u16>(VbeIndex::Enable))
        log_(Topic::Video, "dispi {}: {}x{}x{}", vbe.enabled() ? "on" : "off", vbe.width(), vbe.height(),
             vbe.bits_per_pixel());
    registers_changed();
}

// The index is at 1CEh and the data at 1CFh, one address for 16 bits each; 1D0h is the data's place for those who
// want it aligned.
u32 Vga::VbePorts::read(u32 offset, u8 size) {
    if (offset > 0) return vga.read_vbe(index);
    return size == 4 ? index | u32{vga.read_vbe(index)} << 16 : index;
}

void Vga::VbePorts::write(u32 offset, u8 size, u32 value) {
    if (offset > 0) return vga.write_vbe(index, static_cast<u16>(value));
    index = static_cast<u16>(value);
    if (size == 4) vga.write_vbe(index, static_cast<u16>(value >> 16));
}

}  // namespace vellum
