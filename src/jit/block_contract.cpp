// Two tables of words, and the stubs.
#include "jit/block_contract.hpp"

#include <algorithm>

namespace vellum {

namespace {

struct Word {
    std::size_t offset, bytes;
    bool written = false;
};

// All others are the runtime's alone: where the host's stack is, where the window and the jump cache are.
constexpr Word context_words[] = {
    {offsetof(JitContext, interrupt_flag), sizeof JitContext::interrupt_flag, true},
    {offsetof(JitContext, scratch), sizeof JitContext::scratch, true},
    {offsetof(JitContext, repeat_start), sizeof JitContext::repeat_start, true},
    {offsetof(JitContext, last_x87), sizeof JitContext::last_x87, true},
    {offsetof(JitContext, limit), sizeof JitContext::limit},
    {offsetof(JitContext, loaded_segments), sizeof JitContext::loaded_segments},
};

// The poll, an address of the host, can be followed but not looked at (a rule of the verifier).
constexpr Word state_words[] = {
    {offsetof(CpuState, instructions), sizeof CpuState::instructions, true},
    {offsetof(CpuState, attention), sizeof CpuState::attention},
    {offsetof(CpuState, eflags), sizeof CpuState::eflags},
    {offsetof(CpuState, cr0), sizeof CpuState::cr0},
    {offsetof(CpuState, cr2), sizeof CpuState::cr2, true},
    {offsetof(CpuState, cr3), sizeof CpuState::cr3},
    {offsetof(CpuState, cr4), sizeof CpuState::cr4},
    {offsetof(CpuState, seg), sizeof CpuState::seg},
};

bool permits(std::span<const Word> words, u64 offset, u32 bytes, bool write) {
    return std::any_of(words.begin(), words.end(), [&](const Word& word) {
        return offset >= word.offset && offset + bytes <= word.offset + word.bytes && (word.written || !write);
    });
}

}  // namespace

EmittedCode block_contract(std::span<const u8> bytes, u64 address, const Block& block, const Runtime& runtime) {
    EmittedCode code;
    code.bytes = bytes;
    code.address = address;
    code.may_reach = [&runtime](u64 target, EmittedCode::Way way) {
        if (way == EmittedCode::Way::Call)
            return target == runtime.lookup || target == runtime.time_stamp || target == runtime.checked_store;
        return target == runtime.lookup || target == runtime.miss || target == runtime.exit;
    };
    code.renews_stack_pointer = [&runtime](u64 target) { return target == runtime.exit; };
    code.exit = runtime.exit;
    code.checked_store = runtime.checked_store;
    for (const ExitSite* site = block.exits; site; site = site->next) {
        code.exit_sites.push_back(reinterpret_cast<u64>(site));
        if (site->patch && !site->calls) code.links.push_back(site->patch - block.entry);
    }
    code.may_touch_state = [](u64 offset, u32 count, bool write) { return permits(state_words, offset, count, write); };
    code.may_touch = [base = reinterpret_cast<u64>(runtime.context)](u64 at, u32 count, bool write) {
        return at >= base && permits(context_words, at - base, count, write);
    };
    return code;
}

}  // namespace vellum
