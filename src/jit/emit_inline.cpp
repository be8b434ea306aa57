// INLINE: sensitive instructions emulated in place, and a few that 64-bit mode changed too much to copy.
#include "jit/emitter.hpp"

namespace vellum {

namespace {
constexpr u32 host_kept = eflags::arithmetic | eflags::df;  // live in the host's flags
constexpr u8 jz = 4, jnz = 5;
}  // namespace

void BlockEmitter::emit_lea() {
    const MemoryOperand& m = in().memory;
    u8 to = in().op[0].reg;
    bool wide = in().operand_size == 4;
    if (to == 4 && m.base == 4 && m.index == MemoryOperand::none && wide && in().address_size == 4 &&
        mode_.flat_stack()) {
        i32 by = static_cast<i32>(m.displacement);
        if (by > -0x4000 && by < 0x4000) {
            pending_ += by;
            return;
        }
    }
    effective_address();
    if (to == 4) flush_stack_pointer();
    if (wide)
        e_.mov32(host_of(to), r8);
    else
        e_.op({.code = 0x8B, .p66 = true}, host_of(to), r8);
    if (to == 4 && wide) {
        pending_ = 0;
        normalise_stack_pointer();
    }
}

void BlockEmitter::emit_xlat() {
    e_.movzx8(r8, rax);
    e_.lea32(r8, HostMem::at(rbx, r8));
    if (in().address_size == 2) e_.movzx16(r8, r8);
    HostMem from = through_segment(in().string_segment(), 1);
    e_.op({0, 0x8A}, rax, from);
}

void BlockEmitter::emit_from_segment() {
    HostMem selector = segment_field(static_cast<Seg>(in().op[1].reg), offsetof(Segment, selector));
    u8 to = host_of(in().op[0].reg);
    if (in().operand_size == 4) return e_.load16(to, selector);
    e_.load16(r8, selector);
    e_.op({.code = 0x8B, .p66 = true}, to, r8);
}

// The flags are put back before the store, which may fault.
void BlockEmitter::emit_push_flags() {
    e_.mov64(r9, rax);
    e_.lahf();
    e_.seto_al();
    e_.mov64(r10, rax);
    e_.pushfq();
    e_.pop64(r11);
    e_.alu32_imm(4, r11, host_kept);
    e_.load32(r8, HostMem::state(offsetof(CpuState, eflags)));
    e_.alu32_imm(4, r8, ~(host_kept | eflags::if_ | eflags::rf | eflags::vm));
    e_.alu32(1, r11, r8);
    e_.load8(r8, word(runtime_.context->interrupt_flag));
    e_.shl32(r8, 9);
    e_.alu32(1, r11, r8);
    e_.mov64(rax, r10);
    e_.add_al(0x7F);
    e_.sahf();
    e_.mov64(rax, r9);
    push_register(r11, in().operand_size);
}

// All arithmetic flags are overwritten, so host comparisons are free. What changes more than arithmetic flags, DF and
// IF is left to the interpreter, and so is IF becoming set while somebody waits for it.
void BlockEmitter::emit_pop_flags() {
    i32 before = pending_;
    e_.load32(r11, stack_slot(pending_));
    constexpr u32 rare = eflags::tf | eflags::nt | eflags::ac | eflags::id;
    e_.mov32(r9, r11);
    e_.alu32(6, r9, HostMem::state(offsetof(CpuState, eflags)));
    e_.test32_imm(r9, mode_.cpl() == 0 ? rare | eflags::iopl : rare);
    leave_to_interpreter_at(e_.jcc_forward(jnz), before);
    if (mode_.io_allowed()) {
        e_.test32_imm(r11, eflags::if_);
        u32 clear = e_.short_forward(0x74);
        e_.alu32_imm(7, HostMem::state(offsetof(CpuState, attention)), 0);
        leave_to_interpreter_at(e_.jcc_forward(jnz), before);
        e_.land_short(clear);
        e_.mov32(r9, r11);
        e_.shr32(r9, 9);
        e_.alu32_imm(4, r9, 1);
        e_.store8(word(runtime_.context->interrupt_flag), r9);
    }
    e_.mov64(r10, rax);
    e_.mov32(rax, r11);
    e_.shl32(rax, 8);  // AH: SF ZF AF PF CF
    e_.shr32(r11, 10);
    e_.cld();
    e_.test32_imm(r11, 1);
    u32 upwards = e_.short_forward(0x74);
    e_.std_();
    e_.land_short(upwards);
    e_.shr32(r11, 1);
    e_.alu32_imm(4, r11, 1);  // OF
    e_.op({0, 0x8A}, rax, r11);
    e_.add_al(0x7F);
    e_.sahf();
    e_.mov64(rax, r10);
    pending_ += 4;
}

void BlockEmitter::emit_cli() { e_.store8_imm(word(runtime_.context->interrupt_flag), 0); }

// In counting mode the time may be the number of instructions, which is exact only between blocks.
void BlockEmitter::emit_time_stamp() {
    flush_stack_pointer();
    e_.call(runtime_.time_stamp);
    settled_ = false;  // as far as the verifier knows: what follows a call may be entered from anywhere
}

// Somebody waits for IF: the interpreter does it, with the shadow of one instruction.
void BlockEmitter::emit_sti() {
    e_.mov64(r9, rcx);
    e_.load32(rcx, HostMem::state(offsetof(CpuState, attention)));
    u32 nobody = e_.jrcxz_forward();
    e_.mov64(rcx, r9);
    leave_to_interpreter_at(e_.jmp_forward(), pending_);
    e_.land_short(nobody);
    e_.mov64(rcx, r9);
    e_.store8_imm(word(runtime_.context->interrupt_flag), 1);
}

}  // namespace vellum
