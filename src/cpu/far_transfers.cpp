// Far JMP, CALL and RET (SDM 2 CALL, JMP, RET; SDM 3A 5.8).
#include "cpu/far_transfers.hpp"

#include <array>

#include "cpu/memory_access.hpp"
#include "cpu/stack.hpp"
#include "cpu/tasks.hpp"

namespace vellum {

namespace {

enum class Kind : u8 { Jump, Call };

struct Transfer {
    Cpu& cpu;
    Kind kind;
    u8 operand_size;
    u32 next_eip;

    CpuState& state() const { return cpu.state; }
};

Fault gp(u16 selector) { return Fault::exception(vector::gp, selector_error(selector)); }

u32 sized(u32 offset, u8 operand_size) { return operand_size == 2 ? offset & 0xFFFF : offset; }

Fault push_return(const Transfer& t, Stack& stack, u8 size) {
    if (Fault f = stack.push(t.state().segment(Seg::Cs).selector, size)) return f;
    return stack.push(t.next_eip, size);
}

// Real mode and V86: selectors are bases.
Fault transfer_without_descriptors(const Transfer& t, u16 selector, u32 offset) {
    CpuState& state = t.state();
    if (offset > state.segment(Seg::Cs).limit) return gp(0);
    if (t.kind == Kind::Call) {
        Stack stack{t.cpu};
        if (Fault f = push_return(t, stack, t.operand_size)) return f;
        stack.commit();
    }
    if (state.v86())
        set_v86_segment(state, Seg::Cs, selector);
    else
        set_real_mode_segment(state, Seg::Cs, selector);
    state.eip = offset;
    return Fault::retired();
}

Fault transfer_at_same_level(const Transfer& t, u16 selector, Descriptor code, u32 offset, u8 size) {
    Stack stack{t.cpu};
    if (t.kind == Kind::Call)
        if (Fault f = push_return(t, stack, size)) return f;
    if (offset > code.limit()) return gp(0);
    if (Fault f = mark_accessed(t.cpu, selector, code)) return f;
    stack.commit();
    enter_code(t.state(), selector, code, t.state().cpl, offset);
    return Fault::retired();
}

Fault transfer_to_code(const Transfer& t, u16 selector, const Descriptor& code, u32 offset) {
    u8 cpl = t.state().cpl;
    bool allowed = code.conforming_code() ? code.dpl() <= cpl : rpl_of(selector) <= cpl && code.dpl() == cpl;
    if (!allowed) return gp(selector);
    if (!code.present()) return Fault::exception(vector::np, selector_error(selector));
    return transfer_at_same_level(t, selector, code, offset, t.operand_size);
}

// The parameters of a call gate go from the old stack to the new one in the same order.
Fault copy_parameters(Cpu& cpu, Stack& to, u8 count, u8 size) {
    std::array<u32, 32> values;
    Stack from{cpu};
    for (u8 i = 0; i < count; ++i) {
        OrFault<u32> value = from.pop(size);
        if (!value) return value.fault();
        values[i] = *value;
    }
    for (u8 i = count; i > 0; --i)
        if (Fault f = to.push(values[i - 1], size)) return f;
    return Fault::none();
}

Fault call_inner_level(const Transfer& t, const Descriptor& gate, Descriptor code) {
    CpuState& state = t.state();
    u8 size = gate.gate_is_32() ? 4 : 2, cpl = code.dpl();
    u16 selector = gate.gate_selector();
    OrFault<StackPointer> pointer = inner_stack_pointer(t.cpu, cpl, 0);
    if (!pointer) return pointer.fault();
    u16 ss = (*pointer).ss;
    OrFault<Descriptor> stack_segment = read_stack_descriptor(t.cpu, ss, cpl, vector::ts);
    if (!stack_segment) return stack_segment.fault();
    Stack stack{t.cpu, (*stack_segment).segment(ss), (*pointer).esp, cpl, selector_error(ss)};
    if (Fault f = stack.push(state.segment(Seg::Ss).selector, size)) return f;
    if (Fault f = stack.push(static_cast<u32>(state.reg(Reg::Esp)), size)) return f;
    if (Fault f = copy_parameters(t.cpu, stack, gate.gate_parameters(), size)) return f;
    if (Fault f = push_return(t, stack, size)) return f;
    if (gate.gate_offset() > code.limit()) return gp(0);
    if (Fault f = mark_accessed(t.cpu, selector, code)) return f;
    stack.commit();
    enter_code(state, selector, code, cpl, gate.gate_offset());
    return Fault::retired();
}

Fault transfer_through_gate(const Transfer& t, const Descriptor& gate) {
    u16 selector = gate.gate_selector();
    u8 cpl = t.state().cpl;
    if (null_selector(selector)) return gp(0);
    OrFault<Descriptor> read = read_descriptor(t.cpu, selector, vector::gp);
    if (!read) return read.fault();
    Descriptor code = *read;
    if (!code.is_code() || code.dpl() > cpl) return gp(selector);
    bool inner = !code.conforming_code() && code.dpl() < cpl;
    if (inner && t.kind == Kind::Jump) return gp(selector);
    if (!code.present()) return Fault::exception(vector::np, selector_error(selector));
    if (inner) return call_inner_level(t, gate, code);
    return transfer_at_same_level(t, selector, code, gate.gate_offset(), gate.gate_is_32() ? 4 : 2);
}

Fault transfer_to_task(const Transfer& t, u16 tss_selector) {
    TaskSwitch kind = t.kind == Kind::Jump ? TaskSwitch::Jump : TaskSwitch::Call;
    Fault f = switch_to_available_task(t.cpu, tss_selector, kind, t.next_eip, 0);
    return f ? f : Fault::retired();
}

Fault transfer_to_system_descriptor(const Transfer& t, u16 selector, const Descriptor& d) {
    if (d.dpl() < t.state().cpl || rpl_of(selector) > d.dpl()) return gp(selector);
    auto missing = Fault::exception(vector::np, selector_error(selector));
    switch (d.type()) {
        case system_type::call_gate16:
        case system_type::call_gate32: return d.present() ? transfer_through_gate(t, d) : missing;
        case system_type::task_gate: return d.present() ? transfer_to_task(t, d.gate_selector()) : missing;
        case system_type::tss16:
        case system_type::tss32: return transfer_to_task(t, selector);
        default: return gp(selector);
    }
}

Fault transfer(const Transfer& t, u16 selector, u32 offset) {
    offset = sized(offset, t.operand_size);
    if (t.state().real_or_v86()) return transfer_without_descriptors(t, selector, offset);
    if (null_selector(selector)) return gp(0);
    OrFault<Descriptor> d = read_descriptor(t.cpu, selector, vector::gp);
    if (!d) return d.fault();
    if ((*d).is_code()) return transfer_to_code(t, selector, *d, offset);
    if ((*d).is_data()) return gp(selector);
    return transfer_to_system_descriptor(t, selector, *d);
}

Fault return_without_descriptors(Cpu& cpu, Stack& stack, u16 selector, u32 eip) {
    CpuState& state = cpu.state;
    if (eip > state.segment(Seg::Cs).limit) return gp(0);
    stack.commit();
    if (state.v86())
        set_v86_segment(state, Seg::Cs, selector);
    else
        set_real_mode_segment(state, Seg::Cs, selector);
    state.eip = eip;
    return Fault::retired();
}

Fault return_to_outer_level(Cpu& cpu, Stack& stack, u8 size, u16 drop, u16 selector, const Descriptor& code, u32 eip) {
    OrFault<u32> esp = stack.pop(size);
    if (!esp) return esp.fault();
    OrFault<u32> ss = stack.pop(size);
    if (!ss) return ss.fault();
    if (Fault f = return_to_outer_stack(cpu, static_cast<u16>(*ss), *esp, selector, code, eip)) return f;
    Stack outer{cpu};
    outer.skip(drop);
    outer.commit();
    return Fault::retired();
}

}  // namespace

void enter_code(CpuState& state, u16 selector, const Descriptor& code, u8 cpl, u32 eip) {
    state.segment(Seg::Cs) = code.segment(static_cast<u16>((selector & ~3) | cpl));
    state.cpl = cpl;
    state.eip = eip;
}

Fault far_jump(Cpu& cpu, u16 selector, u32 offset, u8 operand_size, u32 next_eip) {
    return transfer({cpu, Kind::Jump, operand_size, next_eip}, selector, offset);
}

Fault far_call(Cpu& cpu, u16 selector, u32 offset, u8 operand_size, u32 next_eip) {
    return transfer({cpu, Kind::Call, operand_size, next_eip}, selector, offset);
}

OrFault<Descriptor> read_return_code_descriptor(Cpu& cpu, u16 selector) {
    if (null_selector(selector)) return gp(0);
    OrFault<Descriptor> read = read_descriptor(cpu, selector, vector::gp);
    if (!read) return read.fault();
    Descriptor d = *read;
    u8 rpl = rpl_of(selector);
    bool level = d.conforming_code() ? d.dpl() <= rpl : d.dpl() == rpl;
    if (!d.is_code() || rpl < cpu.state.cpl || !level) return gp(selector);
    if (!d.present()) return Fault::exception(vector::np, selector_error(selector));
    return d;
}

Fault return_to_outer_stack(Cpu& cpu, u16 ss_selector, u32 esp, u16 cs_selector, const Descriptor& code, u32 eip) {
    CpuState& state = cpu.state;
    u8 cpl = rpl_of(cs_selector);
    OrFault<Descriptor> ss = read_stack_descriptor(cpu, ss_selector, cpl, vector::gp);
    if (!ss) return ss.fault();
    if (eip > code.limit()) return gp(0);
    Descriptor marked = code;
    if (Fault f = mark_accessed(cpu, cs_selector, marked)) return f;
    Segment stack_segment = (*ss).segment(ss_selector);
    // A 16-bit stack takes SP only: what lies above in ESP is left of the inner stack.
    u64& old_esp = state.reg(Reg::Esp);
    old_esp = stack_segment.big() ? esp : (old_esp & 0xFFFF0000) | (esp & 0xFFFF);
    state.segment(Seg::Ss) = stack_segment;
    enter_code(state, cs_selector, marked, cpl, eip);
    clear_inner_segments(state);
    return Fault::none();
}

Fault far_return(Cpu& cpu, u8 operand_size, u16 bytes_to_drop) {
    Stack stack{cpu};
    OrFault<u32> offset = stack.pop(operand_size);
    if (!offset) return offset.fault();
    OrFault<u32> popped = stack.pop(operand_size);
    if (!popped) return popped.fault();
    stack.skip(bytes_to_drop);
    auto selector = static_cast<u16>(*popped);
    if (cpu.state.real_or_v86()) return return_without_descriptors(cpu, stack, selector, *offset);
    OrFault<Descriptor> read = read_return_code_descriptor(cpu, selector);
    if (!read) return read.fault();
    Descriptor code = *read;
    if (rpl_of(selector) > cpu.state.cpl)
        return return_to_outer_level(cpu, stack, operand_size, bytes_to_drop, selector, code, *offset);
    if (*offset > code.limit()) return gp(0);
    if (Fault f = mark_accessed(cpu, selector, code)) return f;
    stack.commit();
    enter_code(cpu.state, selector, code, cpu.state.cpl, *offset);
    return Fault::retired();
}

}  // namespace vellum
