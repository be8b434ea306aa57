// CONTROL: direct edges that the dispatcher links, indirect transfers through the jump cache, polls.
#include "jit/emitter.hpp"

#include <algorithm>

namespace vellum {

// Faults when attention is asked for: an exact boundary before the current instruction. The fault handler knows the
// second load by its bytes.
void BlockEmitter::poll() {
    note_side_entry();
    e_.load64(r11, HostMem::state(offsetof(CpuState, poll)));
    e_.load32(r11, HostMem::at(r11));
}

// Comparisons that processors join with a Jcc right behind them (Intel 64 and IA-32 Architectures Optimization
// Reference Manual, "Macrofusion"; AMD's join some of them).
bool BlockEmitter::joins_branch(u32 index) const {
    if (index + 1 >= guest_.rules.size() || guest_.rules[index + 1] != Rule::Branch || guest_.labels[index + 1])
        return false;
    // An interrupt between STI and what follows would come too early.
    if (guest_.rules[index] != Rule::Ident || (index > 0 && guest_.rules[index - 1] == Rule::Sti)) return false;
    switch (guest_.instructions[index].mnemonic) {
        case ZYDIS_MNEMONIC_ADD:
        case ZYDIS_MNEMONIC_AND:
        case ZYDIS_MNEMONIC_CMP:
        case ZYDIS_MNEMONIC_DEC:
        case ZYDIS_MNEMONIC_INC:
        case ZYDIS_MNEMONIC_SUB:
        case ZYDIS_MNEMONIC_TEST: return true;
        default: return false;
    }
}

// What a Jcc wants before itself, done before the comparison that it is to stay together with.
void BlockEmitter::prepare_branch() {
    flush_stack_pointer();
    const Instruction& branch = guest_.instructions[index_ + 1];
    if (direct_target(branch, guest_.eips[index_ + 2]) <= next_eip()) poll();
}

// A branch to a label of the block itself?
bool BlockEmitter::stays_inside(u32 at, u32 target) {
    auto end = guest_.eips.end() - 1;
    auto found = std::lower_bound(guest_.eips.begin(), end, target);
    if (found == end || *found != target) return false;
    auto index = static_cast<u32>(found - guest_.eips.begin());
    if (!guest_.labels[index]) return false;
    tables_.inner_jumps.push_back({at, index});
    return true;
}

ExitSite* BlockEmitter::note_edge(u32 at, u32 target) {
    ExitSite* site = new_exit(ExitSite::Kind::Edge, target, target);
    site->stays_on_page = same_page(target);
    site->ahead = 0;
    site->patch = static_cast<u32>(code_offset() - e_.size() + at);
    tables_.stubs.push_back({at, site, 0, true});
    return site;
}

void BlockEmitter::edge(u32 target) {
    u32 at = e_.jmp_forward();
    if (!stays_inside(at, target)) note_edge(at, target);
}

void BlockEmitter::edge_if(u8 condition, u32 target) {
    u32 at = e_.jcc_forward(condition);
    if (!stays_inside(at, target)) note_edge(at, target);
}

bool BlockEmitter::closed_by_interpreter() {
    exit_to_interpreter();
    return false;
}

void BlockEmitter::emit_jump() {
    u32 target = target_of_branch();
    if (!reachable(target)) return exit_to_interpreter();
    flush_stack_pointer();
    if (target <= eip()) poll();
    edge(target);
}

bool BlockEmitter::emit_branch() {
    u32 target = target_of_branch();
    if (!reachable(target)) return closed_by_interpreter();
    flush_stack_pointer();
    if (target <= eip() && !(index_ > 0 && joins_branch(index_ - 1))) poll();
    edge_if(in().opcode & 0xF, target);
    if (!goes_on()) edge(next_eip());
    return goes_on();
}

void BlockEmitter::emit_loop() {
    u32 target = target_of_branch();
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

bool BlockEmitter::emit_call() {
    u32 target = target_of_branch();
    if (!reachable(target)) return closed_by_interpreter();
    poll();
    push_return_address();
    flush_stack_pointer();
    if (target == next_eip() && goes_on()) return true;  // a push of EIP
    if (target == next_eip() || !config_.return_prediction) {
        edge(target);
        return false;
    }
    note_edge(e_.call_forward(), target)->calls = true;
    return emit_return_site();
}

void BlockEmitter::push_return_address() {
    push_immediate(next_eip(), in().operand_size);
    if (mode_.flat_stack() && in().operand_size == 4)
        note_eip_constant(false);
    else
        out_.fixed = true;
}

// A host RET comes here if the guest's return address (r11d) is on the host's return stack too. It may be another one:
// the guest is free to return where it likes.
bool BlockEmitter::emit_return_site() {
    tables_.return_sites.push_back(code_offset());
    emit_compare_target(next_eip(), runtime_.lookup);
    settled_ = false;
    if (!goes_on()) edge(next_eip());
    return goes_on();
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

bool BlockEmitter::emit_call_indirect() {
    load_indirect_target();
    check_code_limit();
    if (mode_.flat_stack()) {
        push_return_address();
    } else {
        out_.fixed = true;
        e_.mov64(r14, r11);
        e_.mov32_imm(r11, next_eip());
        push_register(r11, in().operand_size);
        e_.mov64(r11, r14);
    }
    flush_stack_pointer();
    if (!config_.return_prediction) {
        e_.jmp(runtime_.lookup);
        return false;
    }
    e_.call(runtime_.lookup);
    return emit_return_site();
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
