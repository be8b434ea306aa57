// INLINE: sensitive instructions emulated in place, and a few that 64-bit mode changed too much to copy.
#include "jit/emitter.hpp"

namespace vellum {

namespace {
constexpr std::size_t control_registers[] = {offsetof(CpuState, cr0), 0, offsetof(CpuState, cr2),
                                             offsetof(CpuState, cr3), offsetof(CpuState, cr4)};
constexpr u32 host_kept = eflags::arithmetic | eflags::df;  // live in the host's flags
constexpr u8 jnz = 5, jump_short = 0xEB;
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
    bool same = m.base == to && m.index == MemoryOperand::none && m.displacement == 0 && in().address_size == 4;
    if (wide && to != 4) {
        if (!same) effective_address(host_of(to));  // else it fills a gap between functions
        return;
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
    HostMem from = through_segment(in().string_segment(), 1, false);
    e_.op({0, 0x8A}, rax, from);
}

void BlockEmitter::emit_from_segment() {
    HostMem selector = segment_field(static_cast<Seg>(in().op[1].reg), offsetof(Segment, selector));
    u8 to = host_of(in().op[0].reg);
    if (in().operand_size == 4) return e_.load16(to, selector);
    e_.load16(r8, selector);
    e_.op({.code = 0x8B, .p66 = true}, to, r8);
}

void BlockEmitter::load_selector() {
    const Operand& from = in().op[1];
    if (from.kind == Operand::Kind::Memory)
        e_.load16(r11, memory_operand(2));
    else
        e_.movzx16(r11, host_of(from.reg));
}

// What changes FS may be a crossing: to null, for which the stub has only the selector to compare.
void BlockEmitter::emit_to_segment() {
    Seg s = static_cast<Seg>(in().op[0].reg);
    load_selector();
    ExitSite* other = leave_unless_loaded(s);
    if (s == Seg::Fs) other->crossing = Crossing::LoadFs;
}

// FS is null. What blocks compare with is then what it held where a way leads, if one does.
void BlockEmitter::emit_load_fs() {
    load_selector();
    leave_unless_loaded(Seg::Fs);
    flush_stack_pointer();
    ExitSite* site = new_interpreter_exit();
    site->crossing = Crossing::LoadFs;
    exit_here(site);
}

// The stack moves by the operand's size; only two bytes are read.
void BlockEmitter::emit_pop_segment() {
    Seg s = static_cast<Seg>(in().op[0].reg);
    e_.load16(r11, stack_slot(pending_));
    ExitSite* other = leave_unless_loaded(s);
    if (s == Seg::Fs) {
        other->crossing = Crossing::LoadFs;
        other->pops = in().operand_size;
    }
    pending_ += in().operand_size;
}

// r11d: the selector. To the interpreter unless the register was loaded with it and its descriptor is still what it was
// then. The window shows the tables as level 0 sees them, which is how the processor reads them. No flag changes, and
// where the read may fault all guest registers are what they were. The exit finds the selector's complement in r11d.
ExitSite* BlockEmitter::leave_unless_loaded(Seg s) {
    const LoadedSegment& loaded = runtime_.context->loaded_segments[static_cast<u8>(s)];
    HostMem difference = word(runtime_.context->scratch), upper = difference;
    upper.target += 4;
    e_.mov64(r14, rcx);
    e_.not32(r11);
    e_.load32(r9, word(loaded.selector));
    e_.lea32(rcx, HostMem::at(r9, r11, 0, 1));
    u32 same_selector = e_.jrcxz_forward();
    u32 other_selector = e_.short_forward(jump_short);
    e_.land_short(same_selector);
    e_.mov64(rcx, r14);
    e_.load32(r8, word(loaded.address));
    e_.load64(r9, HostMem::at(r13, r8));
    e_.not64(r9);
    e_.load64(r10, word(loaded.descriptor));
    e_.lea64(r9, HostMem::at(r9, r10, 0, 1));
    e_.store64(difference, r9);
    e_.load32(rcx, difference);
    u32 same_low = e_.jrcxz_forward();
    u32 other_low = e_.short_forward(jump_short);
    e_.land_short(same_low);
    e_.load32(rcx, upper);
    u32 same = e_.jrcxz_forward();
    e_.land_short(other_selector);
    e_.land_short(other_low);
    e_.mov64(rcx, r14);
    ExitSite* other = leave_to_interpreter_at(e_.jmp_forward(), pending_);
    e_.land_short(same);
    e_.mov64(rcx, r14);
    return other;
}

void BlockEmitter::emit_from_control() {
    e_.load32(host_of(in().op[0].reg), HostMem::state(static_cast<u32>(control_registers[in().op[1].reg])));
}

// CR2 is a word like any other. CR0 and CR4 are the interpreter's, unless they are written with what they hold, which
// changes nothing and cannot fault. No flag changes.
void BlockEmitter::emit_to_control() {
    HostReg value = host_of(in().op[1].reg);
    HostMem word = HostMem::state(static_cast<u32>(control_registers[in().op[0].reg]));
    if (in().op[0].reg == 2) return e_.store32(word, value);
    e_.mov64(r14, rcx);
    e_.mov32(r9, value);
    e_.not32(r9);
    e_.load32(r8, word);
    e_.lea32(rcx, HostMem::at(r8, r9, 0, 1));
    u32 same = e_.jrcxz_forward();
    e_.mov64(rcx, r14);
    leave_to_interpreter_at(e_.jmp_forward(), pending_);
    e_.land_short(same);
    e_.mov64(rcx, r14);
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
