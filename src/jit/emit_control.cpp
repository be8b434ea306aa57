// CONTROL: direct edges that the dispatcher links, indirect transfers through the jump cache, polls.
#include "jit/emitter.hpp"

namespace vellum {

// Faults when attention is asked for: an exact boundary before the current instruction. The fault handler knows the
// second load by its bytes.
void BlockEmitter::poll() {
    note_side_entry();
    e_.load64(r11, HostMem::state(offsetof(CpuState, poll)));
    e_.load32(r11, HostMem::at(r11));
}

u32 BlockEmitter::direct_target() const {
    u32 target = next_eip() + in().immediate;
    return in().operand_size == 2 ? target & 0xFFFF : target;
}

ExitSite* BlockEmitter::note_edge(u32 at, u32 target) {
    ExitSite* site = new_exit(ExitSite::Kind::Edge, target, target);
    site->stays_on_page = same_page(target);
    site->retired = static_cast<u16>(guest_.instructions.size());
    site->patch = static_cast<u32>(code_offset() - e_.size() + at);
    stubs_.push_back({at, site, 0, true});
    return site;
}

void BlockEmitter::edge(u32 target) { note_edge(e_.jmp_forward(), target); }
void BlockEmitter::edge_if(u8 condition, u32 target) { note_edge(e_.jcc_forward(condition), target); }

void BlockEmitter::emit_jump() {
    u32 target = direct_target();
    if (!reachable(target)) return exit_to_interpreter();
    flush_stack_pointer();
    if (target <= eip()) poll();
    edge(target);
}

void BlockEmitter::emit_branch() {
    u32 target = direct_target();
    if (!reachable(target)) return exit_to_interpreter();
    flush_stack_pointer();
    if (target <= eip()) poll();
    edge_if(in().opcode & 0xF, target);
    edge(next_eip());
}

void BlockEmitter::emit_loop() {
    u32 target = direct_target();
    if (!reachable(target)) return exit_to_interpreter();
    flush_stack_pointer();
    if (target <= eip()) poll();
    bool counts = in().mnemonic != ZYDIS_MNEMONIC_JECXZ && in().mnemonic != ZYDIS_MNEMONIC_JCXZ;
    bool wide = in().address_size == 4;
    if (counts && wide) e_.lea32(rcx, HostMem::at(rcx, -1));
    if (counts && !wide) {
        e_.lea32(r8, HostMem::at(rcx, -1));
        e_.op({.code = 0x8B, .p66 = true}, rcx, r8);
    }
    if (!wide) {
        e_.mov64(r9, rcx);
        e_.movzx16(rcx, rcx);
    }
    u32 zero = e_.jrcxz_forward();
    if (!wide) e_.mov64(rcx, r9);
    constexpr u8 jz = 4, jnz = 5;
    if (in().mnemonic == ZYDIS_MNEMONIC_LOOPE) edge_if(jnz, next_eip());
    if (in().mnemonic == ZYDIS_MNEMONIC_LOOPNE) edge_if(jz, next_eip());
    edge(counts ? target : next_eip());
    e_.land_short(zero);
    if (!wide) e_.mov64(rcx, r9);
    edge(counts ? next_eip() : target);
}

void BlockEmitter::emit_call() {
    u32 target = direct_target();
    if (!reachable(target)) return exit_to_interpreter();
    flush_stack_pointer();
    poll();
    push_immediate(next_eip(), in().operand_size);
    flush_stack_pointer();
    if (!config_.return_prediction || target == next_eip()) return edge(target);  // CALL to the next: a push of EIP
    note_edge(e_.call_forward(), target)->calls = true;
    emit_return_site();
}

// A host RET comes here if the guest's return address (r11d) is on the host's return stack too. It may be another one:
// the guest is free to return where it likes.
void BlockEmitter::emit_return_site() {
    emit_compare_target(next_eip(), runtime_.lookup);
    edge(next_eip());
}

void BlockEmitter::load_indirect_target() {
    const Operand& o = in().op[0];
    bool wide = in().operand_size == 4;
    if (o.kind == Operand::Kind::Memory) {
        HostMem from = memory_operand(in().operand_size);
        wide ? e_.load32(r11, from) : e_.load16(r11, from);
    } else if (o.reg == 4) {
        e_.lea32(r11, HostMem::at(r12, pending_));
        if (!wide) e_.movzx16(r11, r11);
    } else {
        wide ? e_.mov32(r11, host_of(o.reg)) : e_.movzx16(r11, host_of(o.reg));
    }
}

void BlockEmitter::emit_jump_indirect() {
    load_indirect_target();
    check_code_limit();
    flush_stack_pointer();
    e_.jmp(runtime_.lookup);
}

void BlockEmitter::emit_call_indirect() {
    load_indirect_target();
    check_code_limit();
    if (mode_.flat_stack()) {
        push_immediate(next_eip(), in().operand_size);
    } else {
        e_.mov64(r14, r11);
        e_.mov32_imm(r11, next_eip());
        push_register(r11, in().operand_size);
        e_.mov64(r11, r14);
    }
    flush_stack_pointer();
    if (!config_.return_prediction) return e_.jmp(runtime_.lookup);
    e_.call(runtime_.lookup);
    emit_return_site();
}

void BlockEmitter::emit_return() {
    load_top_of_stack(in().operand_size);
    check_code_limit();
    u32 parameters = in().op[0].kind == Operand::Kind::Immediate ? in().immediate & 0xFFFF : 0;
    drop_from_stack(in().operand_size + parameters);
    flush_stack_pointer();
    if (config_.return_prediction)
        e_.ret();
    else
        e_.jmp(runtime_.lookup);
}

}  // namespace vellum
