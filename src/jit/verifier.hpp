// The proof of isolation: decodes what was emitted, as the host will, and refuses what breaks a rule of DESIGN
// section 3. It knows nothing of the translator and takes nothing from it but the bytes.
//
// What holds at the entry of every block, and must hold again wherever control leaves it (branches out, calls, returns;
// places after calls and `entries` are entered like the block itself):
//   * rax rcx rdx rbx rbp rsi rdi are zero-extended; r13 is the window, r15 the CpuState, gs.base the window;
//   * r12 is at most 1 MiB away from the window ("drift").
// Inside, by rule:
//   list       only instructions of a positive list, by mnemonic and instruction set; no VEX but BMI2 shifts and ANDN
//   on
//              registers; no fs:, no 66 on branches, no XACQUIRE, no segment, control or debug registers.
//   registers  r13, r15 and rsp are never written, nor read but as the base of an operand (r13 in LEA too). Guest
//              registers get 32-bit results, or 64-bit ones that are surely small: MOVZX, MOV and XCHG of zero-extended
//              registers, MOV of an immediate below 4 GiB.
//   memory     [r12+d] |d| <= 1 MiB, with r12 a pointer; [r13+d] 0 <= d; [r13+g+d] |d| < 64 KiB, unscaled, g a guest
//   register
//              or a scratch register that a 32-bit result was written to; gs: with 32-bit addressing; [r15+d] inside
//              `state_bytes`; RIP-relative where `may_touch` says so. Bit tests with a register offset: gs only. FXSAVE
//              and FXRSTOR: not through the window. 64-bit general registers are not stored through it (they may hold
//              host addresses).
//   drift      `lea r12,[r12+i]` adds |i|; a 16-bit write rounds up to 64 KiB. A load or store [r12+d] that surely
//   happens leaves
//              |d|: it would have faulted outside. `lea r12,[r13+g+d]` sets |d|. It must be at most 1 MiB where control
//              leaves. So: a block that moves r12 either accesses the stack after it or at most 1 MiB before it, or
//              normalises.
//   low half   after a 32-bit write of r12d nothing may access memory that could fault, nor branch, until
//              `lea r12,[r12+r13]`.
//   strings    `lea rsi,[rsi+r13]` (rdi alike); until a 32-bit write of esi nothing but the string instruction uses it,
//              and nothing branches. MOVS and CMPS need both, LODS rsi, STOS and SCAS rdi. LODS may use gs:[esi].
//   poll       `mov r64,[r15+poll]` and, next, `mov r32,[r64]`, both scratch.
//   flags      `pushfq` and, next, `pop r64`. `and r32,CD5-subset`, perhaps `or r32,202-subset`, `push r64`, next
//   `popfq`. branches   direct ones to an instruction inside or where `may_reach` says so; `ret`; nothing else. Control
//   never
//              runs off the end. INT3 only where nothing leads.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/types.hpp"

namespace vellum {

struct EmittedCode {
    std::span<const u8> bytes;
    u64 address = 0;  // host address at which the bytes will run
    // May code here branch or call out of `bytes` to that address? (Block entries, runtime stubs.)
    std::function<bool(u64 target)> may_reach;
    // Those of them that take r12 from its low half before anything uses it: control may come with r12 up to 2 MiB
    // away. Not set: none.
    std::function<bool(u64 target)> renews_stack_pointer;
    // Offsets at which other code enters, besides 0 and the places after calls.
    std::vector<u32> entries;
    // Offsets of displacements of JMP and Jcc that may be changed later, to lead to the entry of any block.
    std::vector<u32> links;
    u32 state_bytes = 4096;  // [r15 + d] reaches this far
    // May RIP-relative operands touch those bytes? Not set: none.
    std::function<bool(u64 address, u32 bytes, bool write)> may_touch;
};

// nullopt: sound. Otherwise one line: offset, instruction, the rule that it breaks.
std::optional<std::string> verify(const EmittedCode& code);

}  // namespace vellum
