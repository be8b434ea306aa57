// From an instruction to its row and to the function that executes it best.
#pragma once

#include "cpu/instruction.hpp"

namespace vellum {

// The row by mnemonic and, where one mnemonic names instructions of several chapters, by operands: MOV, PUSH and POP
// (of segment, control and debug registers: system), JMP, CALL and RET (far: system), MOVSD and CMPSD (string, SSE2).
// Null: #UD.
const InstructionRow* find_row(const Instruction& in);

// The most special function for the instruction, whose `row` is set; the row's own when there is none.
Execute specialised(const Instruction& in);

}  // namespace vellum
