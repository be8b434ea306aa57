// Decimal adjustment and the instructions on single flags (SDM vol. 1, 7.3.2.6 and 7.3.14).
//
// The decimal instructions do not exist in 64-bit mode, so they are computed as the manual's pseudo code has it. Flags
// that it leaves undefined: OF, and for AAA and AAS also SF, ZF, PF, and for AAM and AAD also AF, CF. Here OF is
// cleared by all six; AAA and AAS set SF, ZF and PF by AL; AAM and AAD clear AF and CF.
#include <bit>

#include "cpu/rows_integer.hpp"

namespace vellum {

namespace {

constexpr u8 al = 0, ah = 4, eax = 0;

// SF, ZF and PF of a byte; everything else of the arithmetic flags is `others`.
void set_result_flags(Cpu& cpu, u8 result, u32 others) {
    u32 flags = (cpu.state.eflags & ~eflags::arithmetic) | others;
    if (result & 0x80) flags |= eflags::sf;
    if (result == 0) flags |= eflags::zf;
    if (std::popcount(result) % 2 == 0) flags |= eflags::pf;
    cpu.state.eflags = flags;
}

// DAA (sign +1) and DAS (sign -1).
template <int sign>
Fault decimal_adjust(Cpu& cpu, const Instruction&) {
    u8 old = cpu.get8(al), value = old;
    u32 flags = cpu.state.eflags, out = 0;
    if ((old & 0xF) > 9 || flags & eflags::af) {
        value = static_cast<u8>(value + sign * 6);
        bool borrow = sign > 0 ? old > 0xFF - 6 : old < 6;
        out |= eflags::af;
        if (flags & eflags::cf || borrow) out |= eflags::cf;
    }
    if (old > 0x99 || flags & eflags::cf) {
        value = static_cast<u8>(value + sign * 0x60);
        out |= eflags::cf;
    } else if (sign > 0) {
        out &= ~eflags::cf;  // DAA clears CF here; DAS keeps the borrow of its first step
    }
    cpu.set8(al, value);
    set_result_flags(cpu, value, out);
    return Fault::none();
}

// AAA and AAS.
template <int sign>
Fault ascii_adjust(Cpu& cpu, const Instruction&) {
    u32 out = 0;
    if ((cpu.get8(al) & 0xF) > 9 || cpu.state.eflags & eflags::af) {
        cpu.set16(eax, static_cast<u16>(cpu.get16(eax) + sign * 0x106));
        out = eflags::af | eflags::cf;
    }
    cpu.set8(al, cpu.get8(al) & 0xF);
    set_result_flags(cpu, cpu.get8(al), out);
    return Fault::none();
}

Fault ascii_adjust_after_multiply(Cpu& cpu, const Instruction& in) {
    u8 base = static_cast<u8>(in.immediate), value = cpu.get8(al);
    if (base == 0) return Fault::exception(vector::de);
    cpu.set8(ah, value / base);
    cpu.set8(al, value % base);
    set_result_flags(cpu, value % base, 0);
    return Fault::none();
}

Fault ascii_adjust_before_divide(Cpu& cpu, const Instruction& in) {
    u8 value = static_cast<u8>(cpu.get8(al) + cpu.get8(ah) * static_cast<u8>(in.immediate));
    cpu.set16(eax, value);
    set_result_flags(cpu, value, 0);
    return Fault::none();
}

// AL = CF ? FFh : 0; not in the manual, in every processor.
Fault set_al_on_carry(Cpu& cpu, const Instruction&) {
    cpu.set8(al, cpu.state.eflags & eflags::cf ? 0xFF : 0);
    return Fault::none();
}

constexpr u32 low_byte_flags = eflags::arithmetic & 0xFF;

Fault load_ah_from_flags(Cpu& cpu, const Instruction&) {
    cpu.set8(ah, static_cast<u8>((cpu.state.eflags & low_byte_flags) | eflags::fixed));
    return Fault::none();
}

Fault store_ah_into_flags(Cpu& cpu, const Instruction&) {
    cpu.state.eflags = (cpu.state.eflags & ~low_byte_flags) | (cpu.get8(ah) & low_byte_flags);
    return Fault::none();
}

template <u32 clear, u32 set, u32 flip>
Fault change_flag(Cpu& cpu, const Instruction&) {
    cpu.state.eflags = ((cpu.state.eflags & ~clear) | set) ^ flip;
    return Fault::none();
}

// The decimal ones have no copy on a 64-bit host.
constexpr InstructionRow rows[] = {
    {ZYDIS_MNEMONIC_DAA, decimal_adjust<1>, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_DAS, decimal_adjust<-1>, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_AAA, ascii_adjust<1>, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_AAS, ascii_adjust<-1>, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_AAM, ascii_adjust_after_multiply, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_AAD, ascii_adjust_before_divide, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_SALC, set_al_on_carry, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_LAHF, load_ah_from_flags, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_SAHF, store_ah_into_flags, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_CLC, change_flag<eflags::cf, 0, 0>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_STC, change_flag<0, eflags::cf, 0>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_CMC, change_flag<0, 0, eflags::cf>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_CLD, change_flag<eflags::df, 0, 0>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_STD, change_flag<0, eflags::df, 0>, TranslationClass::Ident},
};

}  // namespace

std::span<const InstructionRow> decimal_rows() { return rows; }

}  // namespace vellum
