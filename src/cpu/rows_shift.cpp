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

template <Shift operation, typename T>
Fault rotate_by_immediate(Cpu& cpu, const Instruction& in) {
    return update<T, false>(cpu, in, in.op[0], [&](T value) {
        return alu::rotate_by<operation == Shift::Rol, T>(value, static_cast<u8>(in.immediate), cpu.state.eflags);
    });
}

template <Shift operation, typename T, bool in_memory>
Fault shift(Cpu& cpu, const Instruction& in) {
    u8 count = count_of(cpu, in, in.op[1]);
    return update<T, in_memory>(cpu, in, in.op[0],
                                [&](T value) { return alu::shift<operation, T>(value, count, cpu.state.eflags); });
}

template <Shift operation>
Execute pick_shift(const Instruction& in) {
    constexpr Execute by_size[][2] = {{shift<operation, u8, false>, shift<operation, u8, true>},
                                      {shift<operation, u16, false>, shift<operation, u16, true>},
                                      {shift<operation, u32, false>, shift<operation, u32, true>}};
    return by_size[size_index(in.op[0].size)][in_memory(in.op[0])];
}

template <Shift operation>
Execute pick_rotation(const Instruction& in) {
    if (in.op[1].kind != Operand::Kind::Immediate || in_memory(in.op[0])) return pick_shift<operation>(in);
    constexpr Execute by_size[] = {rotate_by_immediate<operation, u8>, rotate_by_immediate<operation, u16>,
                                   rotate_by_immediate<operation, u32>};
    return by_size[size_index(in.op[0].size)];
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
    {ZYDIS_MNEMONIC_ROL, pick_rotation<Shift::Rol>},    {ZYDIS_MNEMONIC_ROR, pick_rotation<Shift::Ror>},
    {ZYDIS_MNEMONIC_RCL, pick_shift<Shift::Rcl>},    {ZYDIS_MNEMONIC_RCR, pick_shift<Shift::Rcr>},
    {ZYDIS_MNEMONIC_SHL, pick_shift<Shift::Shl>},    {ZYDIS_MNEMONIC_SHR, pick_shift<Shift::Shr>},
    {ZYDIS_MNEMONIC_SAR, pick_shift<Shift::Sar>},    {ZYDIS_MNEMONIC_SHLD, pick_double_shift<true>},
    {ZYDIS_MNEMONIC_SHRD, pick_double_shift<false>},
};

constexpr InstructionRow rows[] = {
    {ZYDIS_MNEMONIC_ROL, picked<pick_rotation<Shift::Rol>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_ROR, picked<pick_rotation<Shift::Ror>>, TranslationClass::Ident},
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
