// The frame of a block: entries, the instructions in order, exits, stubs.
#include "cpu/retire.hpp"
#include "jit/emitter.hpp"

namespace vellum {

void EmitTables::clear() {
    stubs.clear();
    inner_jumps.clear();
    labels.clear();
    side.clear();
    constants.clear();
    eip_constants.clear();
    unstored_x87.clear();
    stretches.clear();
    return_sites.clear();
}

void BlockEmitter::emit_compare_target(u32 wanted, u64 otherwise) {
    e_.mov64(r9, rcx);
    i32 difference = static_cast<i32>(0u - wanted);
    e_.lea32(rcx, HostMem::at(r11, difference));
    out_.fixed |= difference == static_cast<i8>(difference);  // fewer than four bytes
    note_eip_constant(true);
    u32 same = e_.jrcxz_forward();
    e_.mov64(rcx, r9);
    e_.jmp(otherwise);
    e_.land_short(same);
    e_.mov64(rcx, r9);
}

// The last four bytes that were emitted.
void BlockEmitter::note_eip_constant(bool negative) {
    tables_.eip_constants.push_back({code_offset() - u32{sizeof(u32)}, negative});
}

// instructions += n, or leave to the dispatcher when the limit would be passed. Flags stay: the sign of the difference
// is looked at through memory.
void BlockEmitter::emit_counting(u32 count) {
    HostMem counter = HostMem::state(offsetof(CpuState, instructions));
    e_.load64(r8, counter);
    e_.lea64(r8, HostMem::at(r8, static_cast<i32>(count)));
    e_.mov64(r9, r8);
    e_.not64(r9);
    e_.load64(r10, word(runtime_.context->limit));
    e_.lea64(r9, HostMem::at(r9, r10, 0, 1));  // limit - new count
    e_.store64(word(runtime_.context->scratch), r9);
    e_.mov64(r9, rcx);
    HostMem top = word(runtime_.context->scratch);
    top.target += 7;
    e_.load8(rcx, top);
    u32 below = e_.jrcxz_forward();
    e_.mov64(rcx, r9);
    ExitSite* site = new_exit(ExitSite::Kind::Limit, eip(), eip());
    site->ahead = 0;  // nothing was counted
    exit_here(site);
    e_.land_short(below);
    e_.mov64(rcx, r9);
    e_.store64(counter, r8);
}

void BlockEmitter::emit_gauge(u32 count) {
    HostMem counter = HostMem::state(offsetof(CpuState, instructions));
    e_.load64(r8, counter);
    e_.lea64(r8, HostMem::at(r8, static_cast<i32>(count)));
    e_.store64(counter, r8);
}

ExitSite* BlockEmitter::new_exit(ExitSite::Kind kind, u32 at, u32 next) {
    ExitSite* site = arena_.make<ExitSite>();
    site->kind = kind;
    site->eip = at;
    site->next_eip = next;
    site->block = &out_;
    site->ahead = static_cast<u16>(stretch_end_ - index_);
    site->next = out_.exits;
    out_.exits = site;
    return site;
}

bool BlockEmitter::same_page(u32 at) const {
    u64 here = raw(guest_.key.linear), there = static_cast<u32>(mode_.cs_base + at);
    return here >> page_shift == there >> page_shift;
}

void BlockEmitter::exit_here(ExitSite* site) {
    e_.mov64_imm(r10, reinterpret_cast<u64>(site));
    e_.jmp(runtime_.exit);
}

ExitSite* BlockEmitter::new_interpreter_exit() {
    ExitSite* site = new_exit(ExitSite::Kind::Interpret, eip(), next_eip());
    site->mnemonic = in().mnemonic;
    site->stays_on_page = same_page(next_eip());
    Instruction ready = in();
    // What lies on a second page may change without the block being told.
    if (!guest_.straddles && prepare(ready)) site->instruction = arena_.make(ready);
    return site;
}

void BlockEmitter::exit_to_interpreter() {
    flush_stack_pointer();
    ExitSite* site = new_interpreter_exit();
    site->adaptive = guest_.adaptive[index_];
    if (in().mnemonic == ZYDIS_MNEMONIC_SYSENTER) site->crossing = Crossing::Sysenter;
    if (in().mnemonic == ZYDIS_MNEMONIC_SYSEXIT) site->crossing = Crossing::Sysexit;
    exit_here(site);
}

ExitSite* BlockEmitter::leave_to_interpreter_at(u32 rel32, i32 esp_delta) {
    ExitSite* site = new_interpreter_exit();
    tables_.stubs.push_back({rel32, site, esp_delta, settled_});
    return site;
}

// r12 may move by little without normalising, and only in blocks that access the stack.
void BlockEmitter::shift_stack_pointer(i32 by, bool settled) {
    if (settled) return e_.lea64(r12, HostMem::at(r12, by));
    e_.lea32(r12, HostMem::at(r12, by));
    e_.lea64(r12, HostMem::at(r12, r13));
}

void BlockEmitter::flush_stack_pointer() {
    if (pending_ == 0) return;
    shift_stack_pointer(pending_, settled_);
    settled_ = true;
    pending_ = 0;
}

void BlockEmitter::note_side_entry(u8 swapped) {
    u8 overflow = index_ <= overflow_deferred_to_ ? deferred_overflow_ : SideEntry::exact;
    bool downwards = index_ < descent_end_;
    tables_.side.push_back(
        {code_offset(), static_cast<u8>(index_), downwards, exchanges(), swapped, overflow, pending_});
}

// Where the patched entries of a dead block lead.
void BlockEmitter::emit_stale_exit() {
    out_.stale_exit = new_exit(ExitSite::Kind::Boundary, guest_.eip, guest_.eip);
    out_.stale_exit->ahead = 0;
    out_.stale_exit->stub = code_offset();
    exit_here(out_.stale_exit);
}

void BlockEmitter::emit_stubs() {
    for (const EmitTables::Stub& stub : tables_.stubs) {
        e_.land(stub.at);
        stub.site->stub = code_offset();
        if (stub.esp_delta != 0) shift_stack_pointer(stub.esp_delta, stub.settled);
        exit_here(stub.site);
        if (stub.site->kind != ExitSite::Kind::Edge || stub.site->stays_on_page) continue;
        stub.site->cross_stub = code_offset();
        e_.mov32_imm(r11, stub.site->eip);
        note_eip_constant(false);
        e_.jmp(runtime_.lookup);
    }
    emit_stale_exit();
}

// Control may come here from anywhere in the block.
void BlockEmitter::begin_label() {
    flush_stack_pointer();
    settled_ = false;
    tables_.labels[index_] = e_.size();
}

// Instructions up to the next branch, call or label are counted at once: either none or all of them are executed, or
// control leaves by an exit that knows better.
bool BlockEmitter::begins_stretch() const {
    if (index_ == 0 || guest_.labels[index_]) return true;
    Rule before = guest_.rules[index_ - 1];
    return ends_block(before);
}

void BlockEmitter::begin_stretch() {
    u32 size = static_cast<u32>(guest_.instructions.size());
    u32 end = index_;
    do ++end;
    while (end < size && !guest_.labels[end] && !ends_block(guest_.rules[end - 1]));
    stretch_end_ = end;
    if (!config_.counting && !config_.gauge) return;
    flush_stack_pointer();
    tables_.stretches.push_back({static_cast<u16>(index_), static_cast<u16>(end)});
    config_.counting ? emit_counting(end - index_) : emit_gauge(end - index_);
}

bool BlockEmitter::emit_instruction() {
    Rule rule = guest_.rules[index_];
    if (rule != Rule::Interpret && uses_fpu(in()) && !mode_.fpu_live()) {
        flush_stack_pointer();
        exit_here(new_exit(ExitSite::Kind::LoadFpu, eip(), eip()));
        return false;
    }
    if (joins_branch(index_)) prepare_branch();
    note_side_entry();
    if (ends_block(rule)) return emit_end(rule);
    if (rule == Rule::Sti && !goes_on()) {  // its shadow reaches into the next block
        exit_to_interpreter();
        return false;
    }
    emit_plain(rule);
    if (is_x87(in())) tell_of_x87();
    if (pending_ > 0x4000 || pending_ < -0x4000) flush_stack_pointer();
    return true;
}

// An instruction with which a block may end. True: control may get behind it, and what follows is in the block.
bool BlockEmitter::emit_end(Rule rule) {
    switch (rule) {
        case Rule::Branch: return emit_branch();
        case Rule::Call: return emit_call();
        case Rule::CallIndirect: return emit_call_indirect();
        case Rule::Jump: emit_jump(); break;
        case Rule::Loop: emit_loop(); break;
        case Rule::JumpIndirect: emit_jump_indirect(); break;
        case Rule::Return: emit_return(); break;
        case Rule::LoadFs: emit_load_fs(); break;
        default: exit_to_interpreter();
    }
    return false;
}

void BlockEmitter::emit_plain(Rule rule) {
    switch (rule) {
        case Rule::Ident: emit_ident(); break;
        case Rule::Nothing: break;
        case Rule::Lea: emit_lea(); break;
        case Rule::Xlat: emit_xlat(); break;
        case Rule::Push: emit_push(); break;
        case Rule::Pop: emit_pop(); break;
        case Rule::PushAll: emit_push_all(); break;
        case Rule::PopAll: emit_pop_all(); break;
        case Rule::PushSegment: emit_push_segment(); break;
        case Rule::FromSegment: emit_from_segment(); break;
        case Rule::ToSegment: emit_to_segment(); break;
        case Rule::PopSegment: emit_pop_segment(); break;
        case Rule::FromControl: emit_from_control(); break;
        case Rule::ToControl: emit_to_control(); break;
        case Rule::Leave: emit_leave(); break;
        case Rule::PushFlags: emit_push_flags(); break;
        case Rule::PopFlags: emit_pop_flags(); break;
        case Rule::Cli: emit_cli(); break;
        case Rule::Sti: emit_sti(); break;
        case Rule::TimeStamp: emit_time_stamp(); break;
        case Rule::CheckedStore: emit_checked_store(); break;
        case Rule::String: emit_string(); break;
        default: break;  // emit_end
    }
}

void BlockEmitter::emit() {
    out_.key = guest_.key;
    out_.eip = guest_.eip;
    out_.eips = arena_.copy(guest_.eips);
    out_.instructions = static_cast<u16>(guest_.instructions.size());
    out_.guest_bytes = guest_.eips.back() - guest_.eip;
    out_.straddles = guest_.straddles;
    out_.second_page = guest_.second_page;
    out_.global = guest_.global;
    out_.entry = code_offset();
    u32 size = static_cast<u32>(guest_.instructions.size());
    check(size <= 0xFF, "SideEntry names every instruction of a block");
    tables_.clear();
    tables_.labels.resize(size);
    bool open = true;
    for (index_ = 0; index_ < size; ++index_) {
        if (guest_.labels[index_])
            begin_label();
        else if (!open)
            continue;
        if (begins_stretch()) begin_stretch();
        open = emit_instruction();
    }
    if (open) {
        flush_stack_pointer();
        edge(guest_.eips.back());
    }
    for (const EmitTables::InnerJump& jump : tables_.inner_jumps) e_.land_at(jump.at, tables_.labels[jump.index]);
    emit_stubs();
    out_.end = code_offset();
    out_.stretches = arena_.copy(tables_.stretches);
    out_.return_sites = arena_.copy(tables_.return_sites);
    out_.side = arena_.copy(tables_.side);
    out_.constants = arena_.copy(tables_.constants);
    out_.eip_constants = arena_.copy(tables_.eip_constants);
    out_.unstored_x87 = arena_.copy(tables_.unstored_x87);
}

}  // namespace vellum
