// Shifts and rotates, of one register or of two (SDM vol. 1, 7.3.6).
#include "cpu/alu.hpp"
#include "cpu/rows_integer.hpp"

namespace vellum {

namespace {

using alu::Shift;

// The count: an immediate (1 for the D0 and D1 forms) or CL.
u8 count_of(const Cpu& cpu, const Instruction& in, const Operand& operand) {
    return operand.kind == Operand::Kind::Immediate ? static_cast<u8>(in.immediate) : cpu.get8(1);
}

// OF is undefined for counts from 2 on. That of the 286, the 386 and AMD's processors is as for a count of 1: what the
// last bit did. Intel's later ones have others, and not the same for each form; there it is worked out, as the
// translator does (emit_shift.cpp).
template <Shift operation, typename T>
T shift_with_overflow(T value, u8 count, u32& flags) {
    T result = alu::shift<operation, T>(value, count, flags);
    if (host_is_amds() || (count & 31) == 0) return result;
    constexpr bool left = operation == Shift::Rol || operation == Shift::Rcl || operation == Shift::Shl;
    constexpr u32 top = sizeof(T) * 8 - 1;
    u32 other = left ? flags & eflags::cf : result >> (top - 1) & 1;
    flags = (flags & ~eflags::of) | ((result >> top & 1) != other ? eflags::of : 0);
    return result;
}

template <Shift operation, typename T, bool in_memory>
Fault shift(Cpu& cpu, const Instruction& in) {
    u8 count = count_of(cpu, in, in.op[1]);
    return update<T, in_memory>(
        cpu, in, in.op[0], [&](T value) { return shift_with_overflow<operation, T>(value, count, cpu.state.eflags); });
}

template <Shift operation>
Execute pick_shift(const Instruction& in) {
    constexpr Execute by_size[][2] = {{shift<operation, u8, false>, shift<operation, u8, true>},
                                      {shift<operation, u16, false>, shift<operation, u16, true>},
                                      {shift<operation, u32, false>, shift<operation, u32, true>}};
    return by_size[size_index(in.op[0].size)][in_memory(in.op[0])];
}

template <bool left, typename T, bool in_memory>
Fault double_shift(Cpu& cpu, const Instruction& in) {
    u8 count = count_of(cpu, in, in.op[2]);
    T fill = get<T>(cpu, in.op[1].reg);
    return update<T, in_memory>(
        cpu, in, in.op[0], [&](T value) { return alu::double_shift<left, T>(value, fill, count, cpu.state.eflags); });
}

template <bool left>
Execute pick_double_shift(const Instruction& in) {
    constexpr Execute by_size[][2] = {{double_shift<left, u16, false>, double_shift<left, u16, true>},
                                      {double_shift<left, u32, false>, double_shift<left, u32, true>}};
    return by_size[in.op[0].size == 4][in_memory(in.op[0])];
}

constexpr Specialisation specialisations[] = {
    {ZYDIS_MNEMONIC_ROL, pick_shift<Shift::Rol>},    {ZYDIS_MNEMONIC_ROR, pick_shift<Shift::Ror>},
    {ZYDIS_MNEMONIC_RCL, pick_shift<Shift::Rcl>},    {ZYDIS_MNEMONIC_RCR, pick_shift<Shift::Rcr>},
    {ZYDIS_MNEMONIC_SHL, pick_shift<Shift::Shl>},    {ZYDIS_MNEMONIC_SHR, pick_shift<Shift::Shr>},
    {ZYDIS_MNEMONIC_SAR, pick_shift<Shift::Sar>},    {ZYDIS_MNEMONIC_SHLD, pick_double_shift<true>},
    {ZYDIS_MNEMONIC_SHRD, pick_double_shift<false>},
};

constexpr InstructionRow rows[] = {
    {ZYDIS_MNEMONIC_ROL, picked<pick_shift<Shift::Rol>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_ROR, picked<pick_shift<Shift::Ror>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_RCL, picked<pick_shift<Shift::Rcl>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_RCR, picked<pick_shift<Shift::Rcr>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_SHL, picked<pick_shift<Shift::Shl>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_SHR, picked<pick_shift<Shift::Shr>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_SAR, picked<pick_shift<Shift::Sar>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_SHLD, picked<pick_double_shift<true>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_SHRD, picked<pick_double_shift<false>>, TranslationClass::Ident},
};

}  // namespace

std::span<const InstructionRow> shift_rows() { return rows; }
std::span<const Specialisation> shift_specialisations() { return specialisations; }

}  // namespace vellum
