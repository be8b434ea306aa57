// System instructions that share a mnemonic with ordinary ones, and checks that other chapters need.
#pragma once

#include "cpu/cpu.hpp"

namespace vellum {

// May the current program use these ports? IOPL first, then the bitmap of a 32-bit TSS; #GP(0) when not.
Fault check_io_permission(Cpu& cpu, u16 port, u8 size);

// Accesses to ports, as the guest's breakpoints see them. They are permitted already.
u32 read_port(Cpu& cpu, u16 port, u8 size);
void write_port(Cpu& cpu, u16 port, u8 size, u32 value);

// Zydis has one mnemonic for all MOVs, PUSHes, JMPs and so on. The function for the forms with a segment, control or
// debug register and for far transfers; null for every other instruction. To be put into Instruction::execute.
Execute system_form(const Instruction& in);

// The functions that system_form chooses from.
Fault mov_segment(Cpu& cpu, const Instruction& in);
Fault mov_control(Cpu& cpu, const Instruction& in);
Fault mov_debug(Cpu& cpu, const Instruction& in);
Fault push_segment(Cpu& cpu, const Instruction& in);
Fault pop_segment(Cpu& cpu, const Instruction& in);
Fault jmp_far(Cpu& cpu, const Instruction& in);
Fault call_far(Cpu& cpu, const Instruction& in);
Fault ret_far(Cpu& cpu, const Instruction& in);

// The rows by subject; system_rows() joins them.
std::span<const InstructionRow> segment_rows();    // LxS, LLDT.. ARPL
std::span<const InstructionRow> interrupt_rows();  // INT.. IRET, CLI STI PUSHF POPF, HLT, SYSENTER, UDn
std::span<const InstructionRow> machine_rows();    // control registers, descriptor tables, caches, ports, MSRs, CPUID

}  // namespace vellum
