// The processor's registers as GDB numbers them, and the description of that in GDB's XML ("Debugging with GDB",
// appendix G: features org.gnu.gdb.i386.core and .sse), with the control registers in a feature of our own.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cpu/cpu.hpp"

namespace vellum {

std::size_t gdb_register_count();
std::string gdb_target_description();

// Little endian, of the register's size. nullopt: no such register.
std::optional<std::vector<u8>> read_gdb_register(const Cpu& cpu, std::size_t number);
// All registers in a row.
std::vector<u8> read_gdb_registers(const Cpu& cpu);

// Bits that do not exist stay as they are. False: no such register, the wrong size, or a change that a debugger cannot
// make (segment selectors whose descriptor is not right, control registers).
bool write_gdb_register(Cpu& cpu, std::size_t number, std::span<const u8> bytes);
bool write_gdb_registers(Cpu& cpu, std::span<const u8> bytes);  // those that differ, until one cannot be written

}  // namespace vellum
