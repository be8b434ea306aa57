// OF behind shifts and rotations by other counts than 1, where the manual leaves it undefined: that of the 286, the 386
// and AMD's processors is what the last bit did, and Intel's have others. On such hosts it is set right where somebody
// may read it; rows_shift.cpp does the same.
#include "cpu/host_features.hpp"
#include "jit/emitter.hpp"

namespace vellum {

namespace {

constexpr u8 rcl = 2, rcr = 3;  // as ModRM.reg of D0 to D3 has them

bool is_by_cl(const Instruction& in) { return in.opcode >= 0xD2; }
// ROL, RCL, SHL and its double.
bool shifts_left(const Instruction& in) { return !((in.modrm >> 3) & 1); }

}  // namespace

bool BlockEmitter::must_set_overflow() const {
    const Instruction& i = in();
    if (!shifts_by_count(i) || host_is_amds()) return false;
    if (!is_by_cl(i) && (i.immediate & 31) < 2) return false;
    return guest_.flags_live[index_] & eflags::of;
}

// What leaves the block in the middle of that instruction, or before it, is a host fault or a poll: nothing emitted.
bool BlockEmitter::leaves_by_host_fault_only(u32 index) const {
    const Instruction& i = guest_.instructions[index];
    Rule rule = guest_.rules[index];
    if (guest_.labels[index] || uses_fpu(i) || may_lock(i)) return false;
    if (i.has_memory && (mode_.use(i.memory.segment) != SegmentUse::Flat || i.address_size != 4)) return false;
    if (rule == Rule::Push || rule == Rule::Pop) return mode_.flat_stack();
    return rule == Rule::Ident || rule == Rule::Lea || rule == Rule::Nothing;
}

// Is that register after that instruction what it was? Only of instructions that write nothing but what they name.
bool BlockEmitter::keeps_result(u32 index, u8 reg) const {
    const Instruction& i = guest_.instructions[index];
    switch (i.mnemonic) {
        case ZYDIS_MNEMONIC_MOV:
        case ZYDIS_MNEMONIC_MOVZX:
        case ZYDIS_MNEMONIC_MOVSX:
        case ZYDIS_MNEMONIC_LEA:
        case ZYDIS_MNEMONIC_NOP:
        case ZYDIS_MNEMONIC_NOT:
        case ZYDIS_MNEMONIC_PUSH:
        case ZYDIS_MNEMONIC_POP: break;
        default: return false;
    }
    for (const Operand& o : i.op)
        if (o.kind == Operand::Kind::Gpr && o.access & Operand::Write && (o.size == 1 ? o.reg & 3 : o.reg) == reg)
            return false;
    return true;
}

// Most shifts are followed by something that surely writes OF, and only a fault of a load or store between them could
// show it: then it is set when that happens, from the result, which is still there.
bool BlockEmitter::defer_overflow(u8 reg) {
    const Instruction& shift = in();
    if (is_by_cl(shift) || shift.op[0].size != 4 || shift.names_stack_register) return false;
    for (u32 i = index_ + 1; i < guest_.instructions.size() && leaves_by_host_fault_only(i); ++i) {
        const Instruction& next = guest_.instructions[i];
        if (next.flags_read & eflags::of) return false;
        if (flags_surely_written(next) & eflags::of) {
            overflow_deferred_to_ = i;
            deferred_overflow_ = static_cast<u8>(reg | (shifts_left(shift) ? SideEntry::of_left_shift : 0));
            return true;
        }
        if (!keeps_result(i, reg)) return false;
    }
    return false;
}

// The result in r8. A rotation through CF by 1 and back leaves all as it was but OF: of RCR and then RCL, that is CF
// and the top bit XORed, of RCL and then RCR the two top bits. `count` has CL; a masked count of 0 changes no flag.
void BlockEmitter::set_overflow(u32 bytes, u8 count) {
    u32 unchanged = 0;
    if (is_by_cl(in())) {
        e_.lea32(r10, HostMem::at(count, count));
        e_.lea32(r10, HostMem::at(r10, r10));
        e_.lea32(r10, HostMem::at(r10, r10));  // bits 0 to 4 of the count in bits 3 to 7
        e_.mov64(r9, rcx);
        e_.movzx8(rcx, r10);
        unchanged = e_.jrcxz_forward();
    }
    bool left = shifts_left(in());
    HostOpcode by_one{.code = static_cast<u8>(bytes == 1 ? 0xD0 : 0xD1), .p66 = bytes == 2};
    e_.op(by_one, left ? rcr : rcl, r8);
    e_.op(by_one, left ? rcl : rcr, r8);
    if (!is_by_cl(in())) return;
    e_.land_short(unchanged);
    e_.mov64(rcx, r9);
}

// Of a register; r11 has the count, since the register may be ECX.
void BlockEmitter::set_overflow_of_register(u8 host) {
    u32 bytes = in().op[0].size;
    bool high_byte = bytes == 1 && host >= 4 && host != r12;
    e_.mov32(r8, high_byte ? host - 4 : host);
    set_overflow(high_byte ? 2 : bytes, r11);  // the top bits of AX are those of AH
}

// The instruction has just stored there.
void BlockEmitter::set_overflow_of_memory(const HostMem& memory) {
    switch (in().op[0].size) {
        case 1: e_.load8(r8, memory); break;
        case 2: e_.load16(r8, memory); break;
        default: e_.load32(r8, memory); break;
    }
    set_overflow(in().op[0].size, rcx);
}

}  // namespace vellum
