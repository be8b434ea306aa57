// What the dispatcher keeps for each view and each mode of code that runs in it: a jump cache and a return stack.
#pragma once

#include <memory>
#include <vector>

#include "base/bit_set.hpp"
#include "jit/host_code_memory.hpp"
#include "jit/view.hpp"

namespace vellum {

// All zero: none, since address 1 then leads to code offset 0, which is the way to the dispatcher.
struct JumpCacheEntry {
    u32 code = 0;        // code offset of a block
    u32 difference = 0;  // 1 - EIP of the block: emitted code adds an EIP, and 1 comes out if it is the same

    static JumpCacheEntry of(u32 eip, u32 code) { return {code, 1 - eip}; }
    bool is_of(u32 eip) const { return code != 0 && difference + eip == 1; }
};

// For one view and one mode. Addresses in it are of translated code: valid until that is freed, true while the view's
// mappings stand.
class ModeState {
 public:
    static constexpr u32 jump_cache_entries = 1 << 16;
    // Room for 131,071 calls: recursions of real programs fit. What is not touched costs nothing.
    static constexpr u32 return_stack_bytes = 1 << 20;

    // `underflow`: where a host RET goes when the return stack is empty.
    explicit ModeState(u64 underflow);

    // By the low half of EIP.
    const JumpCacheEntry& jump(u32 eip) const { return jump_cache()[static_cast<u16>(eip)]; }
    void note_jump(u32 eip, JumpCacheEntry entry) {
        written_.add(static_cast<u16>(eip) / entries_per_page);
        jump_cache()[static_cast<u16>(eip)] = entry;
    }
    JumpCacheEntry* jump_cache() const { return reinterpret_cast<JumpCacheEntry*>(jumps_.bytes()); }
    u64 return_sp = 0;  // rsp of translated code while it does not run
    u64 empty_return_sp() const;
    // Did a host CALL fault at that address because the return stack was full?
    bool overflowed_at(u64 address) const;
    void clear();

 private:
    static constexpr u32 entries_per_page = page_size / sizeof(JumpCacheEntry);
    // Short processes write a few. To zero a page takes a tenth of a microsecond, to be given it anew by the host up to
    // two: one for the look-up that reads it, one for the entry that is written then.
    static constexpr u32 most_kept_pages = 32;

    HostSparseMemory jumps_, stack_;
    BitSet<jump_cache_entries / entries_per_page> written_, kept_;  // pages: since clear(); that the host gave us
};

class ViewStates {
 public:
    explicit ViewStates(u64 underflow) : underflow_{underflow} {}

    // Good until the next call: the guest may use more modes (one for each CS of real-mode code) than there is room
    // for.
    ModeState& state(const View& view, u32 mode) {
        OfView& of = of_view(view);
        if (mode < of.modes.size() && of.modes[mode]) [[likely]]
            return *of.modes[mode];
        return make_state(view, mode);
    }
    // Has anything from which code was translated gone from the view since the last call? Then its states are empty
    // now.
    bool refresh(const View& view) {
        OfView& of = of_view(view);
        if (of.generation == view.code_generation) [[likely]]
            return false;
        empty(of, view.code_generation);
        return true;
    }
    void expire(u32 slot);                                    // as if something had gone from that view
    void clear();                                             // all views: code has been freed
    void forget();                                            // the same, and numbers of modes mean others from now on
    u64 times_forgotten() const { return times_forgotten_; }  // all states given out before are gone

 private:
    // Two for each view. More would come near the host's limit of mappings, which windows leave room below.
    static constexpr std::size_t most_states = 1024;
    struct OfView {
        u64 generation = 0;                             // of the view, when last refreshed
        std::vector<std::unique_ptr<ModeState>> modes;  // by number
    };
    OfView& of_view(const View& view) {
        if (view.slot >= views_.size()) views_.resize(view.slot + 1);
        return views_[view.slot];
    }
    ModeState& make_state(const View& view, u32 mode);
    static void empty(OfView& view, u64 generation);

    u64 underflow_;
    std::vector<OfView> views_;  // by slot
    std::size_t count_ = 0;
    u64 times_forgotten_ = 0;
};

}  // namespace vellum
