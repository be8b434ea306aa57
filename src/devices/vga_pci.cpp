// The function's BARs and what lies in them.
#include "devices/vga_pci.hpp"

#include <algorithm>
#include <bit>

namespace vellum {

namespace {

constexpr PciIdentity identity{0x1234, 0x1111, 2, 0x030000, 0x1AF4, 0x1100};
constexpr u8 framebuffer_bar = 0, registers_bar = 2;
constexpr u32 registers_size = 0x1000;
constexpr u32 ports_offset = 0x400, ports_end = 0x420;
constexpr u32 dispi_offset = 0x500, dispi_end = dispi_offset + 2 * static_cast<u32>(VbeIndex::Count);
// QEMU's extension: its size in bytes, and the framebuffer's byte order, which is little endian here for ever.
constexpr u32 extension_offset = 0x600, extension_size = 8, little_endian = 0x1E1E1E1E;

}  // namespace

VgaPci::VgaPci(Vga& vga, Bus& mmio, std::vector<u8> rom, OnFramebuffer on_framebuffer)
    : PciDevice{identity, IrqLine{}},
      mmio_{mmio},
      on_framebuffer_{std::move(on_framebuffer)},
      registers_{vga},
      rom_{std::move(rom)},
      rom_size_{std::bit_ceil(std::max<u32>(2048, static_cast<u32>(rom_.bytes.size())))} {
    check(rom_.bytes.size() <= 1u << 20, "a video BIOS is at most 1 MiB");
    define_bar(framebuffer_bar, BarKind::PrefetchableMemory, static_cast<u32>(vga.memory().size()));
    define_bar(registers_bar, BarKind::Memory, registers_size);
    if (!rom_.bytes.empty()) define_bar(rom_index, BarKind::Memory, rom_size_);
}

void VgaPci::move(std::optional<u32>& claimed, std::optional<u32> base, u32 size, BusTarget& target) {
    if (claimed) mmio_.release_movable(*claimed, target);
    claimed = base;
    if (base) mmio_.claim_movable(name(), *base, size, target);
}

void VgaPci::bar_changed(u8 index, std::optional<u32> base) {
    switch (index) {
        case framebuffer_bar: on_framebuffer_(base); break;
        case registers_bar: move(registers_base_, base, registers_size, registers_); break;
        case rom_index: move(rom_base_, base, rom_size_, rom_); break;
        default: break;
    }
}

u8 VgaPci::Registers::read_byte(u32 offset) {
    if (offset >= ports_offset && offset < ports_end)
        return vga.read_port(static_cast<u16>(0x3C0 + offset - ports_offset));
    if (offset >= dispi_offset && offset < dispi_end)
        return static_cast<u8>(vga.read_vbe(static_cast<u16>((offset - dispi_offset) / 2)) >> (8 * (offset & 1)));
    if (offset >= extension_offset && offset < extension_offset + 8) {
        const u32 value = offset & 4 ? little_endian : extension_size;
        return static_cast<u8>(value >> (8 * (offset & 3)));
    }
    return offset < ports_offset ? 0x00 : 0xFF;  // the first 400h bytes are for EDID: no monitor data
}

u32 VgaPci::Registers::read(u32 offset, u8 size) {
    u32 value = 0;
    for (u32 i = 0; i < size; ++i) value |= u32{read_byte(offset + i)} << (8 * i);
    return value;
}

void VgaPci::Registers::write(u32 offset, u8 size, u32 value) {
    if (offset >= ports_offset && offset < ports_end) {
        for (u32 i = 0; i < size && offset + i < ports_end; ++i)
            vga.write_port(static_cast<u16>(0x3C0 + offset + i - ports_offset), static_cast<u8>(value >> (8 * i)));
    } else if (offset >= dispi_offset && offset < dispi_end && size >= 2 && offset % 2 == 0) {
        for (u32 i = 0; i < size; i += 2)
            vga.write_vbe(static_cast<u16>((offset + i - dispi_offset) / 2), static_cast<u16>(value >> (8 * i)));
    }
}

u32 VgaPci::Rom::read(u32 offset, u8 size) {
    u32 value = 0;
    for (u32 i = 0; i < size; ++i) value |= (offset + i < bytes.size() ? bytes[offset + i] : 0xFFu) << (8 * i);
    return value;
}

}  // namespace vellum
