// The VGA as a PCI function (1234:1111 revision 2, as SeaBIOS and Linux's bochs driver know it): the linear framebuffer
// in BAR 0, memory-mapped registers in BAR 2, the video BIOS in the expansion ROM.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "devices/pci.hpp"
#include "devices/vga.hpp"

namespace vellum {

class VgaPci final : public PciDevice {
 public:
    // Told where the framebuffer is decoded now (the board makes the screen memory plain memory there), or nowhere.
    using OnFramebuffer = std::function<void(std::optional<u32> base)>;
    // The VGA's memory must be a power of two in size. `rom` may be empty (no expansion ROM) and is at most 1 MiB.
    VgaPci(Vga& vga, Bus& mmio, std::vector<u8> rom, OnFramebuffer on_framebuffer);

    std::string_view name() const override { return "vga pci"; }

 private:
    // BAR 2: ports 3C0h-3DFh at 400h, the DISPI registers at 500h, two of QEMU's own at 600h.
    struct Registers final : BusTarget {
        explicit Registers(Vga& v) : vga{v} {}
        u32 read(u32 offset, u8 size) override;
        void write(u32 offset, u8 size, u32 value) override;
        u8 read_byte(u32 offset);
        Vga& vga;
    };
    struct Rom final : BusTarget {
        explicit Rom(std::vector<u8> b) : bytes{std::move(b)} {}
        u32 read(u32 offset, u8 size) override;
        void write(u32, u8, u32) override {}
        std::vector<u8> bytes;
    };

    void bar_changed(u8 index, std::optional<u32> base) override;
    void move(std::optional<u32>& claimed, std::optional<u32> base, u32 size, BusTarget& target);

    Bus& mmio_;
    OnFramebuffer on_framebuffer_;
    Registers registers_;
    Rom rom_;
    u32 rom_size_;
    std::optional<u32> registers_base_, rom_base_;
};

}  // namespace vellum
