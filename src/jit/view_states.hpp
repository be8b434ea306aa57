// What the dispatcher keeps for each view: jump caches, one for each mode of code that runs in it.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "jit/host_code_memory.hpp"
#include "jit/view.hpp"

namespace vellum {

class ViewStates {
 public:
    static constexpr u32 jump_cache_entries = 1 << 16;

    // The jump cache of code of that mode in that view: u32[jump_cache_entries].
    u32* jump_cache(const View& view, u32 mode);
    // Has anything from which code was translated gone from the view since the last call? Then its caches are empty
    // now.
    bool refresh(const View& view);
    void clear();  // all views: code has been freed

 private:
    static constexpr std::size_t most_caches = 256;
    struct State {
        u64 generation = 0;
        std::unordered_map<u32, std::unique_ptr<HostSparseMemory>> caches;  // by mode
    };
    State& state_of(const View& view);

    std::vector<State> states_;  // by slot
    std::size_t cache_count_ = 0;
};

}  // namespace vellum
