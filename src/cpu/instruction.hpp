// A decoded guest instruction: what the interpreter executes and the translator reads.
#pragma once

#include <Zydis/Mnemonic.h>

#include <array>

#include "cpu/fault.hpp"
#include "cpu/state.hpp"

namespace vellum {

class Cpu;
struct Instruction;

using Mnemonic = ZydisMnemonic;  // ZYDIS_MNEMONIC_ADD, ...

struct Operand {
    enum class Kind : u8 { None, Gpr, Segment, Control, Debug, Mmx, Xmm, X87, Memory, Immediate, Relative, FarPointer };
    enum Access : u8 { Read = 1, Write = 2 };
    Kind kind = Kind::None;
    u8 reg = 0;     // as encoded: for size 1, 0-3 are AL CL DL BL and 4-7 AH CH DH BH
    u8 size = 0;    // bytes
    u8 access = 0;  // Access bits
};

// There is at most one memory operand with a ModRM or moffs form. String instructions have none here: they are
// known by mnemonic, use address_size and segment_override.
struct MemoryOperand {
    static constexpr u8 none = 0xFF;
    Seg segment = Seg::Ds;  // effective, override applied
    u8 base = none, index = none, scale = 1;
    u32 displacement = 0;  // sign-extended; add modulo 2^16 or 2^32 by address_size
};

// One row for each instruction (docs/architecture.md): how it is executed and how it is translated. The classes are
// those of Adams and Agesen 2006; whether an operand is in memory is seen from the operands.
enum class TranslationClass : u8 {
    Ident,      // same instruction on the host, memory operand through the window
    Stack,      // push, pop, enter, leave: stores and loads around one change of the stack pointer
    String,     // host string instruction with rebased pointers
    Control,    // direct, indirect and return transfers inside one code segment
    Inline,     // sensitive, emulated inside the code cache
    Callout,    // a call into the monitor
    Interpret,  // a callout that lets the interpreter do this one instruction
};

// Executes with EIP still at the instruction. Returns none when it retired normally (see Fault::Kind); on an
// exception nothing the manual says is unchanged has been changed.
using Execute = Fault (*)(Cpu&, const Instruction&);

struct InstructionRow {
    Mnemonic mnemonic;
    Execute execute;
    TranslationClass translation;
};

struct Instruction {
    Execute execute = nullptr;  // from the row; the interpreter may put a more special one here
    const InstructionRow* row = nullptr;
    Mnemonic mnemonic = ZYDIS_MNEMONIC_INVALID;
    u8 length = 0;
    u8 operand_size = 4;                                        // 2 or 4
    u8 address_size = 4;                                        // 2 or 4
    bool lock : 1 = false, rep : 1 = false, repne : 1 = false;  // F0, F3, F2 present (F3 wins as the later one)
    bool operand_size_prefix : 1 = false, has_modrm : 1 = false, has_memory : 1 = false;
    bool names_stack_register : 1 = false;                 // an operand is SP or ESP (not: an address)
    bool names_high_byte : 1 = false;                      // ... AH, CH, DH or BH
    bool names_vector : 1 = false, names_xmm : 1 = false;  // ... an MMX or XMM register; an XMM register
    u8 segment_override = 0xFF;                            // Seg, or 0xFF
    u8 opcode_map = 0;                                     // 0: one byte, 1: 0F, 2: 0F38, 3: 0F3A
    u8 opcode = 0, modrm = 0;
    std::array<Operand, 4> op{};  // visible operands in Intel order
    MemoryOperand memory{};
    u32 immediate = 0;   // sign-extended to operand size where the manual says so; relative: the displacement
    u32 immediate2 = 0;  // ENTER's level, far pointer's selector
    u32 flags_read = 0, flags_written = 0, flags_undefined = 0;  // EFLAGS bits; written includes undefined
    std::array<u8, 15> bytes{};

    Seg string_segment() const { return segment_override == 0xFF ? Seg::Ds : static_cast<Seg>(segment_override); }
};

inline bool is_x87(const Instruction& in) { return in.opcode_map == 0 && in.opcode >= 0xD8 && in.opcode <= 0xDF; }

// A shift or rotation by an immediate or by CL: OF is undefined if the count is not 1 (SDM vol. 2, RCL, SAL).
inline bool shifts_by_count(const Instruction& in) {
    return in.opcode_map == 0 && ((in.opcode & 0xFE) == 0xC0 || (in.opcode & 0xFE) == 0xD2);
}

}  // namespace vellum
