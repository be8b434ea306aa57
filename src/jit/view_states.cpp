// Jump caches come into being when first used.
#include "jit/view_states.hpp"

namespace vellum {

ViewStates::State& ViewStates::state_of(const View& view) {
    if (view.slot >= states_.size()) states_.resize(view.slot + 1);
    return states_[view.slot];
}

u32* ViewStates::jump_cache(const View& view, u32 mode) {
    auto& cache = state_of(view).caches[mode];
    if (!cache) {
        cache = std::make_unique<HostSparseMemory>(jump_cache_entries * sizeof(u32));
        ++cache_count_;
    }
    return reinterpret_cast<u32*>(cache->bytes());
}

bool ViewStates::refresh(const View& view) {
    State& state = state_of(view);
    if (state.generation == view.code_generation) return false;
    state.generation = view.code_generation;
    for (auto& [mode, cache] : state.caches) cache->clear();
    return true;
}

void ViewStates::clear() {
    for (State& state : states_) {
        if (cache_count_ > most_caches) state.caches.clear();
        for (auto& [mode, cache] : state.caches) cache->clear();
    }
    if (cache_count_ > most_caches) cache_count_ = 0;
}

}  // namespace vellum
