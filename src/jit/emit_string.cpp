// STRING: the host's own string instructions with rsi and rdi rebased into the window. A fault in the middle leaves
// registers that name the rest of the work: their low halves are the guest's.
#include "jit/emitter.hpp"

namespace vellum {

namespace {

enum : u8 { uses_source = 1, uses_destination = 2 };

u8 pointers_of(u8 opcode) {
    switch (opcode & 0xFE) {
        case 0xA4:                                         // MOVS
        case 0xA6: return uses_source | uses_destination;  // CMPS
        case 0xAC: return uses_source;                     // LODS
        default: return uses_destination;                  // STOS, SCAS
    }
}

}  // namespace

void BlockEmitter::emit_string() {
    if (index_ < descent_end_) return emit_move_downwards();
    bool repeated = in().rep || in().repne;
    if (config_.counting && repeated) {
        flush_stack_pointer();
        emit_counted_repeat();
    }
    bool compares = (in().opcode & 0xF6) == 0xA6;  // CMPS, SCAS
    if (repeated && compares && !config_.counting) e_.store64(word(runtime_.context->repeat_start), rcx);
    emit_host_string();
    if (config_.counting && repeated) {
        finish_counted_repeat();
        out_.counted_repeat = true;
    }
}

void BlockEmitter::emit_host_string() {
    u8 pointers = pointers_of(in().opcode);
    if (pointers & uses_source) e_.lea64(rsi, HostMem::at(rsi, r13));
    if (pointers & uses_destination) e_.lea64(rdi, HostMem::at(rdi, r13));
    if ((in().opcode & 1) && in().operand_size == 2) e_.byte(0x66);
    if (in().rep) e_.byte(0xF3);
    if (in().repne) e_.byte(0xF2);
    e_.byte(in().opcode);
    if (pointers & uses_source) e_.mov32(rsi, rsi);
    if (pointers & uses_destination) e_.mov32(rdi, rdi);
}

// Each iteration counts as an instruction. The block has counted one; leave to the interpreter if ECX of them could
// pass the limit.
void BlockEmitter::emit_counted_repeat() {
    e_.load64(r9, HostMem::state(offsetof(CpuState, instructions)));
    e_.lea64(r9, HostMem::at(r9, rcx));
    e_.not64(r9);
    e_.load64(r10, word(runtime_.context->limit));
    e_.lea64(r9, HostMem::at(r9, r10, 0, 1));
    e_.store64(word(runtime_.context->scratch), r9);
    e_.store64(word(runtime_.context->repeat_start), rcx);
    e_.mov64(r9, rcx);
    HostMem top = word(runtime_.context->scratch);
    top.target += 7;
    e_.load8(rcx, top);
    u32 below = e_.jrcxz_forward();
    e_.mov64(rcx, r9);
    leave_to_interpreter_at(e_.jmp_forward(), 0);
    e_.land_short(below);
    e_.mov64(rcx, r9);
    note_side_entry();
}

// instructions += iterations - 1, or nothing when there was none.
void BlockEmitter::finish_counted_repeat() {
    e_.mov64(r8, rcx);
    e_.not64(r8);
    e_.load64(r9, word(runtime_.context->repeat_start));
    e_.lea64(r8, HostMem::at(r8, r9, 0, 1));  // iterations
    e_.mov64(r9, rcx);
    e_.mov32(rcx, r8);
    u32 none = e_.jrcxz_forward();
    HostMem counter = HostMem::state(offsetof(CpuState, instructions));
    e_.load64(r10, counter);
    e_.lea64(r10, HostMem::at(r10, r8, 0, -1));
    e_.store64(counter, r10);
    e_.land_short(none);
    e_.mov64(rcx, r9);
}

}  // namespace vellum
