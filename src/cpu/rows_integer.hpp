// The subjects that make up integer_rows() and control_rows(), and the specialised Executes of all of them.
#pragma once

#include <span>

#include "cpu/instruction.hpp"
#include "cpu/operands.hpp"

namespace vellum {

std::span<const InstructionRow> arithmetic_rows();  // ADD to CMP, INC, MUL, DIV, CMPXCHG, ...
std::span<const InstructionRow> move_rows();        // MOV, XCHG, LEA, CMOVcc, SETcc, conversions, NOPs
std::span<const InstructionRow> shift_rows();
std::span<const InstructionRow> bit_rows();
std::span<const InstructionRow> decimal_rows();  // BCD, and the instructions on single flags
std::span<const InstructionRow> branch_rows();
std::span<const InstructionRow> stack_rows();

std::span<const Specialisation> arithmetic_specialisations();
std::span<const Specialisation> move_specialisations();
std::span<const Specialisation> shift_specialisations();
std::span<const Specialisation> branch_specialisations();
std::span<const Specialisation> stack_specialisations();

}  // namespace vellum
