// A standard VGA with Bochs' DISPI extension: its ports and its place on the buses. Knows nothing of PCI.
// Ports: IBM VGA Technical Reference, chapter 2. Memory: vga_memory.hpp. Pictures: vga_draw.hpp.
#pragma once

#include <optional>
#include <span>

#include "base/log.hpp"
#include "base/scheduler.hpp"
#include "devices/bus.hpp"
#include "devices/device.hpp"
#include "devices/vga_memory.hpp"
#include "devices/vga_registers.hpp"

namespace vellum {

class Vga final : public Device {
 public:
    // Claims its ports and A0000h-BFFFFh. `vram` is a multiple of 64 KiB, at least 256 KiB and at most 64 MiB, and
    // outlives the VGA; it holds zeros, and the board may let the CPU write it directly (linear framebuffer,
    // linear_legacy_window). Reset clears the first 256 KiB, the legacy modes' part.
    Vga(Bus& ports, Bus& mmio, const Scheduler& scheduler, std::span<u8> vram, Log& log);

    std::string_view name() const override { return "vga"; }
    void reset() override;
    void serialize(Archive&) override;  // registers and screen memory

    const VgaRegisters& registers() const { return registers_; }
    std::span<const u8> memory() const { return vram_; }
    // Counts register writes and writes through the window: unchanged means the same picture, but for blinking and
    // for what was written to vram directly.
    u64 change_counter() const { return changes_; }
    // When A0000h-AFFFFh is plain memory now (mode 13h, DISPI banks): the offset in vram of its first byte. The answer
    // changes only by port writes; mapping_counter() counts the changes.
    std::optional<u32> linear_legacy_window() const { return memory_.linear_window(); }
    u64 mapping_counter() const { return mappings_; }
    // Whether pictures can change without change_counter() (someone may write vram directly).
    bool directly_writable() const { return registers_.vbe.packed() || linear_legacy_window().has_value(); }

    // The registers by port number (3B0h-3DFh), as the ports and the memory-mapped copy of the PCI function use them.
    u8 read_port(u16 port);
    void write_port(u16 port, u8 value);
    u16 read_vbe(u16 index) const { return registers_.vbe.read(index); }
    void write_vbe(u16 index, u16 value);

 private:
    struct PortRange final : BusTarget {
        PortRange(Vga& v, u16 f) : vga{v}, first{f} {}
        u32 read(u32 offset, u8) override { return vga.read_port(static_cast<u16>(first + offset)); }
        void write(u32 offset, u8, u32 value) override {
            vga.write_port(static_cast<u16>(first + offset), static_cast<u8>(value));
        }
        Vga& vga;
        u16 first;
    };
    struct VbePorts final : BusTarget {
        explicit VbePorts(Vga& v) : vga{v} {}
        u32 read(u32 offset, u8 size) override;
        void write(u32 offset, u8 size, u32 value) override;
        Vga& vga;
        u16 index = 0;
    };

    u8 read_crtc_port(u16 port);
    void write_crtc_port(u16 port, u8 value);
    void write_crtc(u8 value);
    void write_attribute(u8 value);
    void registers_changed();

    const Scheduler& scheduler_;
    std::span<u8> vram_;
    Log& log_;
    VgaRegisters registers_;
    u64 changes_ = 0;
    u64 mappings_ = 0;
    VgaMemory memory_;
    std::optional<u32> last_window_;
    PortRange mono_crtc_{*this, 0x3B4}, mono_status_{*this, 0x3BA}, common_{*this, 0x3C0}, color_crtc_{*this, 0x3D4},
        color_status_{*this, 0x3DA};
    VbePorts vbe_ports_{*this};
};

}  // namespace vellum
