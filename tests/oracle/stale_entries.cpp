// The page table as a processor may remember it, beside the one in memory.
#include "oracle/stale_entries.hpp"

#include <cstring>

#include "cpu/interpreter.hpp"
#include "cpu/memory_access.hpp"

namespace vellum::test {

namespace {

constexpr u32 present = 1, accessed_and_dirty = 0x60, global = 0x100;
// A change and its flush are this many instructions apart: MOV from CR3, MOV to CR3, and INVLPG.
constexpr u32 patience = 4;
constexpr u32 most_steps = 3'000;

using Entries = std::array<u32, page_size / 4>;

// INVLPG, which alone flushes a single page: which?
std::optional<u32> page_flushed_by(const Instruction& in, const Cpu& cpu) {
    if (in.mnemonic != ZYDIS_MNEMONIC_INVLPG || !in.has_memory) return {};
    return static_cast<u32>(cpu.state.segment(in.memory.segment).base + cpu.effective_address(in));
}

class RememberedEntries {
 public:
    explicit RememberedEntries(PieceMachine& machine) : machine_{machine}, known_{now()} {}

    // Is any entry not what memory says? What no processor remembers otherwise becomes what memory says.
    bool stale() {
        Entries in_memory = now();
        bool any = false;
        for (u32 i = 0; i < known_.size(); ++i) {
            // What is not present is not remembered; A and D are set by the processor, but cleared by the guest alone.
            bool same = !(known_[i] & present) || (!((known_[i] ^ in_memory[i]) & ~accessed_and_dirty) &&
                                                   !(known_[i] & ~in_memory[i] & accessed_and_dirty));
            if (same) known_[i] = in_memory[i];
            any |= !same;
        }
        return any;
    }
    void flush_page(u32 linear) {
        u32 i = (linear >> page_shift) % known_.size();
        known_[i] = now()[i];
    }
    void flush(bool global_too) {
        Entries in_memory = now();
        for (u32 i = 0; i < known_.size(); ++i)
            if (global_too || !(known_[i] & global)) known_[i] = in_memory[i];
    }

 private:
    Entries now() const {
        Entries entries;
        std::memcpy(entries.data(), machine_.page(PieceMachine::table_page).data(), page_size);
        return entries;
    }

    PieceMachine& machine_;
    Entries known_;
};

// The directory and the registers that say how entries are read.
struct Frame {
    u64 cr3, format;
    std::array<u8, page_size> directory;

    explicit Frame(const PieceMachine& m)
        : cr3{m.state.cr3}, format{(m.state.cr0 & cr0::pg) | (m.state.cr4 & (cr4::pae | cr4::pse))} {
        std::memcpy(directory.data(), m.page(PieceMachine::directory_page).data(), page_size);
        for (u32 at = 0; at < page_size; at += 4) directory[at] &= static_cast<u8>(~accessed_and_dirty);
    }
    bool operator==(const Frame&) const = default;
};

}  // namespace

bool runs_on_stale_entries(PieceMachine& interp) {
    auto& engine = static_cast<Interpreter&>(*interp.engine);
    const CpuState& state = interp.state;
    Decoder decoder{host_features()};
    RememberedEntries entries{interp};
    const Frame frame{interp};
    u32 stale_for = 0;
    for (u32 n = 0; n < most_steps && state.activity == Activity::Running && Frame{interp} == frame; ++n) {
        stale_for = entries.stale() ? stale_for + 1 : 0;
        if (stale_for > patience) return true;
        const Instruction in = interp.next_instruction(decoder);
        std::optional<u32> page = page_flushed_by(in, interp.cpu);
        bool writes_control = in.mnemonic == ZYDIS_MNEMONIC_MOV && in.op[0].kind == Operand::Kind::Control;
        u64 flushes = interp.cpu.mmu.generation();
        auto cr0 = state.cr0;
        auto cr4 = state.cr4;
        engine.step();
        if (interp.cpu.mmu.generation() == flushes) continue;
        if (page)
            entries.flush_page(*page);
        else if (writes_control)  // the generation also grows when a page runs for the first time
            entries.flush(cr0 != state.cr0 || cr4 != state.cr4 || !(cr4 & cr4::pge));
    }
    return state.activity != Activity::Running && entries.stale();  // ended between a change and its flush
}

}  // namespace vellum::test
