// The integer chapter: its subjects joined, and the arithmetic ones (SDM vol. 1, 7.3.2).
#include <limits>
#include <vector>

#include "cpu/alu.hpp"
#include "cpu/rows.hpp"
#include "cpu/rows_integer.hpp"

namespace vellum {

namespace {

using alu::Binary;
using alu::Unary;

// --- ADD OR ADC SBB AND SUB XOR CMP TEST

template <Binary operation, typename T, Form form>
Fault binary(Cpu& cpu, const Instruction& in) {
    constexpr bool only_reads = operation == Binary::Cmp || operation == Binary::Test;
    constexpr bool to_memory = form == Form::MemReg || form == Form::MemImm;
    u32& flags = cpu.state.eflags;
    auto other = source<T, form>(cpu, in);
    if (!other) return other.fault();
    if constexpr (only_reads) {
        auto value = load<T>(cpu, in, in.op[0]);
        if (!value) return value.fault();
        alu::binary<operation, T>(*value, *other, flags);
        return Fault::none();
    } else {
        return update<T, to_memory>(cpu, in, in.op[0],
                                    [&](T value) { return alu::binary<operation, T>(value, *other, flags); });
    }
}

template <Binary operation, typename T>
Execute binary_of_form(Form form) {
    constexpr Execute by_form[] = {binary<operation, T, Form::RegReg>, binary<operation, T, Form::RegMem>,
                                   binary<operation, T, Form::RegImm>, binary<operation, T, Form::MemReg>,
                                   binary<operation, T, Form::MemImm>};
    return by_form[static_cast<u8>(form)];
}

template <Binary operation>
Execute pick_binary(const Instruction& in) {
    switch (in.op[0].size) {
        case 1: return binary_of_form<operation, u8>(form_of(in));
        case 2: return binary_of_form<operation, u16>(form_of(in));
        default: return binary_of_form<operation, u32>(form_of(in));
    }
}

// --- INC DEC NEG NOT

template <Unary operation, typename T, bool in_memory>
Fault unary(Cpu& cpu, const Instruction& in) {
    return update<T, in_memory>(cpu, in, in.op[0],
                                [&](T value) { return alu::unary<operation, T>(value, cpu.state.eflags); });
}

template <Unary operation>
Execute pick_unary(const Instruction& in) {
    constexpr Execute by_size[][2] = {{unary<operation, u8, false>, unary<operation, u8, true>},
                                      {unary<operation, u16, false>, unary<operation, u16, true>},
                                      {unary<operation, u32, false>, unary<operation, u32, true>}};
    return by_size[size_index(in.op[0].size)][in_memory(in.op[0])];
}

// --- MUL IMUL DIV IDIV: AX, DX:AX and EDX:EAX

constexpr u8 eax = 0, ah = 4, edx = 2;

template <typename T>
alu::Wide<T> get_wide(const Cpu& cpu) {
    return {get<T>(cpu, eax), get<T>(cpu, sizeof(T) == 1 ? ah : edx)};
}

template <typename T>
void set_wide(Cpu& cpu, alu::Wide<T> value) {
    set<T>(cpu, eax, value.low);
    set<T>(cpu, sizeof(T) == 1 ? ah : edx, value.high);
}

template <bool is_signed, typename T>
Fault multiply(Cpu& cpu, const Instruction& in) {
    auto factor = load<T>(cpu, in, in.op[0]);
    if (!factor) return factor.fault();
    set_wide<T>(cpu, alu::multiply<is_signed, T>(get<T>(cpu, eax), *factor, cpu.state.eflags));
    return Fault::none();
}

// Would the quotient not fit? Division by zero included.
template <bool is_signed, typename T>
bool divide_error(alu::Wide<T> dividend, T divisor) {
    if (divisor == 0) return true;
    constexpr u32 bits = sizeof(T) * 8;
    u64 joined = u64{dividend.high} << bits | dividend.low;
    if constexpr (!is_signed) {
        return dividend.high >= divisor;
    } else {
        using Signed = std::make_signed_t<T>;
        auto wide = static_cast<i64>(joined << (64 - 2 * bits)) >> (64 - 2 * bits);
        i64 by = static_cast<Signed>(divisor);
        if (by == -1)
            return wide <= std::numeric_limits<Signed>::min() || wide > -i64{std::numeric_limits<Signed>::min()};
        i64 quotient = wide / by;
        return quotient < std::numeric_limits<Signed>::min() || quotient > std::numeric_limits<Signed>::max();
    }
}

template <bool is_signed, typename T>
Fault divide(Cpu& cpu, const Instruction& in) {
    auto divisor = load<T>(cpu, in, in.op[0]);
    if (!divisor) return divisor.fault();
    auto dividend = get_wide<T>(cpu);
    if (divide_error<is_signed, T>(dividend, *divisor)) return Fault::exception(vector::de);
    set_wide<T>(cpu, alu::divide<is_signed, T>(dividend, *divisor, cpu.state.eflags));
    return Fault::none();
}

template <bool is_signed>
Execute pick_divide(const Instruction& in) {
    constexpr Execute by_size[] = {divide<is_signed, u8>, divide<is_signed, u16>, divide<is_signed, u32>};
    return by_size[size_index(in.op[0].size)];
}

// IMUL with two operands, and with three (register, register or memory, immediate).
template <typename T>
Fault multiply_low(Cpu& cpu, const Instruction& in) {
    bool three = in.op[2].kind == Operand::Kind::Immediate;
    auto factor = load<T>(cpu, in, in.op[1]);
    if (!factor) return factor.fault();
    T other = three ? static_cast<T>(in.immediate) : get<T>(cpu, in.op[0].reg);
    set<T>(cpu, in.op[0].reg, alu::multiply_low<T>(other, *factor, cpu.state.eflags));
    return Fault::none();
}

// The one-operand IMUL is F6 /5 and F7 /5; Zydis shows its implicit operands as hidden ones.
template <bool is_signed>
Execute pick_multiply(const Instruction& in) {
    constexpr Execute by_size[] = {multiply<is_signed, u8>, multiply<is_signed, u16>, multiply<is_signed, u32>};
    bool one_operand = in.opcode_map == 0 && (in.opcode == 0xF6 || in.opcode == 0xF7);
    if (one_operand) return by_size[size_index(in.op[0].size)];
    return in.op[0].size == 2 ? multiply_low<u16> : multiply_low<u32>;
}

// --- XADD, CMPXCHG, CMPXCHG8B

template <typename T, bool in_memory>
Fault exchange_and_add(Cpu& cpu, const Instruction& in) {
    T old{};
    T addend = get<T>(cpu, in.op[1].reg);
    Fault f = update<T, in_memory>(cpu, in, in.op[0], [&](T value) {
        old = value;
        if constexpr (!in_memory) set<T>(cpu, in.op[1].reg, old);  // XADD of a register with itself leaves the sum
        return alu::binary<Binary::Add, T>(value, addend, cpu.state.eflags);
    });
    if (!f && in_memory) set<T>(cpu, in.op[1].reg, old);
    return f;
}

Execute pick_exchange_and_add(const Instruction& in) {
    constexpr Execute by_size[][2] = {{exchange_and_add<u8, false>, exchange_and_add<u8, true>},
                                      {exchange_and_add<u16, false>, exchange_and_add<u16, true>},
                                      {exchange_and_add<u32, false>, exchange_and_add<u32, true>}};
    return by_size[size_index(in.op[0].size)][in_memory(in.op[0])];
}

// The destination is written in both cases (SDM vol. 2, CMPXCHG).
template <typename T, bool in_memory>
Fault compare_and_exchange(Cpu& cpu, const Instruction& in) {
    T accumulator = get<T>(cpu, eax), replacement = get<T>(cpu, in.op[1].reg), found{};
    Fault f = update<T, in_memory>(cpu, in, in.op[0], [&](T value) {
        found = value;
        alu::binary<Binary::Cmp, T>(accumulator, value, cpu.state.eflags);
        return found == accumulator ? replacement : found;
    });
    if (!f && found != accumulator) set<T>(cpu, eax, found);
    return f;
}

Execute pick_compare_and_exchange(const Instruction& in) {
    constexpr Execute by_size[][2] = {{compare_and_exchange<u8, false>, compare_and_exchange<u8, true>},
                                      {compare_and_exchange<u16, false>, compare_and_exchange<u16, true>},
                                      {compare_and_exchange<u32, false>, compare_and_exchange<u32, true>}};
    return by_size[size_index(in.op[0].size)][in_memory(in.op[0])];
}

Fault compare_and_exchange_8_bytes(Cpu& cpu, const Instruction& in) {
    constexpr u8 ecx = 1, ebx = 3;
    u64 expected = u64{cpu.get32(edx)} << 32 | cpu.get32(eax), found = 0;
    Fault f = update<u64, true>(cpu, in, in.op[0], [&](u64 value) {
        found = value;
        return found == expected ? u64{cpu.get32(ecx)} << 32 | cpu.get32(ebx) : found;
    });
    if (f) return f;
    if (found == expected) {
        cpu.state.eflags |= eflags::zf;
    } else {
        cpu.state.eflags &= ~eflags::zf;
        cpu.set32(eax, static_cast<u32>(found));
        cpu.set32(edx, static_cast<u32>(found >> 32));
    }
    return Fault::none();
}

constexpr Specialisation specialisations[] = {
    {ZYDIS_MNEMONIC_ADD, pick_binary<Binary::Add>},
    {ZYDIS_MNEMONIC_OR, pick_binary<Binary::Or>},
    {ZYDIS_MNEMONIC_ADC, pick_binary<Binary::Adc>},
    {ZYDIS_MNEMONIC_SBB, pick_binary<Binary::Sbb>},
    {ZYDIS_MNEMONIC_AND, pick_binary<Binary::And>},
    {ZYDIS_MNEMONIC_SUB, pick_binary<Binary::Sub>},
    {ZYDIS_MNEMONIC_XOR, pick_binary<Binary::Xor>},
    {ZYDIS_MNEMONIC_CMP, pick_binary<Binary::Cmp>},
    {ZYDIS_MNEMONIC_TEST, pick_binary<Binary::Test>},
    {ZYDIS_MNEMONIC_INC, pick_unary<Unary::Inc>},
    {ZYDIS_MNEMONIC_DEC, pick_unary<Unary::Dec>},
    {ZYDIS_MNEMONIC_NEG, pick_unary<Unary::Neg>},
    {ZYDIS_MNEMONIC_NOT, pick_unary<Unary::Not>},
    {ZYDIS_MNEMONIC_MUL, pick_multiply<false>},
    {ZYDIS_MNEMONIC_IMUL, pick_multiply<true>},
    {ZYDIS_MNEMONIC_DIV, pick_divide<false>},
    {ZYDIS_MNEMONIC_IDIV, pick_divide<true>},
    {ZYDIS_MNEMONIC_XADD, pick_exchange_and_add},
    {ZYDIS_MNEMONIC_CMPXCHG, pick_compare_and_exchange},
};

constexpr InstructionRow rows[] = {
    {ZYDIS_MNEMONIC_ADD, picked<pick_binary<Binary::Add>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_OR, picked<pick_binary<Binary::Or>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_ADC, picked<pick_binary<Binary::Adc>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_SBB, picked<pick_binary<Binary::Sbb>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_AND, picked<pick_binary<Binary::And>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_SUB, picked<pick_binary<Binary::Sub>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_XOR, picked<pick_binary<Binary::Xor>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_CMP, picked<pick_binary<Binary::Cmp>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_TEST, picked<pick_binary<Binary::Test>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_INC, picked<pick_unary<Unary::Inc>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_DEC, picked<pick_unary<Unary::Dec>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_NEG, picked<pick_unary<Unary::Neg>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_NOT, picked<pick_unary<Unary::Not>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_MUL, picked<pick_multiply<false>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_IMUL, picked<pick_multiply<true>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_DIV, picked<pick_divide<false>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_IDIV, picked<pick_divide<true>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_XADD, picked<pick_exchange_and_add>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_CMPXCHG, picked<pick_compare_and_exchange>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_CMPXCHG8B, compare_and_exchange_8_bytes, TranslationClass::Ident},
};

}  // namespace

std::span<const InstructionRow> arithmetic_rows() { return rows; }
std::span<const Specialisation> arithmetic_specialisations() { return specialisations; }

std::span<const InstructionRow> integer_rows() {
    static const std::vector<InstructionRow> joined = [] {
        std::vector<InstructionRow> all;
        for (auto part : {arithmetic_rows(), move_rows(), shift_rows(), bit_rows(), decimal_rows()})
            all.insert(all.end(), part.begin(), part.end());
        return all;
    }();
    return joined;
}

}  // namespace vellum
