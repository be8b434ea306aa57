// What surrounds SSE and MMX computation: when the unit may be used, alignment, FXSAVE and MXCSR, masked stores,
// fences.
#pragma once

#include "cpu/cpu.hpp"

namespace vellum {

Fault check_sse(const Cpu& cpu);  // #UD without CR4.OSFXSR or with CR0.EM, #NM with CR0.TS
Fault check_mmx(Cpu& cpu);        // #UD with CR0.EM, #NM with CR0.TS, then pending x87 exceptions
// What every MMX instruction does to the x87 unit: TOP becomes zero and all registers valid. Hardware does it even
// where the instruction then ends in an SSE exception, or MASKMOVQ in a page fault.
void enter_mmx(FxImage& fpu);
// 16-byte operands of most SSE instructions: #GP(0) unless the linear address is aligned.
Fault check_aligned(const Cpu& cpu, Seg segment, u32 offset);

// #AC for operands that are not naturally aligned, as Cpu::check_alignment. For those of 16 bytes, where they need not
// be aligned otherwise, the manual leaves it to the processor (SDM 2, MOVUPS; 3A table 6-7 has it); AMD's do it.
Fault check_natural_alignment(const Cpu& cpu, Seg segment, u32 offset, u32 bytes, Access access);

Fault execute_fxsave(Cpu& cpu, const Instruction& in);
Fault execute_fxrstor(Cpu& cpu, const Instruction& in);
Fault execute_ldmxcsr(Cpu& cpu, const Instruction& in);
Fault execute_stmxcsr(Cpu& cpu, const Instruction& in);
Fault execute_maskmovq(Cpu& cpu, const Instruction& in);
Fault execute_maskmovdqu(Cpu& cpu, const Instruction& in);
Fault execute_fence(Cpu& cpu, const Instruction& in);
Fault execute_clflush(Cpu& cpu, const Instruction& in);

}  // namespace vellum
