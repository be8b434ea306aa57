// Where the board has what its chips do not fix themselves, for those who wire it and for the tables that tell the
// guest.
#pragma once

#include "base/types.hpp"

namespace vellum {

constexpr u16 serial_ports[2] = {0x3F8, 0x2F8};
constexpr u8 serial_irqs[2] = {4, 3};
constexpr u8 vga_slot = 2, acpi_irq = 9;
constexpr u16 pm_address = 0x600;  // where SeaBIOS puts the PM block when it is given tables

}  // namespace vellum
