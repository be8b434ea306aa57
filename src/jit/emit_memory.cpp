// Memory operands: through the window in one of three forms, or base added and limit checked where a segment is not
// flat.
#include "jit/emitter.hpp"

namespace vellum {

namespace {
constexpr i32 near_displacement = 0x10000;
bool is_near(i32 displacement) { return displacement > -near_displacement && displacement < near_displacement; }
u8 log2_of(u8 scale) { return scale == 8 ? 3 : scale == 4 ? 2 : scale == 2 ? 1 : 0; }

// By [r13+base] an address is there two cycles earlier than by GS. But of addresses of two registers processors do not
// know which store it was that wrote what is loaded, and wait for it; and they split x87 instructions in two
// (docs/decisions/window-forms.md). So what is changed in memory, and what is likely to be a local variable, goes by
// GS.
bool is_better_by_gs(const Instruction& in) {
    constexpr u8 both = Operand::Read | Operand::Write, ebp = 5;
    bool changes_memory = in.op[0].kind == Operand::Kind::Memory && (in.op[0].access & both) == both;
    bool is_local = in.memory.base == ebp && static_cast<i32>(in.memory.displacement) < 0;
    return is_x87(in) || changes_memory || is_local;
}
}  // namespace

u32 BlockEmitter::memory_bytes() const {
    for (const Operand& o : in().op)
        if (o.kind == Operand::Kind::Memory) return o.size;
    return 0;
}

void BlockEmitter::effective_address(u8 to) {
    const MemoryOperand& m = in().memory;
    i32 displacement = static_cast<i32>(m.displacement) + (m.base == 4 ? pending_ : 0);
    HostMem address = HostMem::at(m.base == MemoryOperand::none ? no_reg : static_cast<u8>(host_of(m.base)),
                                  m.index == MemoryOperand::none ? no_reg : static_cast<u8>(host_of(m.index)),
                                  log2_of(m.scale), displacement);
    if (m.base == MemoryOperand::none && m.index == MemoryOperand::none)
        e_.mov32_imm(to, m.displacement);
    else
        e_.lea32(to, address);
    if (in().address_size == 2) e_.movzx16(to, to);
}

// Could in()'s operand begin near the end of 4 GiB and go on at offset 0?
bool BlockEmitter::may_wrap(u32 bytes) const {
    const MemoryOperand& m = in().memory;
    bool constant = m.base == MemoryOperand::none && m.index == MemoryOperand::none;
    return in().address_size == 4 && !(constant && u64{m.displacement} + bytes <= u64{1} << 32);
}

// Leaves to the interpreter, which raises #GP or #SS, unless r8d + bytes - 1 <= limit.
void BlockEmitter::check_limit(Seg s, u32 bytes) {
    e_.load32(r9, segment_field(s, offsetof(Segment, limit)));
    e_.lea64(r10, HostMem::at(r8, static_cast<i32>(bytes) - 1));
    leave_unless_within();
}

// The same for the EIP in r11d that an indirect transfer wants: the fault is the transfer's, and nothing was popped.
void BlockEmitter::check_code_limit() {
    if (mode_.cs_limit == 0xFFFFFFFF) return;
    e_.mov32_imm(r9, mode_.cs_limit);
    e_.mov64(r10, r11);
    leave_unless_within();
}

// The same for a segment of 4 GiB, whose last byte is that of the highest offset: operands may not go on at offset 0.
void BlockEmitter::check_end(u32 bytes) {
    if (bytes == 1) return;
    e_.lea64(r9, HostMem::at(r8, static_cast<i32>(bytes) - 1));
    leave_unless_32_bits();
}

// Unless r10 <= r9.
void BlockEmitter::leave_unless_within() {
    e_.not64(r10);
    e_.lea64(r9, HostMem::at(r9, r10, 0, 1));
    leave_unless_32_bits();
}

// Unless the upper half of r9 is 0. No flag changes. The guest's ESP is that of the start of the instruction: POP [m]
// has moved it by now.
void BlockEmitter::leave_unless_32_bits() {
    e_.bswap64(r9);
    e_.mov64(r10, rcx);
    e_.mov32(rcx, r9);
    u32 inside = e_.jrcxz_forward();
    e_.mov64(rcx, r10);
    leave_to_interpreter_at(e_.jmp_forward(), tables_.side.back().esp_delta);
    e_.land_short(inside);
    e_.mov64(rcx, r10);
}

// Leaves to the interpreter if the operand at r8 goes on in another line of the cache: locking both takes the whole
// bus, and hosts punish it (Linux: split_lock_detect). Windows and pages begin with lines. No flag changes.
void BlockEmitter::leave_if_over_line(u32 bytes) {
    if (bytes == 1) return;
    constexpr u8 ch = 5, log2_of_lines = 2;  // four lines of 64 bytes have the addresses that one byte tells apart
    e_.movzx8(r9, r8);
    e_.lea32(r9, HostMem::at(no_reg, r9, log2_of_lines));
    e_.movzx8(r9, r9);  // four times the offset in the line
    e_.lea32(r9, HostMem::at(r9, static_cast<i32>((bytes - 1) << log2_of_lines)));
    e_.mov64(r10, rcx);
    e_.mov32(rcx, r9);
    e_.op({1, 0xB6}, rcx, ch);
    u32 inside = e_.jrcxz_forward();
    e_.mov64(rcx, r10);
    leave_to_interpreter_at(e_.jmp_forward(), tables_.side.back().esp_delta);
    e_.land_short(inside);
    e_.mov64(rcx, r10);
}

HostMem BlockEmitter::through_segment(Seg s, u32 bytes, bool may_wrap) {
    SegmentUse use = mode_.use(s);
    if (use == SegmentUse::Limited) check_limit(s, bytes);
    if (use == SegmentUse::Based && may_wrap) check_end(bytes);
    if (use != SegmentUse::Flat) {
        e_.load32(r9, segment_field(s, offsetof(Segment, base)));
        e_.lea32(r8, HostMem::at(r8, r9));
    }
    return HostMem::at(r13, r8);
}

// Where in()'s memory operand is. May use r8, r9, r10. `in_r8`: the address must not depend on guest registers.
HostMem BlockEmitter::memory_operand(u32 bytes, bool in_r8) {
    const MemoryOperand& m = in().memory;
    // Ten bytes are accessed in two parts. With 32-bit addressing, as GS has it, the second would wrap to offset 0.
    bool in_parts = bytes == 10;
    if (in_r8 || in_parts || mode_.use(m.segment) != SegmentUse::Flat || in().address_size != 4) {
        effective_address();
        return through_segment(m.segment, bytes, may_wrap(bytes));
    }
    i32 displacement = static_cast<i32>(m.displacement) + (m.base == 4 ? pending_ : 0);
    if (config_.window_forms && m.index == MemoryOperand::none) {
        if (m.base == 4 && is_near(displacement)) return stack_slot(displacement);
        if (m.base == MemoryOperand::none && displacement >= 0) return HostMem::at(r13, displacement);
        if (m.base != MemoryOperand::none && m.base != 4 && is_near(displacement) && !is_better_by_gs(in()))
            return HostMem::at(r13, host_of(m.base), 0, displacement);
    }
    return window_operand();
}

// in()'s flat operand through GS, which wraps as the guest's addresses do.
HostMem BlockEmitter::window_operand() const {
    const MemoryOperand& m = in().memory;
    i32 displacement = static_cast<i32>(m.displacement) + (m.base == 4 ? pending_ : 0);
    HostMem operand = HostMem::at(m.base == MemoryOperand::none ? no_reg : static_cast<u8>(host_of(m.base)),
                                  m.index == MemoryOperand::none ? no_reg : static_cast<u8>(host_of(m.index)),
                                  log2_of(m.scale), displacement);
    operand.window = true;
    return operand;
}

}  // namespace vellum
