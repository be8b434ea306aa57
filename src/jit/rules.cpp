// The positive list, by mnemonic and operand form. An instruction is here only if its bytes mean the same in 64-bit
// mode once prefixes and operands are rewritten (SDM vol. 2, appendix A; the list that bites in docs/architecture.md).
#include "jit/rules.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "cpu/interpreter.hpp"

namespace vellum {

namespace {

struct Entry {
    Mnemonic mnemonic;
    Rule rule;
};

constexpr Entry integer_entries[] = {
    {ZYDIS_MNEMONIC_ADC, Rule::Ident},
    {ZYDIS_MNEMONIC_ADD, Rule::Ident},
    {ZYDIS_MNEMONIC_AND, Rule::Ident},
    {ZYDIS_MNEMONIC_BSF, Rule::Ident},
    {ZYDIS_MNEMONIC_BSR, Rule::Ident},
    {ZYDIS_MNEMONIC_BSWAP, Rule::Ident},
    {ZYDIS_MNEMONIC_BT, Rule::Ident},
    {ZYDIS_MNEMONIC_BTC, Rule::Ident},
    {ZYDIS_MNEMONIC_BTR, Rule::Ident},
    {ZYDIS_MNEMONIC_BTS, Rule::Ident},
    {ZYDIS_MNEMONIC_CBW, Rule::Ident},
    {ZYDIS_MNEMONIC_CDQ, Rule::Ident},
    {ZYDIS_MNEMONIC_CLC, Rule::Ident},
    {ZYDIS_MNEMONIC_CLD, Rule::Ident},
    {ZYDIS_MNEMONIC_CMC, Rule::Ident},
    {ZYDIS_MNEMONIC_CMOVB, Rule::Ident},
    {ZYDIS_MNEMONIC_CMOVBE, Rule::Ident},
    {ZYDIS_MNEMONIC_CMOVL, Rule::Ident},
    {ZYDIS_MNEMONIC_CMOVLE, Rule::Ident},
    {ZYDIS_MNEMONIC_CMOVNB, Rule::Ident},
    {ZYDIS_MNEMONIC_CMOVNBE, Rule::Ident},
    {ZYDIS_MNEMONIC_CMOVNL, Rule::Ident},
    {ZYDIS_MNEMONIC_CMOVNLE, Rule::Ident},
    {ZYDIS_MNEMONIC_CMOVNO, Rule::Ident},
    {ZYDIS_MNEMONIC_CMOVNP, Rule::Ident},
    {ZYDIS_MNEMONIC_CMOVNS, Rule::Ident},
    {ZYDIS_MNEMONIC_CMOVNZ, Rule::Ident},
    {ZYDIS_MNEMONIC_CMOVO, Rule::Ident},
    {ZYDIS_MNEMONIC_CMOVP, Rule::Ident},
    {ZYDIS_MNEMONIC_CMOVS, Rule::Ident},
    {ZYDIS_MNEMONIC_CMOVZ, Rule::Ident},
    {ZYDIS_MNEMONIC_CMP, Rule::Ident},
    {ZYDIS_MNEMONIC_CMPXCHG, Rule::Ident},
    {ZYDIS_MNEMONIC_CMPXCHG8B, Rule::Ident},
    {ZYDIS_MNEMONIC_CRC32, Rule::Ident},
    {ZYDIS_MNEMONIC_CWD, Rule::Ident},
    {ZYDIS_MNEMONIC_CWDE, Rule::Ident},
    {ZYDIS_MNEMONIC_DEC, Rule::Ident},
    {ZYDIS_MNEMONIC_DIV, Rule::Ident},
    {ZYDIS_MNEMONIC_IDIV, Rule::Ident},
    {ZYDIS_MNEMONIC_IMUL, Rule::Ident},
    {ZYDIS_MNEMONIC_INC, Rule::Ident},
    {ZYDIS_MNEMONIC_LAHF, Rule::Ident},
    {ZYDIS_MNEMONIC_LFENCE, Rule::Ident},
    {ZYDIS_MNEMONIC_MFENCE, Rule::Ident},
    {ZYDIS_MNEMONIC_MOV, Rule::Ident},
    {ZYDIS_MNEMONIC_MOVNTI, Rule::Ident},
    {ZYDIS_MNEMONIC_MOVSX, Rule::Ident},
    {ZYDIS_MNEMONIC_MOVZX, Rule::Ident},
    {ZYDIS_MNEMONIC_MUL, Rule::Ident},
    {ZYDIS_MNEMONIC_NEG, Rule::Ident},
    {ZYDIS_MNEMONIC_NOT, Rule::Ident},
    {ZYDIS_MNEMONIC_OR, Rule::Ident},
    {ZYDIS_MNEMONIC_PAUSE, Rule::Ident},
    {ZYDIS_MNEMONIC_POPCNT, Rule::Ident},
    {ZYDIS_MNEMONIC_RCL, Rule::Ident},
    {ZYDIS_MNEMONIC_RCR, Rule::Ident},
    {ZYDIS_MNEMONIC_ROL, Rule::Ident},
    {ZYDIS_MNEMONIC_ROR, Rule::Ident},
    {ZYDIS_MNEMONIC_SAHF, Rule::Ident},
    {ZYDIS_MNEMONIC_SAR, Rule::Ident},
    {ZYDIS_MNEMONIC_SBB, Rule::Ident},
    {ZYDIS_MNEMONIC_SETB, Rule::Ident},
    {ZYDIS_MNEMONIC_SETBE, Rule::Ident},
    {ZYDIS_MNEMONIC_SETL, Rule::Ident},
    {ZYDIS_MNEMONIC_SETLE, Rule::Ident},
    {ZYDIS_MNEMONIC_SETNB, Rule::Ident},
    {ZYDIS_MNEMONIC_SETNBE, Rule::Ident},
    {ZYDIS_MNEMONIC_SETNL, Rule::Ident},
    {ZYDIS_MNEMONIC_SETNLE, Rule::Ident},
    {ZYDIS_MNEMONIC_SETNO, Rule::Ident},
    {ZYDIS_MNEMONIC_SETNP, Rule::Ident},
    {ZYDIS_MNEMONIC_SETNS, Rule::Ident},
    {ZYDIS_MNEMONIC_SETNZ, Rule::Ident},
    {ZYDIS_MNEMONIC_SETO, Rule::Ident},
    {ZYDIS_MNEMONIC_SETP, Rule::Ident},
    {ZYDIS_MNEMONIC_SETS, Rule::Ident},
    {ZYDIS_MNEMONIC_SETZ, Rule::Ident},
    {ZYDIS_MNEMONIC_SFENCE, Rule::Ident},
    {ZYDIS_MNEMONIC_SHL, Rule::Ident},
    {ZYDIS_MNEMONIC_SHLD, Rule::Ident},
    {ZYDIS_MNEMONIC_SHR, Rule::Ident},
    {ZYDIS_MNEMONIC_SHRD, Rule::Ident},
    {ZYDIS_MNEMONIC_STC, Rule::Ident},
    {ZYDIS_MNEMONIC_STD, Rule::Ident},
    {ZYDIS_MNEMONIC_SUB, Rule::Ident},
    {ZYDIS_MNEMONIC_TEST, Rule::Ident},
    {ZYDIS_MNEMONIC_XADD, Rule::Ident},
    {ZYDIS_MNEMONIC_XCHG, Rule::Ident},
    {ZYDIS_MNEMONIC_XOR, Rule::Ident},
    {ZYDIS_MNEMONIC_NOP, Rule::Nothing},
    {ZYDIS_MNEMONIC_ENDBR32, Rule::Nothing},
    {ZYDIS_MNEMONIC_ENDBR64, Rule::Nothing},
    {ZYDIS_MNEMONIC_PREFETCH, Rule::Nothing},
    {ZYDIS_MNEMONIC_PREFETCHNTA, Rule::Nothing},
    {ZYDIS_MNEMONIC_PREFETCHT0, Rule::Nothing},
    {ZYDIS_MNEMONIC_PREFETCHT1, Rule::Nothing},
    {ZYDIS_MNEMONIC_PREFETCHT2, Rule::Nothing},
    {ZYDIS_MNEMONIC_PREFETCHW, Rule::Nothing},
    {ZYDIS_MNEMONIC_LEA, Rule::Lea},
    {ZYDIS_MNEMONIC_XLAT, Rule::Xlat},
    {ZYDIS_MNEMONIC_PUSH, Rule::Push},
    {ZYDIS_MNEMONIC_POP, Rule::Pop},
    {ZYDIS_MNEMONIC_PUSHA, Rule::PushAll},
    {ZYDIS_MNEMONIC_PUSHAD, Rule::PushAll},
    {ZYDIS_MNEMONIC_POPA, Rule::PopAll},
    {ZYDIS_MNEMONIC_POPAD, Rule::PopAll},
    {ZYDIS_MNEMONIC_LEAVE, Rule::Leave},
    {ZYDIS_MNEMONIC_PUSHF, Rule::PushFlags},
    {ZYDIS_MNEMONIC_PUSHFD, Rule::PushFlags},
    {ZYDIS_MNEMONIC_POPF, Rule::PopFlags},
    {ZYDIS_MNEMONIC_POPFD, Rule::PopFlags},
    {ZYDIS_MNEMONIC_CLI, Rule::Cli},
    {ZYDIS_MNEMONIC_STI, Rule::Sti},
    {ZYDIS_MNEMONIC_RDTSC, Rule::TimeStamp},
    {ZYDIS_MNEMONIC_MOVSB, Rule::String},
    {ZYDIS_MNEMONIC_MOVSW, Rule::String},
    {ZYDIS_MNEMONIC_MOVSD, Rule::String},
    {ZYDIS_MNEMONIC_STOSB, Rule::String},
    {ZYDIS_MNEMONIC_STOSW, Rule::String},
    {ZYDIS_MNEMONIC_STOSD, Rule::String},
    {ZYDIS_MNEMONIC_LODSB, Rule::String},
    {ZYDIS_MNEMONIC_LODSW, Rule::String},
    {ZYDIS_MNEMONIC_LODSD, Rule::String},
    {ZYDIS_MNEMONIC_SCASB, Rule::String},
    {ZYDIS_MNEMONIC_SCASW, Rule::String},
    {ZYDIS_MNEMONIC_SCASD, Rule::String},
    {ZYDIS_MNEMONIC_CMPSB, Rule::String},
    {ZYDIS_MNEMONIC_CMPSW, Rule::String},
    {ZYDIS_MNEMONIC_CMPSD, Rule::String},
    {ZYDIS_MNEMONIC_JB, Rule::Branch},
    {ZYDIS_MNEMONIC_JBE, Rule::Branch},
    {ZYDIS_MNEMONIC_JL, Rule::Branch},
    {ZYDIS_MNEMONIC_JLE, Rule::Branch},
    {ZYDIS_MNEMONIC_JNB, Rule::Branch},
    {ZYDIS_MNEMONIC_JNBE, Rule::Branch},
    {ZYDIS_MNEMONIC_JNL, Rule::Branch},
    {ZYDIS_MNEMONIC_JNLE, Rule::Branch},
    {ZYDIS_MNEMONIC_JNO, Rule::Branch},
    {ZYDIS_MNEMONIC_JNP, Rule::Branch},
    {ZYDIS_MNEMONIC_JNS, Rule::Branch},
    {ZYDIS_MNEMONIC_JNZ, Rule::Branch},
    {ZYDIS_MNEMONIC_JO, Rule::Branch},
    {ZYDIS_MNEMONIC_JP, Rule::Branch},
    {ZYDIS_MNEMONIC_JS, Rule::Branch},
    {ZYDIS_MNEMONIC_JZ, Rule::Branch},
    {ZYDIS_MNEMONIC_LOOP, Rule::Loop},
    {ZYDIS_MNEMONIC_LOOPE, Rule::Loop},
    {ZYDIS_MNEMONIC_LOOPNE, Rule::Loop},
    {ZYDIS_MNEMONIC_JECXZ, Rule::Loop},
    {ZYDIS_MNEMONIC_JCXZ, Rule::Loop},
    {ZYDIS_MNEMONIC_JMP, Rule::Jump},
    {ZYDIS_MNEMONIC_CALL, Rule::Call},
    {ZYDIS_MNEMONIC_RET, Rule::Return},
};

constexpr auto integer_map = [] {
    std::array<Rule, ZYDIS_MNEMONIC_MAX_VALUE + 1> map{};
    for (const Entry& e : integer_entries) map[e.mnemonic] = e.rule;
    return map;
}();

// FPU instructions that show host state, or have operands that their bytes do not name.
constexpr Mnemonic interpreted_fpu[] = {
    ZYDIS_MNEMONIC_FLDENV,  ZYDIS_MNEMONIC_FNSTENV,       ZYDIS_MNEMONIC_FRSTOR,       ZYDIS_MNEMONIC_FNSAVE,
    ZYDIS_MNEMONIC_FXSAVE,  ZYDIS_MNEMONIC_FXRSTOR,       ZYDIS_MNEMONIC_MASKMOVQ,     ZYDIS_MNEMONIC_MASKMOVDQU,
    ZYDIS_MNEMONIC_STMXCSR, ZYDIS_MNEMONIC_LDMXCSR,       ZYDIS_MNEMONIC_FENI8087_NOP, ZYDIS_MNEMONIC_FDISI8087_NOP,
    ZYDIS_MNEMONIC_FSTPNCE, ZYDIS_MNEMONIC_FSETPM287_NOP, ZYDIS_MNEMONIC_FEMMS,
};

// Some processors (AMD's EPYC) read misaligned operands of these, where the guest's raises #GP (SDM 2, 2.4, exceptions
// of type 4): the interpreter looks.
constexpr Mnemonic unchecked_by_hosts[] = {
    ZYDIS_MNEMONIC_SHA1MSG1,   ZYDIS_MNEMONIC_SHA1MSG2,   ZYDIS_MNEMONIC_SHA1NEXTE,   ZYDIS_MNEMONIC_SHA1RNDS4,
    ZYDIS_MNEMONIC_SHA256MSG1, ZYDIS_MNEMONIC_SHA256MSG2, ZYDIS_MNEMONIC_SHA256RNDS2,
};

// Stores that are not done where they raise an unmasked exception. Intel's processors then do not look at the address,
// so that it must not be checked before.
constexpr Mnemonic stores_of_results[] = {ZYDIS_MNEMONIC_FST,   ZYDIS_MNEMONIC_FSTP,   ZYDIS_MNEMONIC_FIST,
                                          ZYDIS_MNEMONIC_FISTP, ZYDIS_MNEMONIC_FISTTP, ZYDIS_MNEMONIC_FBSTP};

bool is_in(std::span<const Mnemonic> list, Mnemonic m) { return std::find(list.begin(), list.end(), m) != list.end(); }

bool is_wait(const Instruction& in) { return in.mnemonic == ZYDIS_MNEMONIC_FWAIT; }
bool is_vector(const Instruction& in) {
    return in.names_vector || in.mnemonic == ZYDIS_MNEMONIC_EMMS || in.mnemonic == ZYDIS_MNEMONIC_LDMXCSR ||
           in.mnemonic == ZYDIS_MNEMONIC_STMXCSR;
}
bool is_sse(const Instruction& in) { return in.names_xmm || in.mnemonic == ZYDIS_MNEMONIC_LDMXCSR; }

// Forms in which the emitter knows which field names ESP.
bool may_name_stack_register(const Instruction& in) {
    if (in.opcode_map == 0) {
        u8 c = in.opcode;
        if (c < 0x40) return (c & 7) == 1 || (c & 7) == 3;
        if (c >= 0x40 && c <= 0x4F) return true;
        if (c >= 0xB8 && c <= 0xBF) return true;
        if (c >= 0x91 && c <= 0x97) return true;
        for (u8 known : {0x81, 0x83, 0x85, 0x87, 0x89, 0x8B, 0x69, 0x6B, 0xF7, 0xFF, 0xC7})
            if (c == known) return true;
        return false;
    }
    if (in.opcode_map != 1) return false;
    u8 c = in.opcode;
    return (c >= 0x40 && c <= 0x4F) || c == 0xAF || c == 0xB6 || c == 0xB7 || c == 0xBE || c == 0xBF || c == 0xA3 ||
           c == 0xAB || c == 0xB3 || c == 0xBB || c == 0xBA;
}

// BTS and the like with a bit offset in a register.
bool changes_bit_string(const Instruction& in) {
    return in.opcode_map == 1 && (in.opcode == 0xAB || in.opcode == 0xB3 || in.opcode == 0xBB);
}

bool memory_is_translatable(const Instruction& in, const CodeMode& mode) {
    if (!in.has_memory) return true;
    SegmentUse use = mode.use(in.memory.segment);
    if (use == SegmentUse::Interpreted) return false;
    for (const Operand& o : in.op) {
        if (o.kind != Operand::Kind::Memory) continue;
        if (in.memory.segment == Seg::Cs && (o.access & Operand::Write) && !mode.code_writable()) return false;
        if (use != SegmentUse::Flat && o.size == 0) return false;
    }
    bool by_bit_offset = changes_bit_string(in) || (in.opcode_map == 1 && in.opcode == 0xA3);
    return !by_bit_offset || (use == SegmentUse::Flat && in.address_size == 4);
}

// A memory operand that can do without REX, as high-byte registers need.
bool memory_without_rex(const Instruction& in, const CodeMode& mode) {
    return mode.use(in.memory.segment) == SegmentUse::Flat && in.address_size == 4 && in.memory.base != 4;
}

bool operands_are_translatable(const Instruction& in, const CodeMode& mode) {
    for (const Operand& o : in.op)
        if (o.kind == Operand::Kind::Segment || o.kind == Operand::Kind::Control || o.kind == Operand::Kind::Debug ||
            o.kind == Operand::Kind::FarPointer)
            return false;
    if (in.names_stack_register && (!may_name_stack_register(in) || in.names_high_byte)) return false;
    if (in.names_high_byte && in.has_memory && !memory_without_rex(in, mode)) {
        // The emitter swaps the two low bytes of the register around the instruction; AL must not be implied.
        if (in.mnemonic == ZYDIS_MNEMONIC_CMPXCHG || in.opcode_map > 1) return false;
    }
    return memory_is_translatable(in, mode);
}

Rule fpu_rule(const Instruction& in, const CodeMode& mode) {
    if (mode.fpu_traps() || (is_sse(in) && mode.sse_traps())) return Rule::Interpret;
    if (is_in(interpreted_fpu, in.mnemonic)) return Rule::Interpret;
    if (in.has_memory && is_in(unchecked_by_hosts, in.mnemonic)) return Rule::Interpret;
    bool checked_before = in.has_memory && mode.use(in.memory.segment) != SegmentUse::Flat;
    if (checked_before && !host_is_amds() && is_in(stores_of_results, in.mnemonic)) return Rule::Interpret;
    return operands_are_translatable(in, mode) ? Rule::Ident : Rule::Interpret;
}

bool is_level0(const CodeMode& mode) { return mode.cpl() == 0 && !mode.v86(); }

bool may_be_loaded(u8 segment, const CodeMode& mode) {
    Seg s = static_cast<Seg>(segment);
    bool data = s == Seg::Es || s == Seg::Ds || s == Seg::Fs || s == Seg::Gs;
    return data && is_level0(mode) && !mode.real() && mode.use(s) != SegmentUse::Interpreted;
}

bool is_null_fs(u8 segment, const CodeMode& mode) {
    bool null = static_cast<Seg>(segment) == Seg::Fs && mode.use(Seg::Fs) == SegmentUse::Interpreted;
    return null && is_level0(mode) && !mode.real();
}

bool names_stack_pointer(const Operand& o) { return o.kind == Operand::Kind::Gpr && o.reg == 4; }

Rule move_rule(const Instruction& in, const CodeMode& mode) {
    if (in.op[0].kind == Operand::Kind::Control) {
        bool writable = in.op[0].reg == 0 || in.op[0].reg == 2 || in.op[0].reg == 4;
        return writable && is_level0(mode) && in.op[1].reg != 4 ? Rule::ToControl : Rule::Interpret;
    }
    if (in.op[1].kind == Operand::Kind::Control) {
        bool readable = in.op[1].reg == 0 || (in.op[1].reg >= 2 && in.op[1].reg <= 4);
        return readable && is_level0(mode) && in.op[0].reg != 4 ? Rule::FromControl : Rule::Interpret;
    }
    if (in.op[0].kind == Operand::Kind::Segment) {
        if (names_stack_pointer(in.op[1]) || !memory_is_translatable(in, mode)) return Rule::Interpret;
        if (is_null_fs(in.op[0].reg, mode)) return Rule::LoadFs;
        return may_be_loaded(in.op[0].reg, mode) ? Rule::ToSegment : Rule::Interpret;
    }
    if (in.op[1].kind == Operand::Kind::Segment && in.op[0].kind == Operand::Kind::Gpr && in.op[0].reg != 4)
        return Rule::FromSegment;
    return operands_are_translatable(in, mode) ? Rule::Ident : Rule::Interpret;
}

Rule stack_rule(const Instruction& in, const CodeMode& mode, Rule rule) {
    if (mode.use(Seg::Ss) == SegmentUse::Interpreted) return Rule::Interpret;
    if (in.op[0].kind == Operand::Kind::Segment) {
        if (rule == Rule::Push) return Rule::PushSegment;
        return may_be_loaded(in.op[0].reg, mode) && mode.flat_stack() ? Rule::PopSegment : Rule::Interpret;
    }
    if (!memory_is_translatable(in, mode)) return Rule::Interpret;
    // The address of POP [ESP+n] counts from the popped ESP, which is worked out for the flat stack only.
    if (rule == Rule::Pop && in.has_memory && !mode.flat_stack()) return Rule::Interpret;
    if ((rule == Rule::PushAll || rule == Rule::PopAll || rule == Rule::Leave) && !mode.flat_stack())
        return Rule::Interpret;
    if ((rule == Rule::PushAll || rule == Rule::PopAll || rule == Rule::Leave) && in.operand_size != 4)
        return Rule::Interpret;
    return rule;
}

Rule flags_rule(const Instruction& in, const CodeMode& mode, Rule rule) {
    if (mode.v86() || mode.use(Seg::Ss) == SegmentUse::Interpreted) return Rule::Interpret;
    if (rule == Rule::PopFlags && (in.operand_size != 4 || !mode.flat_stack())) return Rule::Interpret;
    return rule;
}

Rule string_rule(const Instruction& in, const CodeMode& mode) {
    if (in.address_size != 4) return Rule::Interpret;
    bool source = in.mnemonic == ZYDIS_MNEMONIC_MOVSB || in.mnemonic == ZYDIS_MNEMONIC_MOVSW ||
                  in.mnemonic == ZYDIS_MNEMONIC_MOVSD || in.mnemonic == ZYDIS_MNEMONIC_LODSB ||
                  in.mnemonic == ZYDIS_MNEMONIC_LODSW || in.mnemonic == ZYDIS_MNEMONIC_LODSD ||
                  in.mnemonic == ZYDIS_MNEMONIC_CMPSB || in.mnemonic == ZYDIS_MNEMONIC_CMPSW ||
                  in.mnemonic == ZYDIS_MNEMONIC_CMPSD;
    bool destination = in.mnemonic != ZYDIS_MNEMONIC_LODSB && in.mnemonic != ZYDIS_MNEMONIC_LODSW &&
                       in.mnemonic != ZYDIS_MNEMONIC_LODSD;
    if (source && mode.use(in.string_segment()) != SegmentUse::Flat) return Rule::Interpret;
    if (destination && mode.use(Seg::Es) != SegmentUse::Flat) return Rule::Interpret;
    return Rule::String;
}

// By a count that changes all of the operand's flags: not 0, and less than its bits.
bool shifts_surely(const Instruction& in) {
    if (in.opcode_map != 0) return false;
    if ((in.opcode & 0xFE) == 0xD0) return true;
    return (in.opcode & 0xFE) == 0xC0 && (in.immediate & 31) != 0 && (in.immediate & 31) < 8u * in.op[0].size;
}

Rule transfer_rule(const Instruction& in, const CodeMode& mode, Rule rule) {
    const Operand& target = in.op[0];
    if (target.kind == Operand::Kind::FarPointer) return Rule::Interpret;
    if (in.mnemonic == ZYDIS_MNEMONIC_RET) {
        bool near = in.opcode == 0xC2 || in.opcode == 0xC3;
        return near && mode.use(Seg::Ss) != SegmentUse::Interpreted ? Rule::Return : Rule::Interpret;
    }
    if (rule == Rule::Call && mode.use(Seg::Ss) == SegmentUse::Interpreted) return Rule::Interpret;
    if (target.kind == Operand::Kind::Relative) return rule;
    // FF /2 and /4 are near, /3 and /5 far.
    u8 extension = (in.modrm >> 3) & 7;
    if (in.opcode != 0xFF || (extension != 2 && extension != 4)) return Rule::Interpret;
    if (!memory_is_translatable(in, mode)) return Rule::Interpret;
    return rule == Rule::Call ? Rule::CallIndirect : Rule::JumpIndirect;
}

}  // namespace

bool locks_memory(const Instruction& in) { return in.has_memory && (in.lock || in.mnemonic == ZYDIS_MNEMONIC_XCHG); }

bool locks_bit_string(const Instruction& in) { return in.has_memory && in.lock && changes_bit_string(in); }

bool uses_fpu(const Instruction& in) { return is_x87(in) || is_wait(in) || is_vector(in); }

Rule rule_for(const Instruction& in, const CodeMode& mode) {
    const InstructionRow* row = find_row(in);
    if (!row || row->translation == TranslationClass::Interpret) return Rule::Interpret;
    if (uses_fpu(in)) return fpu_rule(in, mode);
    Rule rule = integer_map[in.mnemonic];
    switch (rule) {
        case Rule::Ident:
            if (in.mnemonic == ZYDIS_MNEMONIC_MOV) return move_rule(in, mode);
            if (in.mnemonic == ZYDIS_MNEMONIC_BSWAP && in.operand_size != 4) return Rule::Interpret;
            return operands_are_translatable(in, mode) ? rule : Rule::Interpret;
        case Rule::Xlat: return mode.use(in.string_segment()) == SegmentUse::Interpreted ? Rule::Interpret : rule;
        case Rule::Push:
        case Rule::Pop:
        case Rule::PushAll:
        case Rule::PopAll:
        case Rule::Leave: return stack_rule(in, mode, rule);
        case Rule::PushFlags:
        case Rule::PopFlags: return flags_rule(in, mode, rule);
        case Rule::Cli:
        case Rule::Sti: return mode.io_allowed() ? rule : Rule::Interpret;
        case Rule::TimeStamp: return mode.tsc_traps() || mode.fpu_live() ? Rule::Interpret : rule;
        case Rule::String: return string_rule(in, mode);
        case Rule::Jump:
        case Rule::Call:
        case Rule::Return: return transfer_rule(in, mode, rule);
        default: return rule;
    }
}

// One plain write of 1 to 8 bytes to a flat segment. The function that it calls keeps no FPU state; what names AH or
// ESP has no form with the operand that it gives.
bool may_be_checked_store(const Instruction& in, const CodeMode& mode) {
    if (!in.has_memory || in.address_size != 4 || mode.use(in.memory.segment) != SegmentUse::Flat) return false;
    if (uses_fpu(in) || mode.fpu_live() || in.names_high_byte || in.names_stack_register) return false;
    if (shifts_by_count(in) && !host_is_amds()) return false;  // its result is read again for OF (emit_shift.cpp)
    return !changes_bit_string(in) && std::any_of(in.op.begin(), in.op.end(), [](const Operand& o) {
        return o.kind == Operand::Kind::Memory && o.access & Operand::Write && o.size >= 1 && o.size <= 8;
    });
}

u32 flags_surely_written(const Instruction& in) {
    switch (in.mnemonic) {
        case ZYDIS_MNEMONIC_AND:
        case ZYDIS_MNEMONIC_OR:
        case ZYDIS_MNEMONIC_XOR:
        case ZYDIS_MNEMONIC_TEST: return eflags::arithmetic;  // AF is cleared by every processor
        case ZYDIS_MNEMONIC_SHL:
        case ZYDIS_MNEMONIC_SHR:
        case ZYDIS_MNEMONIC_SAR: return shifts_surely(in) ? eflags::arithmetic & ~u32{eflags::af} : 0;
        case ZYDIS_MNEMONIC_ROL:
        case ZYDIS_MNEMONIC_ROR: return shifts_surely(in) ? eflags::cf | eflags::of : 0;
        case ZYDIS_MNEMONIC_RCL:
        case ZYDIS_MNEMONIC_RCR:
        case ZYDIS_MNEMONIC_SHLD:
        case ZYDIS_MNEMONIC_SHRD: return 0;
        default: break;
    }
    if (in.rep || in.repne) return 0;
    return in.flags_written & ~in.flags_undefined & eflags::arithmetic;
}

}  // namespace vellum
