// Delivery of exceptions and interrupts through the interrupt table of every mode, and IRET (SDM 3A chapter 6, SDM 2
// INT and IRET).
#pragma once

#include "cpu/cpu.hpp"

namespace vellum {

// Delivers an exception of the instruction at EIP (or, for traps, before EIP). A second exception on the way becomes
// #DF or is delivered in turn, a third one shuts down (SDM 3A table 6-5). Returns Fault::retired() with CS:EIP at the
// handler, or Fault::shutdown() with the activity set accordingly.
Fault deliver_exception(Cpu& cpu, Fault fault);

// The same two results; exceptions on the way are delivered instead. Both end a HLT.
Fault deliver_external_interrupt(Cpu& cpu, u8 vector);
Fault deliver_nmi(Cpu& cpu);  // blocks further ones until IRET

enum class SoftwareInterrupt : u8 { IntN, Int3, Into, Int1 };
// INT n and its kin at EIP, `length` bytes long (0: EIP is past it already). Returns Fault::retired() at the handler,
// or the exception of the instruction with nothing changed.
Fault software_interrupt(Cpu& cpu, u8 vector, SoftwareInterrupt kind, u8 length = 0);

// IRET and IRETD at EIP. Returns Fault::retired() or an exception.
Fault interrupt_return(Cpu& cpu, u8 operand_size, u8 length);

}  // namespace vellum
