// Software interrupts and returns, the interrupt flag, HLT, SYSENTER (SDM 2; SDM 3A 5.8.7, 6.8).
#include "cpu/interrupts.hpp"
#include "cpu/memory_access.hpp"
#include "cpu/segments.hpp"
#include "cpu/system.hpp"
#include "cpu/system_operands.hpp"

namespace vellum {

using namespace system_operands;

namespace {

Fault int_n(Cpu& cpu, const Instruction& in) {
    return software_interrupt(cpu, static_cast<u8>(in.immediate), SoftwareInterrupt::IntN, in.length);
}

Fault int3(Cpu& cpu, const Instruction& in) {
    return software_interrupt(cpu, vector::bp, SoftwareInterrupt::Int3, in.length);
}

Fault int1(Cpu& cpu, const Instruction& in) {
    return software_interrupt(cpu, vector::db, SoftwareInterrupt::Int1, in.length);
}

Fault into(Cpu& cpu, const Instruction& in) {
    if (!(cpu.state.eflags & eflags::of)) return Fault::none();
    return software_interrupt(cpu, vector::of, SoftwareInterrupt::Into, in.length);
}

Fault iret(Cpu& cpu, const Instruction& in) { return interrupt_return(cpu, in.operand_size, in.length); }

bool may_change_interrupt_flag(const CpuState& state) { return !state.protected_mode() || state.cpl <= state.iopl(); }
bool v86_without_iopl(const CpuState& state) { return state.v86() && state.iopl() < 3; }

Fault cli(Cpu& cpu, const Instruction&) {
    if (!may_change_interrupt_flag(cpu.state)) return gp0;
    cpu.state.eflags &= ~eflags::if_;
    return Fault::none();
}

Fault sti(Cpu& cpu, const Instruction&) {
    CpuState& state = cpu.state;
    if (!may_change_interrupt_flag(state)) return gp0;
    if (state.eflags & eflags::if_) return Fault::none();
    state.eflags |= eflags::if_;
    state.shadow = Shadow::Sti;
    cpu.attention.arm_if_pending();
    return Fault::none();
}

Fault pushf(Cpu& cpu, const Instruction& in) {
    if (v86_without_iopl(cpu.state)) return gp0;
    return cpu.push(cpu.state.eflags & ~(eflags::vm | eflags::rf), in.operand_size);
}

Fault popf(Cpu& cpu, const Instruction& in) {
    CpuState& state = cpu.state;
    if (v86_without_iopl(state)) return gp0;
    OrFault<u32> value = cpu.pop(in.operand_size);
    if (!value) return value.fault();
    u32 changeable = eflags::arithmetic | eflags::tf | eflags::df | eflags::nt;
    if (in.operand_size == 4) changeable |= eflags::ac | eflags::id;
    if (may_change_interrupt_flag(state)) changeable |= eflags::if_;
    if (state.cpl == 0) changeable |= eflags::iopl;
    state.eflags = (state.eflags & ~changeable) | (*value & changeable);
    if (state.eflags & eflags::if_) cpu.attention.arm_if_pending();
    return Fault::none();
}

Fault hlt(Cpu& cpu, const Instruction&) { return cpu.state.cpl == 0 ? Fault::halt() : gp0; }

// SYSENTER and SYSEXIT take flat segments at fixed distances from the MSR's selector, without reading descriptors.
Segment flat_code(u16 selector, u8 dpl) { return {selector, static_cast<u16>(0xC09B | dpl << 5), 0xFFFFFFFF, 0}; }
Segment flat_stack(u16 selector, u8 dpl) { return {selector, static_cast<u16>(0xC093 | dpl << 5), 0xFFFFFFFF, 0}; }

Fault sysenter(Cpu& cpu, const Instruction&) {
    CpuState& state = cpu.state;
    auto selector = static_cast<u16>(state.sysenter_cs & 0xFFFC);
    if (!state.protected_mode() || selector == 0) return gp0;
    state.eflags &= ~(eflags::vm | eflags::if_ | eflags::rf);
    state.cpl = 0;
    state.segment(Seg::Cs) = flat_code(selector, 0);
    state.segment(Seg::Ss) = flat_stack(static_cast<u16>(selector + 8), 0);
    state.reg(Reg::Esp) = static_cast<u32>(state.sysenter_esp);
    state.eip = static_cast<u32>(state.sysenter_eip);
    return Fault::retired();
}

Fault sysexit(Cpu& cpu, const Instruction&) {
    CpuState& state = cpu.state;
    auto selector = static_cast<u16>(state.sysenter_cs & 0xFFFC);
    if (!state.protected_mode() || state.cpl != 0 || selector == 0) return gp0;
    state.cpl = 3;
    state.segment(Seg::Cs) = flat_code(static_cast<u16>((selector + 16) | 3), 3);
    state.segment(Seg::Ss) = flat_stack(static_cast<u16>((selector + 24) | 3), 3);
    state.eip = static_cast<u32>(state.reg(Reg::Edx));
    state.reg(Reg::Esp) = static_cast<u32>(state.reg(Reg::Ecx));
    return Fault::retired();
}

Fault undefined(Cpu&, const Instruction&) { return Fault::exception(vector::ud); }

constexpr InstructionRow rows[] = {
    {ZYDIS_MNEMONIC_INT, int_n, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_INT3, int3, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_INT1, int1, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_INTO, into, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_IRET, iret, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_IRETD, iret, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_CLI, cli, TranslationClass::Inline},
    {ZYDIS_MNEMONIC_STI, sti, TranslationClass::Inline},
    {ZYDIS_MNEMONIC_PUSHF, pushf, TranslationClass::Inline},
    {ZYDIS_MNEMONIC_PUSHFD, pushf, TranslationClass::Inline},
    {ZYDIS_MNEMONIC_POPF, popf, TranslationClass::Inline},
    {ZYDIS_MNEMONIC_POPFD, popf, TranslationClass::Inline},
    {ZYDIS_MNEMONIC_HLT, hlt, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_SYSENTER, sysenter, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_SYSEXIT, sysexit, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_UD0, undefined, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_UD1, undefined, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_UD2, undefined, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_RSM, undefined, TranslationClass::Interpret},  // outside of system-management mode
};

}  // namespace

std::span<const InstructionRow> interrupt_rows() { return rows; }

}  // namespace vellum
