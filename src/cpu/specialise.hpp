// From an instruction to the function that executes it best.
#pragma once

#include "cpu/instruction.hpp"

namespace vellum {

// The most special function for the instruction, whose `row` is set; the row's own when there is none.
Execute specialised(const Instruction& in);

}  // namespace vellum
