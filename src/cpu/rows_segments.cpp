// Segment registers, far transfers and questions about descriptors (SDM 2: MOV, PUSH, POP, LDS, JMP, CALL, RET, LLDT,
// LAR).
#include "cpu/far_transfers.hpp"
#include "cpu/memory_access.hpp"
#include "cpu/segments.hpp"
#include "cpu/system.hpp"
#include "cpu/system_operands.hpp"

namespace vellum {

using namespace system_operands;

namespace {

template <Seg segment>
Fault load_far_pointer(Cpu& cpu, const Instruction& in) {
    OrFault<FarPointer> pointer = read_far_pointer(cpu, in);
    if (!pointer) return pointer.fault();
    if (Fault f = load_segment(cpu, segment, (*pointer).selector)) return f;
    write_register(cpu, in.op[0].reg, in.operand_size, (*pointer).offset);
    return Fault::none();
}

Fault without_descriptors() { return Fault::exception(vector::ud); }

Fault sldt(Cpu& cpu, const Instruction& in) {
    if (cpu.state.real_or_v86()) return without_descriptors();
    return write_word_operand(cpu, in, cpu.state.ldtr.selector);
}

Fault str(Cpu& cpu, const Instruction& in) {
    if (cpu.state.real_or_v86()) return without_descriptors();
    return write_word_operand(cpu, in, cpu.state.tr.selector);
}

template <Fault load(Cpu&, u16)>
Fault load_system_segment(Cpu& cpu, const Instruction& in) {
    if (cpu.state.real_or_v86()) return without_descriptors();
    if (cpu.state.cpl != 0) return gp0;
    OrFault<u16> selector = read_word_operand(cpu, in, 0);
    return selector ? load(cpu, *selector) : selector.fault();
}

void set_zf(CpuState& state, bool value) { state.eflags = (state.eflags & ~eflags::zf) | (value ? eflags::zf : 0); }

template <DescriptorQuestion question>
Fault ask(Cpu& cpu, const Instruction& in) {
    if (cpu.state.real_or_v86()) return without_descriptors();
    constexpr bool writes_register = question == DescriptorQuestion::AccessRights ||  //
                                     question == DescriptorQuestion::Limit;
    OrFault<u16> selector = read_word_operand(cpu, in, writes_register ? 1 : 0);
    if (!selector) return selector.fault();
    auto answer = visible_descriptor(cpu, *selector, question);
    if (!answer) return answer.fault();
    std::optional<Descriptor> d = *answer;
    set_zf(cpu.state, d.has_value());
    if (writes_register && d) {
        u32 value = question == DescriptorQuestion::Limit ? d->limit() : d->high & 0x00FFFF00;
        write_register(cpu, in.op[0].reg, in.operand_size, value);
    }
    return Fault::none();
}

Fault arpl(Cpu& cpu, const Instruction& in) {
    if (cpu.state.real_or_v86()) return without_descriptors();
    u8 wanted = rpl_of(cpu.get16(in.op[1].reg));
    OrFault<u16> selector = in.op[0].kind == Operand::Kind::Memory
                                ? cpu.read<u16>(in.memory.segment, cpu.effective_address(in))
                                : OrFault<u16>{cpu.get16(in.op[0].reg)};
    if (!selector) return selector.fault();
    bool raised = rpl_of(*selector) < wanted;
    if (raised) {
        auto value = static_cast<u16>((*selector & ~3) | wanted);
        if (in.op[0].kind != Operand::Kind::Memory)
            cpu.set16(in.op[0].reg, value);
        else if (Fault f = cpu.write<u16>(in.memory.segment, cpu.effective_address(in), value))
            return f;
    }
    set_zf(cpu.state, raised);
    return Fault::none();
}

OrFault<FarPointer> far_target(Cpu& cpu, const Instruction& in) {
    if (in.op[0].kind == Operand::Kind::FarPointer) return FarPointer{in.immediate, static_cast<u16>(in.immediate2)};
    return read_far_pointer(cpu, in);
}

constexpr InstructionRow rows[] = {
    {ZYDIS_MNEMONIC_LDS, load_far_pointer<Seg::Ds>, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_LES, load_far_pointer<Seg::Es>, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_LFS, load_far_pointer<Seg::Fs>, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_LGS, load_far_pointer<Seg::Gs>, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_LSS, load_far_pointer<Seg::Ss>, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_SLDT, sldt, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_STR, str, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_LLDT, load_system_segment<load_ldt>, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_LTR, load_system_segment<load_task_register>, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_LAR, ask<DescriptorQuestion::AccessRights>, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_LSL, ask<DescriptorQuestion::Limit>, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_VERR, ask<DescriptorQuestion::Readable>, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_VERW, ask<DescriptorQuestion::Writable>, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_ARPL, arpl, TranslationClass::Callout},
};

}  // namespace

Fault mov_segment(Cpu& cpu, const Instruction& in) {
    if (in.op[1].kind == Operand::Kind::Segment)
        return write_word_operand(cpu, in, cpu.state.seg[in.op[1].reg].selector);
    auto segment = static_cast<Seg>(in.op[0].reg);
    OrFault<u16> selector = read_word_operand(cpu, in, 1);
    if (!selector) return selector.fault();
    if (Fault f = load_segment(cpu, segment, *selector)) return f;
    if (segment == Seg::Ss) cpu.state.shadow = Shadow::MovSs;
    return Fault::none();
}

// With a 32-bit operand the stack moves by four, of which processors since the P6 write only the lower two.
Fault push_segment(Cpu& cpu, const Instruction& in) {
    CpuState& state = cpu.state;
    u32 mask = state.stack32() ? 0xFFFFFFFF : 0xFFFF;
    auto esp = static_cast<u32>(state.reg(Reg::Esp));
    u32 below = (esp - in.operand_size) & mask;
    if (Fault f = cpu.write<u16>(Seg::Ss, below, state.seg[in.op[0].reg].selector)) return f;
    state.reg(Reg::Esp) = (esp & ~mask) | below;
    return Fault::none();
}

Fault pop_segment(Cpu& cpu, const Instruction& in) {
    CpuState& state = cpu.state;
    auto segment = static_cast<Seg>(in.op[0].reg);
    u32 mask = state.stack32() ? 0xFFFFFFFF : 0xFFFF;
    auto esp = static_cast<u32>(state.reg(Reg::Esp));
    OrFault<u16> selector = cpu.read<u16>(Seg::Ss, esp & mask);
    if (!selector) return selector.fault();
    if (Fault f = load_segment(cpu, segment, *selector)) return f;
    state.reg(Reg::Esp) = (esp & ~mask) | ((esp + in.operand_size) & mask);
    if (segment == Seg::Ss) state.shadow = Shadow::MovSs;
    return Fault::none();
}

Fault jmp_far(Cpu& cpu, const Instruction& in) {
    OrFault<FarPointer> to = far_target(cpu, in);
    return to ? far_jump(cpu, (*to).selector, (*to).offset, in.operand_size, next_eip(cpu, in)) : to.fault();
}

Fault call_far(Cpu& cpu, const Instruction& in) {
    OrFault<FarPointer> to = far_target(cpu, in);
    return to ? far_call(cpu, (*to).selector, (*to).offset, in.operand_size, next_eip(cpu, in)) : to.fault();
}

Fault ret_far(Cpu& cpu, const Instruction& in) {
    return far_return(cpu, in.operand_size, static_cast<u16>(in.opcode == 0xCA ? in.immediate : 0));
}

std::span<const InstructionRow> segment_rows() { return rows; }

}  // namespace vellum
