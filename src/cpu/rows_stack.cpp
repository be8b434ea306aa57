// The stack: PUSH, POP, PUSHA, POPA, ENTER, LEAVE (SDM vol. 1, chapter 6 and 7.3.1.4). Registers change only when every
// access has succeeded. PUSH and POP of segments and PUSHF and POPF are in the system chapter.
#include <array>

#include "cpu/rows_integer.hpp"

namespace vellum {

namespace {

u32 stack_mask(const Cpu& cpu) { return cpu.state.stack32() ? 0xFFFFFFFF : 0xFFFF; }

void set_stack_pointer(Cpu& cpu, Reg reg, u32 value, u32 mask) {
    cpu.state.reg(reg) = (static_cast<u32>(cpu.state.reg(reg)) & ~mask) | (value & mask);
}

OrFault<u32> read_stack(Cpu& cpu, u32 offset, u8 size) {
    if (size == 4) return cpu.read<u32>(Seg::Ss, offset);
    auto value = cpu.read<u16>(Seg::Ss, offset);
    if (!value) return value.fault();
    return u32{*value};
}

Fault write_stack(Cpu& cpu, u32 offset, u32 value, u8 size) {
    if (size == 4) return cpu.write<u32>(Seg::Ss, offset, value);
    return cpu.write<u16>(Seg::Ss, offset, static_cast<u16>(value));
}

void set_register(Cpu& cpu, u8 reg, u32 value, u8 size) {
    if (size == 4)
        cpu.set32(reg, value);
    else
        cpu.set16(reg, static_cast<u16>(value));
}

// --- PUSH

template <typename T>
Fault push_register(Cpu& cpu, const Instruction& in) {
    return cpu.push(get<T>(cpu, in.op[0].reg), sizeof(T));  // of ESP: the value before
}

template <typename T>
Fault push_memory(Cpu& cpu, const Instruction& in) {
    auto value = cpu.read<T>(in.memory.segment, cpu.effective_address(in));
    return value ? cpu.push(*value, sizeof(T)) : value.fault();
}

template <typename T>
Fault push_immediate(Cpu& cpu, const Instruction& in) {
    return cpu.push(static_cast<T>(in.immediate), sizeof(T));
}

Execute pick_push(const Instruction& in) {
    bool wide = in.operand_size == 4;
    if (in_memory(in.op[0])) return wide ? push_memory<u32> : push_memory<u16>;
    if (in.op[0].kind == Operand::Kind::Immediate) return wide ? push_immediate<u32> : push_immediate<u16>;
    return wide ? push_register<u32> : push_register<u16>;
}

// --- POP

template <typename T>
Fault pop_register(Cpu& cpu, const Instruction& in) {
    auto value = cpu.pop(sizeof(T));
    if (!value) return value.fault();
    set<T>(cpu, in.op[0].reg, static_cast<T>(*value));  // of ESP: the popped value stays
    return Fault::none();
}

// An address that contains ESP is computed with ESP already incremented (SDM vol. 2, POP).
template <typename T>
Fault pop_memory(Cpu& cpu, const Instruction& in) {
    u64 before = cpu.state.reg(Reg::Esp);
    auto value = cpu.pop(sizeof(T));
    if (!value) return value.fault();
    Fault f = cpu.write<T>(in.memory.segment, cpu.effective_address(in), static_cast<T>(*value));
    if (f) cpu.state.reg(Reg::Esp) = before;
    return f;
}

Execute pick_pop(const Instruction& in) {
    bool wide = in.operand_size == 4;
    if (in_memory(in.op[0])) return wide ? pop_memory<u32> : pop_memory<u16>;
    return wide ? pop_register<u32> : pop_register<u16>;
}

// --- PUSHA and POPA: EAX first in, EDI last; POPA skips the place of ESP.

Fault push_all(Cpu& cpu, const Instruction& in) {
    u32 mask = stack_mask(cpu), esp = cpu.get32(static_cast<u8>(Reg::Esp));
    for (u8 reg = 0; reg < 8; ++reg)
        if (Fault f = write_stack(cpu, (esp - (reg + 1u) * in.operand_size) & mask, cpu.get32(reg), in.operand_size))
            return f;
    set_stack_pointer(cpu, Reg::Esp, esp - 8u * in.operand_size, mask);
    return Fault::none();
}

Fault pop_all(Cpu& cpu, const Instruction& in) {
    constexpr u8 esp_number = static_cast<u8>(Reg::Esp);
    u32 mask = stack_mask(cpu), esp = cpu.get32(esp_number);
    std::array<u32, 8> values{};
    for (u8 i = 0; i < 8; ++i) {
        u8 reg = 7 - i;
        if (reg == esp_number) continue;
        auto value = read_stack(cpu, (esp + u32{i} * in.operand_size) & mask, in.operand_size);
        if (!value) return value.fault();
        values[reg] = *value;
    }
    for (u8 reg = 0; reg < 8; ++reg)
        if (reg != esp_number) set_register(cpu, reg, values[reg], in.operand_size);
    set_stack_pointer(cpu, Reg::Esp, esp + 8u * in.operand_size, mask);
    return Fault::none();
}

// --- ENTER and LEAVE

// Stores below ESP before a fault are not architecture: only registers have to wait for success.
Fault enter(Cpu& cpu, const Instruction& in) {
    u32 mask = stack_mask(cpu), size = in.operand_size;
    u32 allocation = in.immediate & 0xFFFF, level = in.immediate2 & 31;
    u32 esp = cpu.get32(static_cast<u8>(Reg::Esp)), ebp = cpu.get32(static_cast<u8>(Reg::Ebp));
    auto push = [&](u32 value) {
        esp -= size;
        return write_stack(cpu, esp & mask, value, in.operand_size);
    };
    if (Fault f = push(ebp)) return f;
    // A frame pointer of the operand size, taken from a stack pointer of the stack size: the upper half stays.
    u32 frame = (cpu.get32(static_cast<u8>(Reg::Esp)) & ~mask) | (esp & mask);
    for (u32 i = 1; i < level; ++i) {
        auto outer = read_stack(cpu, (ebp - i * size) & mask, in.operand_size);
        if (!outer) return outer.fault();
        if (Fault f = push(*outer)) return f;
    }
    if (level > 0)
        if (Fault f = push(frame)) return f;
    esp -= allocation;
    // A write at the final stack pointer has to be possible, although none is made (SDM vol. 2, ENTER).
    if (Fault f = cpu.check_alignment(Seg::Ss, esp & mask, size, size, Access::Write)) return f;
    if (Fault f = cpu.probe(Seg::Ss, esp & mask, size, Access::Write)) return f;
    set_register(cpu, static_cast<u8>(Reg::Ebp), frame, in.operand_size);
    set_stack_pointer(cpu, Reg::Esp, esp, mask);
    return Fault::none();
}

Fault leave(Cpu& cpu, const Instruction& in) {
    u32 mask = stack_mask(cpu), ebp = cpu.get32(static_cast<u8>(Reg::Ebp));
    auto outer = read_stack(cpu, ebp & mask, in.operand_size);
    if (!outer) return outer.fault();
    set_stack_pointer(cpu, Reg::Esp, ebp + in.operand_size, mask);
    set_register(cpu, static_cast<u8>(Reg::Ebp), *outer, in.operand_size);
    return Fault::none();
}

constexpr Specialisation specialisations[] = {
    {ZYDIS_MNEMONIC_PUSH, pick_push},
    {ZYDIS_MNEMONIC_POP, pick_pop},
};

constexpr InstructionRow rows[] = {
    {ZYDIS_MNEMONIC_PUSH, picked<pick_push>, TranslationClass::Stack},
    {ZYDIS_MNEMONIC_POP, picked<pick_pop>, TranslationClass::Stack},
    {ZYDIS_MNEMONIC_PUSHA, push_all, TranslationClass::Stack},
    {ZYDIS_MNEMONIC_PUSHAD, push_all, TranslationClass::Stack},
    {ZYDIS_MNEMONIC_POPA, pop_all, TranslationClass::Stack},
    {ZYDIS_MNEMONIC_POPAD, pop_all, TranslationClass::Stack},
    {ZYDIS_MNEMONIC_ENTER, enter, TranslationClass::Stack},
    {ZYDIS_MNEMONIC_LEAVE, leave, TranslationClass::Stack},
};

}  // namespace

std::span<const InstructionRow> stack_rows() { return rows; }
std::span<const Specialisation> stack_specialisations() { return specialisations; }

}  // namespace vellum
