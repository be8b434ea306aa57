// Where each chapter of the instruction table lives. rows_*.cpp hold the rows beside the functions they name.
#pragma once

#include <span>

#include "cpu/instruction.hpp"

namespace vellum {

std::span<const InstructionRow> integer_rows();  // moves, ALU, shifts, bits, BCD, flags
std::span<const InstructionRow> control_rows();  // near jumps, calls, returns, loops, ENTER/LEAVE, push and pop
std::span<const InstructionRow> string_rows();   // MOVS CMPS SCAS LODS STOS INS OUTS
std::span<const InstructionRow> system_rows();   // segments, far transfers, interrupts, control registers, I/O, CPUID
std::span<const InstructionRow> x87_rows();
std::span<const InstructionRow> simd_rows();  // MMX, SSE to SSE4.2, AES, PCLMULQDQ, SHA, FXSAVE family

// MOVSD and CMPSD are names of string instructions too: the row of the SSE2 instruction if `in` is one of those.
const InstructionRow* simd_row_of_shared_name(const Instruction& in);

}  // namespace vellum
