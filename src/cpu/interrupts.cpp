// Delivery through the real-mode vector table and the IDT (SDM 3A 6.12, 6.15, 20.1.4, 20.3).
#include "cpu/interrupts.hpp"

#include "cpu/breakpoints.hpp"
#include "cpu/far_transfers.hpp"
#include "cpu/memory_access.hpp"
#include "cpu/stack.hpp"
#include "cpu/tasks.hpp"

namespace vellum {

namespace {

// One delivery.
struct Event {
    u8 vector;
    bool checks_gate_privilege;  // INT n, INT3, INTO
    bool has_error_code;
    u16 error_code;
    u16 ext;           // EXT bit of the faults of the delivery itself
    u32 return_eip;    // saved as EIP
    u32 pushed_flags;  // EFLAGS or these bits in the saved image
};

enum class Class : u8 { Benign, Contributory, PageFault };

Class class_of(u8 vec) {
    switch (vec) {
        case vector::de:
        case vector::ts:
        case vector::np:
        case vector::ss:
        case vector::gp: return Class::Contributory;
        case vector::pf: return Class::PageFault;
        default: return Class::Benign;
    }
}

bool pushes_error_code(u8 vec) {
    return vec == vector::df || (vec >= vector::ts && vec <= vector::pf) || vec == vector::ac;
}

// RF is set in the image that a fault saves, so that an instruction breakpoint does not hit again; traps, aborts and
// the instruction breakpoint itself save it as it is (SDM 3B 17.3.1.1). The one #DB left, general detect, sets it
// itself.
bool is_fault(u8 vec) {
    return vec != vector::db && vec != vector::nmi && vec != vector::bp && vec != vector::of && vec != vector::df &&
           vec != vector::mc;
}

u16 idt_error(const Event& e) { return static_cast<u16>(e.vector * 8 + 2 + e.ext); }

Fault deliver_real(Cpu& cpu, const Event& e) {
    CpuState& state = cpu.state;
    if (e.vector * 4u + 3 > state.idtr.limit) return Fault::exception(vector::gp, idt_error(e));
    OrFault<u32> entry = cpu.read_linear<u32>(Linear{state.idtr.base} + e.vector * 4u, Privilege::Supervisor);
    if (!entry) return entry.fault();
    Stack stack{cpu};
    if (Fault f = stack.push(state.eflags, 2)) return f;
    if (Fault f = stack.push(state.segment(Seg::Cs).selector, 2)) return f;
    if (Fault f = stack.push(e.return_eip, 2)) return f;
    stack.commit();
    set_real_mode_segment(state, Seg::Cs, static_cast<u16>(*entry >> 16));
    state.eip = *entry & 0xFFFF;
    state.eflags &= ~(eflags::if_ | eflags::tf | eflags::ac | eflags::rf);
    return Fault::none();
}

Fault deliver_to_task(Cpu& cpu, const Event& e, const Descriptor& gate) {
    Fault switched = switch_to_available_task(cpu, gate.gate_selector(), TaskSwitch::Call, e.return_eip, e.ext);
    bool complete = !switched || switched.vector == vector::db;
    if (!complete || !e.has_error_code) return switched;
    Stack stack{cpu, e.ext};
    if (Fault f = stack.push(e.error_code, cpu.state.tr.type() & 8 ? 4 : 2)) return f;
    stack.commit();
    return switched;
}

Fault push_data_segments(const CpuState& state, Stack& stack, u8 size) {
    for (Seg s : {Seg::Gs, Seg::Fs, Seg::Ds, Seg::Es})
        if (Fault f = stack.push(state.segment(s).selector, size)) return f;
    return Fault::none();
}

Fault push_frame(const CpuState& state, Stack& stack, const Event& e, u8 size) {
    if (Fault f = stack.push(state.eflags | e.pushed_flags, size)) return f;
    if (Fault f = stack.push(state.segment(Seg::Cs).selector, size)) return f;
    if (Fault f = stack.push(e.return_eip, size)) return f;
    return e.has_error_code ? stack.push(e.error_code, size) : Fault::none();
}

// All is checked and pushed: nothing faults from here but the accessed bit of CS.
Fault enter_handler(Cpu& cpu, const Event& e, const Descriptor& gate, Descriptor code, u8 cpl, Stack& stack) {
    CpuState& state = cpu.state;
    if (gate.gate_offset() > code.limit()) return Fault::exception(vector::gp, e.ext);
    if (Fault f = mark_accessed(cpu, gate.gate_selector(), code)) return f;
    if (state.v86())
        for (Seg s : {Seg::Es, Seg::Ds, Seg::Fs, Seg::Gs}) clear_segment(state.segment(s), 0);
    bool interrupt_gate = !(gate.type() & 1);
    state.eflags &= ~(eflags::tf | eflags::nt | eflags::rf | eflags::vm | (interrupt_gate ? eflags::if_ : 0));
    stack.commit();
    enter_code(state, gate.gate_selector(), code, cpl, gate.gate_offset());
    return Fault::none();
}

Fault deliver_to_inner_level(Cpu& cpu, const Event& e, const Descriptor& gate, const Descriptor& code) {
    CpuState& state = cpu.state;
    u8 cpl = code.dpl(), size = gate.gate_is_32() ? 4 : 2;
    OrFault<StackPointer> pointer = inner_stack_pointer(cpu, cpl, e.ext);
    if (!pointer) return pointer.fault();
    u16 ss = (*pointer).ss;
    OrFault<Descriptor> d = read_stack_descriptor(cpu, ss, cpl, vector::ts, e.ext);
    if (!d) return d.fault();
    Stack stack{cpu, (*d).segment(ss), (*pointer).esp, cpl, selector_error(ss, e.ext)};
    if (state.v86())
        if (Fault f = push_data_segments(state, stack, size)) return f;
    if (Fault f = stack.push(state.segment(Seg::Ss).selector, size)) return f;
    if (Fault f = stack.push(static_cast<u32>(state.reg(Reg::Esp)), size)) return f;
    if (Fault f = push_frame(state, stack, e, size)) return f;
    return enter_handler(cpu, e, gate, code, cpl, stack);
}

Fault deliver_through_gate(Cpu& cpu, const Event& e, const Descriptor& gate) {
    CpuState& state = cpu.state;
    u16 selector = gate.gate_selector();
    auto gp = Fault::exception(vector::gp, selector_error(selector, e.ext));
    if (null_selector(selector)) return Fault::exception(vector::gp, e.ext);
    OrFault<Descriptor> read = read_descriptor(cpu, selector, vector::gp, e.ext);
    if (!read) return read.fault();
    Descriptor code = *read;
    if (!code.is_code() || code.dpl() > state.cpl) return gp;
    if (!code.present()) return Fault::exception(vector::np, selector_error(selector, e.ext));
    bool inner = !code.conforming_code() && code.dpl() < state.cpl;
    if (state.v86() && (!inner || code.dpl() != 0)) return gp;  // V86 is left for level 0 only
    if (inner) return deliver_to_inner_level(cpu, e, gate, code);
    Stack stack{cpu, e.ext};
    if (Fault f = push_frame(state, stack, e, gate.gate_is_32() ? 4 : 2)) return f;
    return enter_handler(cpu, e, gate, code, state.cpl, stack);
}

Fault deliver_protected(Cpu& cpu, const Event& e) {
    CpuState& state = cpu.state;
    auto gp = Fault::exception(vector::gp, idt_error(e));
    if (e.vector * 8u + 7 > state.idtr.limit) return gp;
    OrFault<u64> entry = cpu.read_linear<u64>(Linear{state.idtr.base} + e.vector * 8u, Privilege::Supervisor);
    if (!entry) return entry.fault();
    Descriptor gate{static_cast<u32>(*entry), static_cast<u32>(*entry >> 32)};
    bool known = false;
    for (u8 type : {system_type::task_gate, system_type::interrupt_gate16, system_type::trap_gate16,
                    system_type::interrupt_gate32, system_type::trap_gate32})
        known |= gate.type() == type;
    if (gate.is_code_or_data() || !known) return gp;
    if (e.checks_gate_privilege && gate.dpl() < state.cpl) return gp;
    if (!gate.present()) return Fault::exception(vector::np, idt_error(e));
    return gate.type() == system_type::task_gate ? deliver_to_task(cpu, e, gate) : deliver_through_gate(cpu, e, gate);
}

Fault deliver(Cpu& cpu, const Event& e) {
    return cpu.state.protected_mode() ? deliver_protected(cpu, e) : deliver_real(cpu, e);
}

Event event_of(const CpuState& state, Fault fault) {
    return {.vector = fault.vector,
            .checks_gate_privilege = false,
            .has_error_code = pushes_error_code(fault.vector),
            .error_code = fault.error_code,
            .ext = 1,
            .return_eip = static_cast<u32>(state.eip),
            .pushed_flags = is_fault(fault.vector) ? eflags::rf : 0};
}

// What the processor makes of `next`, raised while `first` was being delivered.
Fault combine(u8 first, Fault next) {
    if (first == vector::df) return Fault::shutdown();
    Class a = class_of(first), b = class_of(next.vector);
    bool twice =
        (a == Class::Contributory && b == Class::Contributory) || (a == Class::PageFault && b != Class::Benign);
    return twice ? Fault::exception(vector::df) : next;
}

Fault deliver_event(Cpu& cpu, u8 vec) {
    CpuState& state = cpu.state;
    state.activity = Activity::Running;
    Event e{.vector = vec,
            .checks_gate_privilege = false,
            .has_error_code = false,
            .error_code = 0,
            .ext = 1,
            .return_eip = static_cast<u32>(state.eip),
            .pushed_flags = 0};
    Fault f = deliver(cpu, e);
    return f ? deliver_exception(cpu, f) : Fault::retired();
}

}  // namespace

Fault deliver_exception(Cpu& cpu, Fault fault) {
    // Benign faults (an #AC on a handler's stack) can repeat without end; a processor hangs then, we shut down.
    constexpr int most_rounds = 16;
    CpuState& state = cpu.state;
    if (fault.vector == vector::pf) state.cr2 = fault.cr2;
    for (int round = 0; round < most_rounds && fault.kind != Fault::Kind::Shutdown; ++round) {
        if (fault.vector == vector::db) report_in_dr6(state);
        Fault next = deliver(cpu, event_of(state, fault));
        if (!next) {
            if (fault.vector == vector::db) state.dr[7] &= ~u64{dr7::general_detect};
            return Fault::retired();
        }
        if (next.vector == vector::pf) state.cr2 = next.cr2;  // even when a double fault replaces it
        fault = combine(fault.vector, next);
    }
    state.activity = Activity::Shutdown;
    return Fault::shutdown();
}

Fault deliver_external_interrupt(Cpu& cpu, u8 vec) { return deliver_event(cpu, vec); }

Fault deliver_nmi(Cpu& cpu) {
    cpu.state.nmi_blocked = true;
    return deliver_event(cpu, vector::nmi);
}

Fault software_interrupt(Cpu& cpu, u8 vec, SoftwareInterrupt kind, u8 length) {
    CpuState& state = cpu.state;
    bool by_iopl = kind == SoftwareInterrupt::IntN && state.v86() && state.protected_mode();
    if (by_iopl && state.iopl() < 3) return Fault::exception(vector::gp);
    Event e{.vector = vec,
            .checks_gate_privilege = kind != SoftwareInterrupt::Int1,
            .has_error_code = false,
            .error_code = 0,
            .ext = static_cast<u16>(kind == SoftwareInterrupt::Int1 ? 1 : 0),
            .return_eip = static_cast<u32>(state.eip + length),
            .pushed_flags = 0};
    Fault f = deliver(cpu, e);
    if (f) return f;
    // INT1 is a #DB, and takes along what was held off behind MOV SS.
    if (kind == SoftwareInterrupt::Int1) {
        report_in_dr6(state);
        state.dr[7] &= ~u64{dr7::general_detect};
    }
    return Fault::retired();
}

}  // namespace vellum
