// MOVS downwards: what lies between STD and CLD in one block is done without a change of DF, which takes processors
// longer than a short move. Memory moves that begin at the end of their operand are written so (glibc's, Linux's).
#include <algorithm>

#include "jit/emitter.hpp"

namespace vellum {

namespace {

constexpr i32 most_moved_by_loop = 512;  // elements; more are as quick by the host's own

bool is_move(const Instruction& in) { return (in.opcode & 0xFE) == 0xA4 && in.opcode_map == 0; }
bool is_relative(const Instruction& in) { return in.op[0].kind == Operand::Kind::Relative; }

}  // namespace

// Is instruction `index` one that does not care for DF, or a MOVS, and leaves the block by host faults only? Those find
// in SideEntry that DF is set. A branch stays before `last`.
bool BlockEmitter::goes_downwards(u32 index, u32 last) const {
    const Instruction& i = guest_.instructions[index];
    if (uses_fpu(i)) return false;
    if (i.has_memory && (mode_.use(i.memory.segment) != SegmentUse::Flat || i.address_size != 4)) return false;
    switch (guest_.rules[index]) {
        case Rule::Ident: return i.mnemonic != ZYDIS_MNEMONIC_STD;
        case Rule::Lea:
        case Rule::Nothing: return true;
        case Rule::Push:
        case Rule::Pop: return mode_.flat_stack();
        case Rule::String: return is_move(i) && !i.repne;
        case Rule::Branch: {
            u32 target = direct_target(i, guest_.eips[index + 1]);
            auto end = guest_.eips.begin() + last + 1;
            auto found = std::find(guest_.eips.begin() + index + 1, end, target);
            return found != end && guest_.labels[static_cast<u32>(found - guest_.eips.begin())];
        }
        default: return false;
    }
}

// `index_` is at STD. The index of the CLD that ends what it begins; 0: there is none, or control may come or go in
// between.
u32 BlockEmitter::end_of_descent() const {
    u32 size = static_cast<u32>(guest_.instructions.size()), last = index_ + 1;
    while (last < size && guest_.instructions[last].mnemonic != ZYDIS_MNEMONIC_CLD) ++last;
    if (last == size) return 0;
    for (u32 i = index_ + 1; i < last; ++i)
        if (!goes_downwards(i, last)) return 0;
    for (u32 i = 0; i < size; ++i) {
        if ((i > index_ && i < last) || !is_relative(guest_.instructions[i])) continue;
        u32 target = direct_target(guest_.instructions[i], guest_.eips[i + 1]);
        if (target > guest_.eips[index_] && target <= guest_.eips[last]) return 0;
    }
    return last;
}

// True: done. CLD is carried out, since DF may have been set before. Not in counted blocks, which leave at the limit.
bool BlockEmitter::begin_descent() {
    if (!config_.downward_moves || config_.counting || in().mnemonic != ZYDIS_MNEMONIC_STD) return false;
    u32 last = end_of_descent();
    if (last == 0) return false;
    descent_end_ = last + 1;
    return true;
}

// One element. Registers name the rest of the work wherever it faults, as those of the host's own instruction would.
void BlockEmitter::emit_move_of_element() {
    i32 bytes = !(in().opcode & 1) ? 1 : in().operand_size;
    HostMem from = HostMem::at(r13, rsi), to = HostMem::at(r13, rdi);
    switch (bytes) {
        case 1: e_.load8(r8, from), e_.store8(to, r8); break;
        case 2: e_.load16(r8, from), e_.store16(to, r8); break;
        default: e_.load32(r8, from), e_.store32(to, r8); break;
    }
    e_.lea32(rsi, HostMem::at(rsi, -bytes));
    e_.lea32(rdi, HostMem::at(rdi, -bytes));
}

// A loop, or the host's own instruction where that is worth its start. No flag changes.
void BlockEmitter::emit_move_downwards() {
    if (!in().rep) return emit_move_of_element();
    flush_stack_pointer();
    settled_ = false;
    note_side_entry();
    e_.lea64(r9, HostMem::at(rcx, -most_moved_by_loop - 1));
    e_.bswap64(r9);  // its upper half, which is zero or all ones
    e_.mov64(r10, rcx);
    e_.mov32(rcx, r9);
    u32 many = e_.jrcxz_forward();
    e_.mov64(rcx, r10);
    u64 again = e_.here();
    u32 none_left = e_.jrcxz_forward();
    emit_move_of_element();
    e_.lea32(rcx, HostMem::at(rcx, -1));
    e_.jmp(again);
    e_.land_short(many);
    e_.mov64(rcx, r10);
    e_.std_();
    emit_host_string();  // what follows does not care for DF, and CLD is carried out
    e_.land_short(none_left);
}

}  // namespace vellum
