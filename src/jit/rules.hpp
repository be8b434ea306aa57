// The positive list: which instructions are translated, and how. What is not named here is left to the interpreter.
#pragma once

#include "cpu/instruction.hpp"
#include "jit/mode.hpp"

namespace vellum {

enum class Rule : u8 {
    Interpret,  // ends the block
    Ident,      // the same bytes, operands renamed
    Nothing,    // no-operations
    Lea,
    Xlat,
    Push,
    Pop,
    PushAll,
    PopAll,
    PushSegment,
    FromSegment,  // MOV r, Sreg
    ToSegment,    // MOV Sreg, r/m with what it holds already
    PopSegment,   // the same
    FromControl,  // MOV r, CRn
    ToControl,    // MOV CR2, r; MOV CR0 or CR4, r with what it holds already
    Leave,
    PushFlags,
    PopFlags,
    Cli,
    Sti,
    TimeStamp,
    CheckedStore,  // Ident that writes memory, at an adaptive site: a function says where
    String,
    Jump,  // from here on: ends the block
    Branch,
    Loop,  // LOOPcc, JCXZ
    Call,
    LoadFs,  // MOV FS, r/m while it is null
    JumpIndirect,
    CallIndirect,
    Return,
};

constexpr bool ends_block(Rule rule) { return rule == Rule::Interpret || rule >= Rule::Jump; }

// Where a direct branch leads to; `next`: EIP behind it.
constexpr u32 direct_target(const Instruction& in, u32 next) {
    u32 target = next + in.immediate;
    return in.operand_size == 2 ? target & 0xFFFF : target;
}

Rule rule_for(const Instruction& in, const CodeMode& mode);

// May it be a CheckedStore, where its rule is Ident?
bool may_be_checked_store(const Instruction& in, const CodeMode& mode);

// Does it lock its memory operand, by LOCK or as XCHG does without being asked to (SDM 3A, 8.1.2)?
bool locks_memory(const Instruction& in);
// ... which is elsewhere than its address says, by the bit offset in a register?
bool locks_bit_string(const Instruction& in);

// Does it use x87, MMX or SSE state?
bool uses_fpu(const Instruction& in);
// Are all the arithmetic flags that it names as written surely overwritten? (Not: shifts by CL, repeated strings.)
u32 flags_surely_written(const Instruction& in);

}  // namespace vellum
