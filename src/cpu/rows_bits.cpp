// Single bits, bit scans, POPCNT and BSWAP (SDM vol. 1, 7.3.7).
#include <bit>
#include <type_traits>

#include "cpu/alu.hpp"
#include "cpu/rows_integer.hpp"

namespace vellum {

namespace {

using alu::Bit;

// With a register as index, a memory operand is a bit string: the index is signed and reaches in both directions, in
// steps of the operand size (SDM vol. 2, BT). An immediate index is taken modulo the operand size.
template <typename T>
u32 bit_string_address(const Cpu& cpu, const Instruction& in, T index) {
    constexpr i32 bits = sizeof(T) * 8;
    i32 step = static_cast<std::make_signed_t<T>>(index) >> std::countr_zero(static_cast<u32>(bits));
    u32 address = cpu.effective_address(in) + static_cast<u32>(step) * sizeof(T);
    return in.address_size == 2 ? address & 0xFFFF : address;
}

template <Bit operation, typename T>
Fault bit(Cpu& cpu, const Instruction& in) {
    u32& flags = cpu.state.eflags;
    bool by_register = in.op[1].kind == Operand::Kind::Gpr;
    T index = by_register ? get<T>(cpu, in.op[1].reg) : static_cast<T>(in.immediate);
    if (!in_memory(in.op[0])) {
        T changed = alu::bit<operation, T>(get<T>(cpu, in.op[0].reg), index, flags);
        if constexpr (operation != Bit::Test) set<T>(cpu, in.op[0].reg, changed);
        return Fault::none();
    }
    u32 address = by_register ? bit_string_address<T>(cpu, in, index) : cpu.effective_address(in);
    Seg segment = in.memory.segment;
    auto value = operation == Bit::Test ? cpu.read<T>(segment, address) : cpu.read_for_update<T>(segment, address);
    if (!value) return value.fault();
    T changed = alu::bit<operation, T>(*value, index, flags);
    if constexpr (operation != Bit::Test) return cpu.write<T>(segment, address, changed);
    return Fault::none();
}

template <Bit operation>
Fault bit_by_size(Cpu& cpu, const Instruction& in) {
    return in.op[0].size == 2 ? bit<operation, u16>(cpu, in) : bit<operation, u32>(cpu, in);
}

template <bool forward, typename T>
Fault scan(Cpu& cpu, const Instruction& in) {
    auto value = load<T>(cpu, in, in.op[1]);
    if (!value) return value.fault();
    set<T>(cpu, in.op[0].reg, alu::bit_scan<forward, T>(get<T>(cpu, in.op[0].reg), *value, cpu.state.eflags));
    return Fault::none();
}

template <bool forward>
Fault scan_by_size(Cpu& cpu, const Instruction& in) {
    return in.op[0].size == 2 ? scan<forward, u16>(cpu, in) : scan<forward, u32>(cpu, in);
}

// All flags are defined: ZF by the source, the others clear.
template <typename T>
Fault population_count(Cpu& cpu, const Instruction& in) {
    auto value = load<T>(cpu, in, in.op[1]);
    if (!value) return value.fault();
    set<T>(cpu, in.op[0].reg, static_cast<T>(std::popcount(*value)));
    cpu.state.eflags = (cpu.state.eflags & ~eflags::arithmetic) | (*value ? 0 : eflags::zf);
    return Fault::none();
}

Fault population_count_by_size(Cpu& cpu, const Instruction& in) {
    return in.op[0].size == 2 ? population_count<u16>(cpu, in) : population_count<u32>(cpu, in);
}

Fault byte_swap(Cpu& cpu, const Instruction& in) {
    u8 reg = in.op[0].reg;
    if (in.op[0].size == 2)
        cpu.set16(reg, alu::byte_swap(cpu.get16(reg)));
    else
        cpu.set32(reg, alu::byte_swap(cpu.get32(reg)));
    return Fault::none();
}

constexpr InstructionRow rows[] = {
    {ZYDIS_MNEMONIC_BT, bit_by_size<Bit::Test>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_BTS, bit_by_size<Bit::Set>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_BTR, bit_by_size<Bit::Reset>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_BTC, bit_by_size<Bit::Complement>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_BSF, scan_by_size<true>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_BSR, scan_by_size<false>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_POPCNT, population_count_by_size, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_BSWAP, byte_swap, TranslationClass::Ident},
};

}  // namespace

std::span<const InstructionRow> bit_rows() { return rows; }

}  // namespace vellum
