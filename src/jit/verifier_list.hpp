// The verifier's positive list: which host instructions may be in the code cache at all, whatever their operands.
#pragma once

#include <Zydis/Zydis.h>

#include "base/types.hpp"

namespace vellum {

// How the verifier follows an instruction.
enum class HostClass : u8 {
    Refused,
    Plain,      // operands tell all
    Nop,        // memory operands are not accessed
    Hint,       // PREFETCHx, CLFLUSH: the operand is checked, but proves nothing: it may not fault
    Keeps,      // may leave its destination as it was: proves no zero-extension
    BitString,  // BT, BTS, BTR, BTC: reaches far beyond its operand when the offset is in a register
    FxImage,    // FXSAVE, FXRSTOR
    String,
    Jump,
    Branch,  // Jcc, JECXZ, JRCXZ
    Call,
    Return,
    PushFlags,
    PopFlags,
    Push,
    Pop,
    Breakpoint,
};

HostClass host_class(const ZydisDecodedInstruction& instruction);

}  // namespace vellum
