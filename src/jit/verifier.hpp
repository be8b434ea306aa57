// The proof of isolation: decodes what was emitted, as the host will, and refuses what breaks one of the rules below.
// It knows nothing of the translator and takes nothing from it but the bytes.
//
// What holds at the entry of every block, and must hold again wherever control leaves it (branches out, calls,
// returns; places after calls are entered like the block itself):
//   * rax rcx rdx rbx rbp rsi rdi are zero-extended; r13 and gs.base are the window, r15 the CpuState;
//   * r12 is at most 1 MiB away from the window ("drift").
//
// list:      only instructions of a positive list, by mnemonic and instruction set; no VEX but BMI2 shifts and ANDN;
//            no fs:, no XACQUIRE, no segment, control or debug registers.
// registers: r13, r15 and rsp are never written, nor read but as the base of an operand (r13 in LEA too). Guest
//            registers get 32-bit results, or 64-bit ones that are surely small: MOVZX, MOV and XCHG of zero-extended
//            registers, MOV of an immediate below 4 GiB.
// memory:    [r12+d] with |d| <= 1 MiB; [r13+d] with d >= 0; [r13+g+d] with |d| < 64 KiB, unscaled, g a guest register
//            or a scratch register whose last result was of 32 bits; gs: with 32-bit addressing; [r15+d] where
//            `may_touch_state` says so; RIP-relative where `may_touch` does. Bit tests with a register offset: gs only.
//            FXSAVE, FXRSTOR and stores of 64-bit general registers (host addresses?): not through the window.
// drift:     `lea r12,[r12+i]` adds |i|; a 16-bit write rounds up to 64 KiB; `lea r12,[r13+g+d]` sets |d|. A load or
//            store of [r12+d] that surely happens sets |d|: outside of the window it would have faulted. Where control
//            leaves there may be 1 MiB at most, so a block that moves r12 must also access the stack through it, or
//            normalise. Leaving to a place that sets r12 anew is free.
// low half:  after a 32-bit write of r12d nothing may access the window, nor branch, until `lea r12,[r12+r13]`.
// strings:   `lea rsi,[rsi+r13]` (rdi alike); until a 32-bit write of esi nothing but the string instruction uses it,
//            nothing else accesses the window, and nothing branches. LODS may use gs:[esi] instead.
// poll:      `mov r64,[r15+poll]` and, next, `mov r32,[r64]`, both scratch. Nothing else knows where the poll leads.
// flags:     `pushfq` and, next, `pop r64`. `and r32,i` (i: bits of CD5), perhaps `or r32,i` (of 202), `push r64` and,
//            next, `popfq`.
// branches:  direct ones (LOOP with 67 too), without 66, to an instruction inside or where `may_reach` says so; those
//            that may be linked later count as leaving; `ret`; nothing else. Control never runs off the end. INT3 only
//            where nothing leads.
// exits:     control gets to `exit` and `checked_store` only with r10 loaded by `mov r10,i` with one of `exit_sites`,
//            which C++ will follow.
// stores:    [r8], of at most 16 bytes, only in the instruction behind a call of `checked_store`, where nothing else
//            leads; and in the one behind a load from there into another scratch register.
// locks:     no LOCK, and no XCHG with memory, unless `may_lock`.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/types.hpp"

namespace vellum {

struct EmittedCode {
    enum class Way : u8 { Jump, Call };

    std::span<const u8> bytes;
    u64 address = 0;  // host address at which the bytes will run
    // May code here leave `bytes` for that address, in that way? (Runtime stubs.) Not set: never.
    std::function<bool(u64 target, Way way)> may_reach;
    // Those of them that take r12 from its low half before anything uses it: control may come with r12 up to 2 MiB
    // away. Not set: none.
    std::function<bool(u64 target)> renews_stack_pointer;
    // Offsets of displacements of JMP and Jcc that may be changed later, to lead to the entry of any block.
    std::vector<u32> links;
    // The stub that wants an exit site in r10 (0: none is known), and the values that are one.
    u64 exit = 0;
    std::vector<u64> exit_sites;
    // The stub that gives back in r8 where the guest may write up to 16 bytes; it wants an exit site too. 0: none.
    u64 checked_store = 0;
    // May it lock accesses to memory? Not while nobody else sees the guest's.
    bool may_lock = false;
    // May [r15 + offset] touch those bytes? The poll has a rule of its own. Not set: none.
    std::function<bool(u64 offset, u32 bytes, bool write)> may_touch_state;
    // May RIP-relative operands touch those bytes? Not set: none.
    std::function<bool(u64 address, u32 bytes, bool write)> may_touch;
};

// nullopt: sound. Otherwise one line: offset, instruction, the rule that it breaks.
std::optional<std::string> verify(const EmittedCode& code);

}  // namespace vellum
