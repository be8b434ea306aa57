// Where things are on the board, for those who wire them and for the tables that tell the guest.
#pragma once

#include "base/types.hpp"

namespace vellum {

constexpr u16 serial_ports[2] = {0x3F8, 0x2F8};
constexpr u8 serial_irqs[2] = {4, 3};
constexpr u8 vga_slot = 2, acpi_irq = 9;
constexpr u16 pm_address = 0x600, gpe_address = 0xAFE0;  // the first is where SeaBIOS puts it
constexpr u32 io_apic_address = 0xFEC00000, local_apic_address = 0xFEE00000, hpet_address = 0xFED00000;
constexpr u32 hpet_identity = 0x8086A201;  // the low half of its capabilities

}  // namespace vellum
