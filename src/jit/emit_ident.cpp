// IDENT and MEMORY: the guest's own bytes with prefixes and operands rewritten for 64-bit mode.
#include "jit/emitter.hpp"

#include <algorithm>

namespace vellum {

namespace {

bool is_prefix(u8 b) {
    switch (b) {
        case 0x26:
        case 0x2E:
        case 0x36:
        case 0x3E:
        case 0x64:
        case 0x65:
        case 0x66:
        case 0x67:
        case 0xF0:
        case 0xF2:
        case 0xF3: return true;
        default: return false;
    }
}

u32 displacement_bytes(const Instruction& in, u8 sib) {
    u8 mod = in.modrm >> 6, rm = in.modrm & 7;
    if (mod == 3) return 0;
    if (in.address_size == 2) return mod == 1 ? 1 : mod == 2 || rm == 6 ? 2 : 0;
    if (mod == 1) return 1;
    if (mod == 2) return 4;
    return rm == 5 || (rm == 4 && (sib & 7) == 5) ? 4 : 0;
}

// The immediate bytes at the end of the instruction.
std::span<const u8> tail_of(const Instruction& in) {
    u32 at = 0;
    while (is_prefix(in.bytes[at])) ++at;
    at += in.opcode_map == 0 ? 1 : in.opcode_map == 1 ? 2 : 3;
    if (in.has_modrm) {
        bool has_sib = in.modrm >> 6 != 3 && in.address_size == 4 && (in.modrm & 7) == 4;
        u8 sib = has_sib ? in.bytes[at + 1] : 0;
        at += 1 + (has_sib ? 1 : 0) + displacement_bytes(in, sib);
    } else if (in.opcode_map == 0 && in.opcode >= 0xA0 && in.opcode <= 0xA3) {
        at += in.address_size;
    }
    return std::span{in.bytes}.subspan(at, in.length - at);
}

bool reg_field_is_extension(const Instruction& in) {
    if (in.opcode_map == 0) {
        for (u8 group :
             {0x80, 0x81, 0x82, 0x83, 0xC0, 0xC1, 0xC6, 0xC7, 0xD0, 0xD1, 0xD2, 0xD3, 0xF6, 0xF7, 0xFE, 0xFF})
            if (in.opcode == group) return true;
        return is_x87(in);
    }
    return in.opcode_map == 1 && in.opcode == 0xBA;
}

bool writes_stack_register(const Instruction& in, u8 bytes) {
    return std::any_of(in.op.begin(), in.op.end(), [bytes](const Operand& o) {
        return o.kind == Operand::Kind::Gpr && o.size == bytes && o.reg == 4 && (o.access & Operand::Write);
    });
}

// BT and the like with a register reach 256 MiB around their operand, which is elsewhere than it says and must wrap in
// 32 bits.
bool is_bit_string(const HostOpcode& o) {
    return o.map == 1 && (o.code == 0xA3 || o.code == 0xAB || o.code == 0xB3 || o.code == 0xBB);
}

// 66, F2 and F3 as the host must see them: the guest's operand size, or a mandatory prefix of the opcode.
HostOpcode opcode_of(const Instruction& in) {
    HostOpcode o{in.opcode_map, in.opcode};
    if (in.names_vector) {
        o.p66 = in.operand_size_prefix;
        o.pF2 = in.repne;
        o.pF3 = in.rep;
        return o;
    }
    switch (in.mnemonic) {
        case ZYDIS_MNEMONIC_LFENCE:
        case ZYDIS_MNEMONIC_MFENCE:
        case ZYDIS_MNEMONIC_SFENCE:
        case ZYDIS_MNEMONIC_LDMXCSR:
        case ZYDIS_MNEMONIC_CMPXCHG8B:
        case ZYDIS_MNEMONIC_MOVNTI:
        case ZYDIS_MNEMONIC_EMMS:
        case ZYDIS_MNEMONIC_FWAIT: return o;
        case ZYDIS_MNEMONIC_PAUSE: o.pF3 = true; return o;
        case ZYDIS_MNEMONIC_POPCNT: o.pF3 = true; break;
        case ZYDIS_MNEMONIC_CRC32: o.pF2 = true; break;
        default: break;
    }
    o.p66 = in.operand_size == 2 && !is_x87(in);
    return o;
}

}  // namespace

// High-byte registers cannot be named beside REX: AL and AH change places around the instruction.
bool BlockEmitter::must_swap() const {
    if (!in().has_memory || !in().names_high_byte) return false;
    bool without_rex =
        mode_.use(in().memory.segment) == SegmentUse::Flat && in().address_size == 4 && in().memory.base != 4;
    return !without_rex || exchanges();
}

// XCHG with memory locks without being asked to: where nobody else sees the memory, a load and a store do it. So they
// do XADD and CMPXCHG, several times as fast as the host's own (docs/decisions/private-memory.md).
bool BlockEmitter::exchanges() const {
    if (!config_.memory_is_private || !in().has_memory) return false;
    switch (in().mnemonic) {
        case ZYDIS_MNEMONIC_XCHG:
        case ZYDIS_MNEMONIC_XADD: return true;
        // A checked store is one instruction, or a load and one.
        case ZYDIS_MNEMONIC_CMPXCHG: return memory_bytes() == sizeof(u32) && guest_.rules[index_] != Rule::CheckedStore;
        default: return false;
    }
}

// XCHG and XADD. Nothing changes before the store is done: until then the fault handler may begin again.
void BlockEmitter::emit_exchange(u8 reg, const HostMem& memory) {
    u32 bytes = memory_bytes();
    bool adds = in().mnemonic == ZYDIS_MNEMONIC_XADD, byte = bytes == 1;
    if (byte)
        e_.load8(r11, memory);
    else if (bytes == 2)
        e_.load16(r11, memory);
    else
        e_.load32(r11, memory);
    u8 store = static_cast<u8>((adds ? 0x00 : 0x88) | !byte);
    e_.op({.code = store, .p66 = bytes == 2}, reg, memory);
    u8 move = static_cast<u8>(0x8A | !byte);
    e_.op({.code = move, .p66 = bytes == 2}, reg, r11);
}

// CMPXCHG. What it read is stored first: behind that nothing faults, and the flags may change.
void BlockEmitter::emit_compare_and_exchange(u8 reg, const HostMem& memory) {
    constexpr u8 compare = 7, equal = 0x44, unequal = 0x45;
    e_.load32(r11, memory);
    e_.store32(memory, r11);
    e_.alu32(compare, rax, r11);
    e_.mov32(r9, r11);
    e_.op({1, equal}, r9, reg);
    e_.store32(memory, r9);
    e_.op({1, unequal}, rax, r11);
}

void BlockEmitter::emit_access(const HostOpcode& opcode, u8 reg, const HostMem& memory, std::span<const u8> tail) {
    if (exchanges() && in().mnemonic == ZYDIS_MNEMONIC_CMPXCHG) return emit_compare_and_exchange(reg, memory);
    if (exchanges()) return emit_exchange(reg, memory);
    HostOpcode o = opcode;
    o.lock = in().lock && may_lock(in());
    e_.op(o, reg, memory);
    e_.raw(tail);
}

// MOV r,ESP; ADD ESP,imm; SUB ESP,imm; LEA comes by emit_lea. True: done, without touching r12.
bool BlockEmitter::emit_stack_pointer_arithmetic() {
    const Instruction& i = in();
    if (!mode_.flat_stack() || i.operand_size != 4 || i.opcode_map != 0 || i.modrm >> 6 != 3) return false;
    u8 reg = (i.modrm >> 3) & 7, rm = i.modrm & 7;
    bool from_stack_pointer = (i.opcode == 0x89 && reg == 4 && rm != 4) || (i.opcode == 0x8B && rm == 4 && reg != 4);
    if (from_stack_pointer) {
        e_.lea32(i.opcode == 0x89 ? rm : reg, HostMem::at(r12, pending_));
        return true;
    }
    if ((i.opcode != 0x81 && i.opcode != 0x83) || rm != 4 || (reg != 0 && reg != 5) || flags_live()) return false;
    i32 by = static_cast<i32>(i.immediate);
    if (by > 0x4000 || by < -0x4000) return false;
    pending_ += reg == 0 ? by : -by;
    return true;
}

void BlockEmitter::emit_ident() {
    if (begin_descent()) return;
    if (in().names_stack_register) {
        if (emit_stack_pointer_arithmetic()) return;
        flush_stack_pointer();
        note_side_entry();
    }
    if (in().has_modrm || (in().opcode_map == 0 && in().opcode >= 0xA0 && in().opcode <= 0xA3 && in().has_memory))
        emit_modrm();
    else
        emit_ident_plain();
    if (!in().names_stack_register) return;
    if (writes_stack_register(in(), 4)) return normalise_stack_pointer();
    if (!writes_stack_register(in(), 2)) return;
    e_.mov32(r12, r12);
    normalise_stack_pointer();
}

// Immediate bytes of an instruction whose other operands are registers: four of them are what programs patch.
void BlockEmitter::emit_register_tail(std::span<const u8> tail) {
    if (tail.size() == sizeof(u32) && !guest_.straddles && !in().names_stack_register)
        tables_.constants.push_back({next_eip() - guest_.eip - u32{sizeof(u32)}, code_offset()});
    e_.raw(tail);
}

// No ModRM: registers are named by the opcode, or implied.
void BlockEmitter::emit_ident_plain() {
    const Instruction& i = in();
    HostOpcode o = opcode_of(i);
    u8 low = i.opcode & 7;
    if (i.opcode_map == 0) {
        u8 wide_host = host_of(low);
        if (i.opcode >= 0x40 && i.opcode <= 0x4F) {  // INC, DEC
            o.code = 0xFF;
            return e_.op(o, i.opcode >= 0x48, wide_host);
        }
        if (i.opcode >= 0x91 && i.opcode <= 0x97) {  // XCHG with the accumulator
            o.code = 0x87;
            return e_.op(o, rax, wide_host);
        }
        if (i.opcode >= 0xB8 && i.opcode <= 0xBF) {  // MOV r, imm
            o.code = 0xC7;
            e_.op(o, 0, wide_host);
            return emit_register_tail(tail_of(i));
        }
    }
    if (o.p66) e_.byte(0x66);
    if (o.pF3) e_.byte(0xF3);
    if (i.opcode_map == 1) e_.byte(0x0F);
    e_.byte(i.opcode);
    emit_register_tail(tail_of(i));
}

void BlockEmitter::emit_modrm() {
    const Instruction& i = in();
    HostOpcode o = opcode_of(i);
    std::span<const u8> tail = tail_of(i);
    o.immediate_bytes = static_cast<u8>(tail.size());
    if (o.map == 0 && o.code == 0x82) o.code = 0x80;
    u8 reg = (i.modrm >> 3) & 7, rm = i.modrm & 7;
    if (!i.has_modrm) {  // A0-A3: the accumulator and an absolute address
        o.code = static_cast<u8>((i.opcode < 0xA2 ? 0x8A : 0x88) | (i.opcode & 1));
        reg = 0;
    }
    if (i.names_stack_register && reg == 4 && !reg_field_is_extension(i)) reg = r12;
    if (!i.has_memory) {
        if (i.names_stack_register && rm == 4) rm = r12;
        bool overflow = must_set_overflow() && !defer_overflow(rm);
        if (overflow) e_.mov64(r11, rcx);
        e_.op(o, reg, rm);
        emit_register_tail(tail);
        if (overflow) set_overflow_of_register(rm);
        return;
    }
    if (!must_swap()) {
        bool by_gs = i.names_high_byte || is_bit_string(o);  // the only form without REX; the one that wraps
        HostMem memory = by_gs ? window_operand() : memory_operand(memory_bytes(), may_lock(i));
        if (may_lock(i)) leave_if_over_line(memory_bytes());
        emit_access(o, reg, memory, tail);
        if (must_set_overflow()) set_overflow_of_memory(memory);
        return;
    }
    HostMem memory = memory_operand(memory_bytes(), true);
    u8 exchanged = reg - 4;  // the register whose high byte the instruction names
    e_.op({0, 0x86}, exchanged, reg);
    note_side_entry(exchanged);
    emit_access(o, exchanged, memory, tail);
    e_.op({0, 0x86}, exchanged, reg);
    note_side_entry();
}

// The same bytes, but a function translates the address and looks whether code is there.
void BlockEmitter::emit_checked_store() {
    flush_stack_pointer();
    note_side_entry();
    effective_address();
    if (may_lock(in())) leave_if_over_line(memory_bytes());
    ExitSite* site = new_interpreter_exit();
    site->adaptive = true;
    site->stored_bytes = static_cast<u8>(memory_bytes());
    e_.mov64_imm(r10, reinterpret_cast<u64>(site));
    e_.call(runtime_.checked_store);
    const Instruction& i = in();
    HostOpcode o = opcode_of(i);
    std::span<const u8> tail = tail_of(i);
    bool absolute = !i.has_modrm;  // A2, A3: the accumulator
    if (absolute) o.code = static_cast<u8>(0x88 | (i.opcode & 1));
    if (o.map == 0 && o.code == 0x82) o.code = 0x80;
    o.immediate_bytes = static_cast<u8>(tail.size());
    emit_access(o, absolute ? u8{0} : static_cast<u8>((i.modrm >> 3) & 7), HostMem::at(r8), tail);
}

}  // namespace vellum
