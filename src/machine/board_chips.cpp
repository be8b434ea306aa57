// Which chip gets which ports, lines and callbacks.
#include "machine/board_chips.hpp"

#include "machine/board_facts.hpp"

namespace vellum {

namespace {

class NoSink final : public ByteSink {
 public:
    void put(std::span<const u8>) override {}
};

std::unique_ptr<ByteSink> or_nothing(std::unique_ptr<ByteSink> sink) {
    return sink ? std::move(sink) : std::make_unique<NoSink>();
}

}  // namespace

Board::Chips::Chips(Bus& ports, Bus& mmio, Scheduler& scheduler, GuestMemory& memory, std::span<u8> vram, Log& log,
                    const MachineConfig& config, BoardParts& parts, BoardHooks hooks)
    : isa{[this](u8 line, bool level) { set_isa_line(line, level); }},
      pic{ports, log,
          [this, hooks](bool level) {
              local_apic.set_lint0(level);
              hooks.interrupt_changed();
          }},
      local_apic{mmio,
                 scheduler,
                 log,
                 {.on_output = [hooks](bool) { hooks.interrupt_changed(); },
                  .on_eoi = [this](u8 vector) { io_apic.end_of_interrupt(vector); },
                  .on_nmi = hooks.non_maskable_interrupt,
                  .acknowledge_pic = [this] { return pic.acknowledge(); }}},
      io_apic{mmio, local_apic, log},
      pit{ports, isa.line(0), scheduler, log},
      rtc{ports, isa.line(8), scheduler, static_cast<i64>(parts.start_seconds)},
      hpet{mmio, hpet_lines, scheduler, log,
           [this](bool legacy) {
               pit.connect_irq(!legacy);
               rtc.connect_irq(!legacy);
           }},
      acpi{ports, isa.line(acpi_irq, IsaLines::Source::Acpi), scheduler, log, hooks.power_off},
      system_ports{ports, pit, log, {.set_a20 = hooks.a20_from_port92, .reset = hooks.reset}},
      coprocessor_error{ports, isa.line(13)},
      reset_control{log, [hooks](bool) { hooks.reset(); }},
      pci{ports,
          log,
          {.read = [this] { return reset_control.read(); }, .write = [this](u8 v) { reset_control.write(v); }}},
      host_bridge{hooks.shadow},
      isa_bridge{pci_isa},
      ide{ports, isa.line(14), isa.line(15), scheduler, memory, log},
      power_function{[this](std::optional<u16> base) { acpi.set_io_base(base); }},
      dma{ports, memory, log},
      floppy{ports, isa.line(6), scheduler, dma, log},
      fw_cfg{ports, memory, log},
      keyboard{scheduler, log},
      mouse{scheduler, log},
      keyboard_controller{
          ports,     isa.line(1), isa.line(12),
          scheduler, log,         {.set_a20 = hooks.a20_from_keyboard, .a20 = hooks.a20, .reset_request = hooks.reset},
          keyboard,  &mouse},
      post_port{ports},
      vga{ports, mmio, scheduler, vram, log},
      vga_function{vga, mmio, parts.firmware.vga_bios, hooks.framebuffer},
      screen{vga} {
    for (u32 i = 0; i < 2; ++i) {
        serial_sinks[i] = or_nothing(std::move(parts.serial[i]));
        serial[i] = std::make_unique<Uart>(ports, serial_ports[i], isa.line(serial_irqs[i]), scheduler,
                                           *serial_sinks[i], std::move(parts.on_serial_ready[i]));
    }
    if (parts.debug_console) {
        debug_sink = std::move(parts.debug_console);
        debug_console = std::make_unique<DebugConsole>(ports, *debug_sink);
    }
    attach_drives(parts);
    if (config.debug_exit) debug_exit = std::make_unique<DebugExit>(ports, hooks.debug_exit);
    if (config.test_device) test_device = std::make_unique<TestDevice>(ports, mmio);
    pci.attach(0, 0, host_bridge);
    pci.attach(1, 0, isa_bridge);
    pci.attach(1, 1, ide);
    pci.attach(1, 3, power_function);
    pci.attach(vga_slot, 0, vga_function);
}

// The I/O APIC sees the ISA lines too; the timer is on its pin 2, as the firmware's tables say.
void Board::Chips::set_isa_line(u8 line, bool level) {
    pic.set_irq(line, level);
    io_apic.set_irq(line == 0 ? 2 : line, level);
}

// hda and hdb on the first channel, hdc and hdd on the second; a CD drive in hdc's place unless there is a disk.
void Board::Chips::attach_drives(BoardParts& parts) {
    bool third_disk = parts.disks[2] != nullptr;
    for (u8 i = 0; i < 4; ++i) {
        if (!parts.disks[i]) continue;
        disks[i] = parts.disks[i].get();
        ide.attach_disk(i / 2, i % 2, std::move(parts.disks[i]));
    }
    // The first floppy drive is always there, the second one only with a disk.
    for (u8 i = 0; i < 2; ++i)
        if (i == 0 || parts.floppies[i] || parts.second_floppy_drive) floppy.attach(i, std::move(parts.floppies[i]));
    if (!third_disk) cd = &ide.attach_cd(1, 0, std::move(parts.cd));
}

std::vector<Device*> Board::Chips::all() {
    std::vector<Device*> list = {&pic,
                                 &local_apic,
                                 &io_apic,
                                 &pit,
                                 &hpet,
                                 &acpi,
                                 &rtc,
                                 &system_ports,
                                 &reset_control,
                                 &pci,
                                 &host_bridge,
                                 &isa_bridge,
                                 &ide,
                                 &dma,
                                 &floppy,
                                 &power_function,
                                 &fw_cfg,
                                 &keyboard,
                                 &mouse,
                                 &keyboard_controller,
                                 &coprocessor_error};
    for (auto& uart : serial) list.push_back(uart.get());
    list.push_back(&post_port);
    list.push_back(&vga);
    list.push_back(&vga_function);
    if (test_device) list.push_back(test_device.get());
    return list;
}

}  // namespace vellum
