// Far JMP, CALL and RET in all modes: code segments, call gates with a change of stack, tasks (SDM 3A 5.8, 7.3).
//
// `next_eip` is the instruction after this one: what a call pushes and a task switch saves. All return
// Fault::retired() when CS:EIP is the target; on a fault nothing has changed, but for faults of a task switch that
// belong to the new task.
#pragma once

#include "cpu/segments.hpp"

namespace vellum {

Fault far_jump(Cpu& cpu, u16 selector, u32 offset, u8 operand_size, u32 next_eip);
Fault far_call(Cpu& cpu, u16 selector, u32 offset, u8 operand_size, u32 next_eip);
Fault far_return(Cpu& cpu, u8 operand_size, u16 bytes_to_drop);

// Puts a checked code segment into CS. The RPL of CS becomes `cpl`.
void enter_code(CpuState& state, u16 selector, const Descriptor& code, u8 cpl, u32 eip);

// RETF and IRET: a code segment that may be returned to with the RPL of `selector`, not less privileged than CPL.
OrFault<Descriptor> read_return_code_descriptor(Cpu& cpu, u16 selector);

// The second half of RETF and IRET to an outer level: SS and ESP come from the old stack, unusable segments become
// null.
Fault return_to_outer_stack(Cpu& cpu, u16 ss_selector, u32 esp, u16 cs_selector, const Descriptor& code, u32 eip);

}  // namespace vellum
