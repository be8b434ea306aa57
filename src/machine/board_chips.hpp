// Every chip on the board, as members in the order in which they are made. The wiring is in board_chips.cpp.
#pragma once

#include "devices/acpi_pm.hpp"
#include "devices/coprocessor_error.hpp"
#include "devices/debug_exit.hpp"
#include "devices/debug_ports.hpp"
#include "devices/dma.hpp"
#include "devices/floppy.hpp"
#include "devices/fw_cfg.hpp"
#include "devices/hpet.hpp"
#include "devices/i440fx.hpp"
#include "devices/io_apic.hpp"
#include "devices/keyboard_controller.hpp"
#include "devices/local_apic.hpp"
#include "devices/pci.hpp"
#include "devices/pic.hpp"
#include "devices/piix3.hpp"
#include "devices/piix3_ide.hpp"
#include "devices/piix4_pm.hpp"
#include "devices/pit.hpp"
#include "devices/ps2_keyboard.hpp"
#include "devices/ps2_mouse.hpp"
#include "devices/rtc.hpp"
#include "devices/system_ports.hpp"
#include "devices/test_device.hpp"
#include "devices/uart.hpp"
#include "devices/vga.hpp"
#include "devices/vga_pci.hpp"
#include "devices/vga_screen.hpp"
#include "machine/board.hpp"
#include "machine/isa_lines.hpp"

namespace vellum {

// What the chips ask of the board.
struct BoardHooks {
    std::function<void()> interrupt_changed, non_maskable_interrupt;
    std::function<void(bool)> a20_from_keyboard, a20_from_port92;
    std::function<bool()> a20;
    std::function<void()> reset, power_off;
    std::function<void(u32)> debug_exit;
    I440fx::OnShadow shadow;
    VgaPci::OnFramebuffer framebuffer;
};

// The HPET's outputs: ISA lines up to 15, above them pins of the I/O APIC.
class HpetLines final : public IrqSink {
 public:
    HpetLines(IsaLines& isa, IoApic& io_apic) : isa_{isa, IsaLines::Source::Hpet}, io_apic_{io_apic} {}
    void set_irq(u8 number, bool level) override {
        if (number < 16)
            isa_.set_irq(number, level);
        else
            io_apic_.set_irq(number, level);
    }

 private:
    IsaLinesOf isa_;
    IoApic& io_apic_;
};

struct Board::Chips {
    Chips(Bus& ports, Bus& mmio, Scheduler& scheduler, GuestMemory& memory, std::span<u8> vram, Log& log,
          const MachineConfig& config, BoardParts& parts, BoardHooks hooks);

    void set_isa_line(u8 line, bool level);
    void attach_drives(BoardParts& parts);

    // All of them, in the order of reset and of the snapshot.
    std::vector<Device*> all();

    IsaLines isa;
    IsaLinesOf pci_isa{isa, IsaLines::Source::PciRouter};
    PicPair pic;
    LocalApic local_apic;
    IoApic io_apic;
    Pit pit;
    Rtc rtc;
    HpetLines hpet_lines{isa, io_apic};
    Hpet hpet;
    AcpiPm acpi;
    SystemPorts system_ports;
    CoprocessorError coprocessor_error;
    ResetControl reset_control;
    PciBus pci;
    I440fx host_bridge;
    Piix3 isa_bridge;
    Piix3Ide ide;
    Piix4Pm power_function;
    Dma dma;
    Floppy floppy;
    FwCfg fw_cfg;
    Ps2Keyboard keyboard;
    Ps2Mouse mouse;
    KeyboardController keyboard_controller;
    std::unique_ptr<ByteSink> serial_sinks[2];
    std::unique_ptr<Uart> serial[2];
    PostPort post_port;
    std::unique_ptr<ByteSink> debug_sink;
    std::unique_ptr<DebugConsole> debug_console;
    std::unique_ptr<DebugExit> debug_exit;
    std::unique_ptr<TestDevice> test_device;
    Vga vga;
    VgaPci vga_function;
    VgaScreen screen;
    AtapiCd* cd = nullptr;
    BlockBackend* disks[4] = {};  // inside the drives
};

}  // namespace vellum
