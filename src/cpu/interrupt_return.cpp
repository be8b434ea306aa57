// IRET and IRETD in all their forms (SDM 2 IRET; SDM 3A 20.2.5).
#include "cpu/breakpoints.hpp"
#include "cpu/far_transfers.hpp"
#include "cpu/interrupts.hpp"
#include "cpu/memory_access.hpp"
#include "cpu/stack.hpp"
#include "cpu/tasks.hpp"

namespace vellum {

namespace {

constexpr u32 ordinary_flags = eflags::arithmetic | eflags::tf | eflags::df | eflags::nt;
constexpr u32 wide_flags = eflags::ac | eflags::id;  // in the upper half: 32-bit forms only

struct Frame {
    u32 eip = 0, flags = 0;
    u16 cs = 0;
};

Fault pop_frame(Stack& stack, u8 size, Frame& frame) {
    OrFault<u32> eip = stack.pop(size);
    if (!eip) return eip.fault();
    OrFault<u32> cs = stack.pop(size);
    if (!cs) return cs.fault();
    OrFault<u32> flags = stack.pop(size);
    if (!flags) return flags.fault();
    frame = {*eip, *flags, static_cast<u16>(*cs)};
    return Fault::none();
}

void set_flags(Cpu& cpu, u32 value, u32 changeable, u8 operand_size) {
    if (operand_size == 2)
        changeable &= 0xFFFF;
    else if (breakpoints_enabled(cpu.state))
        changeable |= eflags::rf;
    u32& flags = cpu.state.eflags;
    flags = (flags & ~changeable) | (value & changeable);
    if (flags & eflags::if_) cpu.attention.arm_if_pending();
}

Fault return_without_descriptors(Cpu& cpu, u8 size) {
    CpuState& state = cpu.state;
    if (state.v86() && state.iopl() < 3) return Fault::exception(vector::gp);
    Stack stack{cpu};
    Frame frame;
    if (Fault f = pop_frame(stack, size, frame)) return f;
    if (frame.eip > state.segment(Seg::Cs).limit) return Fault::exception(vector::gp);
    stack.commit();
    if (state.v86())
        set_v86_segment(state, Seg::Cs, frame.cs);
    else
        set_real_mode_segment(state, Seg::Cs, frame.cs);
    state.eip = frame.eip;
    u32 iopl = state.v86() ? 0 : eflags::iopl;  // V86 keeps IOPL
    set_flags(cpu, frame.flags, ordinary_flags | wide_flags | eflags::if_ | iopl, size);
    return Fault::retired();
}

Fault return_to_v86(Cpu& cpu, Stack& stack, const Frame& frame) {
    CpuState& state = cpu.state;
    u32 values[6];  // ESP SS ES DS FS GS
    for (u32& value : values) {
        OrFault<u32> popped = stack.pop(4);
        if (!popped) return popped.fault();
        value = *popped;
    }
    if (frame.eip > 0xFFFF) return Fault::exception(vector::gp);
    set_flags(cpu, frame.flags, ordinary_flags | wide_flags | eflags::if_ | eflags::iopl | eflags::vm, 4);
    state.cpl = 3;
    state.reg(Reg::Esp) = values[0];
    constexpr Seg order[] = {Seg::Ss, Seg::Es, Seg::Ds, Seg::Fs, Seg::Gs};
    for (u32 i = 0; i < 5; ++i) set_v86_segment(state, order[i], static_cast<u16>(values[i + 1]));
    set_v86_segment(state, Seg::Cs, frame.cs);
    state.eip = frame.eip;
    return Fault::retired();
}

// The flags that the privilege before the return may change.
u32 changeable_flags(const CpuState& state) {
    u32 flags = ordinary_flags | wide_flags;
    if (state.cpl <= state.iopl()) flags |= eflags::if_;
    if (state.cpl == 0) flags |= eflags::iopl;
    return flags;
}

Fault return_protected(Cpu& cpu, u8 size) {
    CpuState& state = cpu.state;
    Stack stack{cpu};
    Frame frame;
    if (Fault f = pop_frame(stack, size, frame)) return f;
    if (size == 4 && frame.flags & eflags::vm && state.cpl == 0) return return_to_v86(cpu, stack, frame);
    OrFault<Descriptor> read = read_return_code_descriptor(cpu, frame.cs);
    if (!read) return read.fault();
    Descriptor code = *read;
    u32 changeable = changeable_flags(state);
    if (rpl_of(frame.cs) > state.cpl) {
        OrFault<u32> esp = stack.pop(size);
        if (!esp) return esp.fault();
        OrFault<u32> ss = stack.pop(size);
        if (!ss) return ss.fault();
        if (Fault f = return_to_outer_stack(cpu, static_cast<u16>(*ss), *esp, frame.cs, code, frame.eip)) return f;
    } else {
        if (frame.eip > code.limit()) return Fault::exception(vector::gp);
        if (Fault f = mark_accessed(cpu, frame.cs, code)) return f;
        stack.commit();
        enter_code(state, frame.cs, code, state.cpl, frame.eip);
    }
    set_flags(cpu, frame.flags, changeable, size);
    return Fault::retired();
}

}  // namespace

Fault interrupt_return(Cpu& cpu, u8 operand_size, u8 length) {
    CpuState& state = cpu.state;
    if (state.real_or_v86()) {
        if (Fault f = return_without_descriptors(cpu, operand_size); f.kind != Fault::Kind::Retired) return f;
        state.nmi_blocked = false;
        return Fault::retired();
    }
    state.nmi_blocked = false;  // even when the return faults (SDM 3A 6.7.1)
    if (state.eflags & eflags::nt) {
        Fault f = return_to_previous_task(cpu, static_cast<u32>(state.eip + length));
        return f ? f : Fault::retired();
    }
    return return_protected(cpu, operand_size);
}

}  // namespace vellum
