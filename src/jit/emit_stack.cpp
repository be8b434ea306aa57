// STACK: stores and loads around one change of r12. On the flat stack that change is put off (`pending_`) over runs of
// instructions; on other stacks (16-bit, or with a base) each instruction works out its own address.
#include "jit/emitter.hpp"

namespace vellum {

// SP or ESP changes by that much, where it is not put off.
void BlockEmitter::move_stack_pointer(i32 by) {
    if (mode_.stack32()) {
        e_.lea32(r12, HostMem::at(r12, by));
        return normalise_stack_pointer();
    }
    e_.lea32(r9, HostMem::at(r12, by));
    e_.op({.code = 0x8B, .p66 = true}, r12, r9);  // mov r12w, r9w
    e_.mov32(r12, r12);
    normalise_stack_pointer();
}

// `host` is neither r8, r9 nor r10. `written`: bytes of the slot, all if 0.
void BlockEmitter::push_register(u8 host, u32 bytes, u32 written) {
    if (written == 0) written = bytes;
    i32 by = -static_cast<i32>(bytes);
    HostMem top;
    if (mode_.flat_stack()) {
        top = stack_slot(pending_ + by);
    } else {
        flush_stack_pointer();
        e_.lea32(r8, HostMem::at(r12, by));
        if (!mode_.stack32()) e_.movzx16(r8, r8);
        top = through_segment(Seg::Ss, written, mode_.stack32());
    }
    written == 4 ? e_.store32(top, host) : e_.store16(top, host);
    if (mode_.flat_stack())
        pending_ += by;
    else
        move_stack_pointer(by);
}

void BlockEmitter::push_immediate(u32 value, u32 bytes) {
    if (!mode_.flat_stack()) {
        e_.mov32_imm(r11, value);
        return push_register(r11, bytes);
    }
    i32 by = -static_cast<i32>(bytes);
    HostMem top = stack_slot(pending_ + by);
    bytes == 4 ? e_.store32_imm(top, value) : e_.store16_imm(top, static_cast<u16>(value));
    pending_ += by;
}

// r11d becomes the zero-extended top of the stack.
void BlockEmitter::load_top_of_stack(u32 bytes) {
    HostMem top;
    if (mode_.flat_stack()) {
        top = stack_slot(pending_);
    } else {
        flush_stack_pointer();
        mode_.stack32() ? e_.mov32(r8, r12) : e_.movzx16(r8, r12);
        top = through_segment(Seg::Ss, bytes, mode_.stack32());
    }
    bytes == 4 ? e_.load32(r11, top) : e_.load16(r11, top);
}

void BlockEmitter::drop_from_stack(u32 bytes) {
    if (mode_.flat_stack())
        pending_ += static_cast<i32>(bytes);
    else
        move_stack_pointer(static_cast<i32>(bytes));
}

void BlockEmitter::pop_to_r11(u32 bytes) {
    load_top_of_stack(bytes);
    drop_from_stack(bytes);
}

void BlockEmitter::emit_push() {
    const Operand& o = in().op[0];
    u32 bytes = in().operand_size;
    switch (o.kind) {
        case Operand::Kind::Immediate: return push_immediate(in().immediate, bytes);
        case Operand::Kind::Memory: {
            HostMem from = memory_operand(bytes);
            bytes == 4 ? e_.load32(r11, from) : e_.load16(r11, from);
            return push_register(r11, bytes);
        }
        default:
            if (o.reg != 4) return push_register(host_of(o.reg), bytes);
            e_.lea32(r11, HostMem::at(r12, pending_));
            return push_register(r11, bytes);
    }
}

void BlockEmitter::emit_pop() {
    const Operand& o = in().op[0];
    u32 bytes = in().operand_size;
    if (o.kind == Operand::Kind::Memory) {
        // The address counts from the popped ESP; until the store has been done, a fault finds the old one.
        HostMem from = stack_slot(pending_);
        bytes == 4 ? e_.load32(r11, from) : e_.load16(r11, from);
        pending_ += static_cast<i32>(bytes);
        HostMem to = memory_operand(bytes);
        return bytes == 4 ? e_.store32(to, r11) : e_.store16(to, r11);
    }
    bool flat = mode_.flat_stack();
    if (flat && bytes == 4 && o.reg != 4) {
        e_.load32(host_of(o.reg), stack_slot(pending_));
        pending_ += 4;
        return;
    }
    pop_to_r11(bytes);
    if (o.reg == 4) flush_stack_pointer();
    if (bytes == 2)
        e_.op({.code = 0x8B, .p66 = true}, host_of(o.reg), r11);
    else
        e_.mov32(host_of(o.reg), r11);
    if (o.reg != 4) return;
    if (bytes == 2) e_.mov32(r12, r12);
    normalise_stack_pointer();
}

void BlockEmitter::emit_push_all() {
    for (u8 reg = 0; reg < 8; ++reg) {
        i32 at = pending_ - 4 * (reg + 1);
        if (reg == 4) e_.lea32(r11, HostMem::at(r12, pending_));
        e_.store32(stack_slot(at), reg == 4 ? r11 : host_of(reg));
    }
    pending_ -= 32;
}

// The ends are read first: if any part of the stack faults, no register has changed. The lower end before the upper,
// whose page is not even accessed when the lower one faults.
void BlockEmitter::emit_pop_all() {
    e_.load32(r10, stack_slot(pending_));
    e_.load32(r11, stack_slot(pending_ + 28));
    for (u8 reg = 1; reg < 8; ++reg) {
        if (reg == 4) continue;
        e_.load32(host_of(reg), stack_slot(pending_ + 4 * (7 - reg)));
    }
    e_.mov32(rax, r11);
    pending_ += 32;
}

void BlockEmitter::emit_leave() {
    e_.load32(r8, HostMem::at(r13, host_of(5)));
    pending_ = 0;
    e_.lea32(r12, HostMem::at(rbp, 4));
    normalise_stack_pointer();
    e_.mov32(rbp, r8);
}

// With a 32-bit operand the stack moves by four, of which processors since the P6 write only the lower two.
void BlockEmitter::emit_push_segment() {
    Seg s = static_cast<Seg>(in().op[0].reg);
    e_.load16(r11, segment_field(s, offsetof(Segment, selector)));
    push_register(r11, in().operand_size, 2);
}

}  // namespace vellum
