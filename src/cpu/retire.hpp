// What an instruction, or the delivery of something, came to: EIP, the count of instructions, exceptions, debug traps.
// And instructions that somebody else has fetched and decoded.
#pragma once

#include "cpu/cpu.hpp"

namespace vellum {

// The instruction at EIP, `length` bytes long, gave `f`. False: it raised an exception, which is delivered now, and did
// not retire.
bool retire(Cpu& cpu, Fault f, u32 length);

// Delivers an exception. It counts as an instruction: a handler that faults at its first instruction, again and again,
// would otherwise never reach the limit (and, where instructions are the clock, time would stand still).
void raise(Cpu& cpu, Fault f);

// `retire`, and the debug traps behind the instruction. `held_off`: those that waited before it. Was an exception
// delivered?
bool conclude(Cpu& cpu, Fault f, u32 length, u32 held_off, bool single_step);

// Names the function of a decoded instruction. False: it is #UD, or repeats itself up to the instruction limit.
bool prepare(Instruction& in);
// Executes what `prepare` said yes to, whose bytes are those at CS:EIP. Nothing but the instruction and what it touches
// has to be thought of: no TF, RF, shadow, breakpoint at CS:EIP or waiting debug trap. Was an exception delivered?
bool execute_prepared(Cpu& cpu, const Instruction& in);

}  // namespace vellum
