// States come into being when first used; their memory costs nothing until it is touched.
#include "jit/view_states.hpp"

#include <cstring>

namespace vellum {

ModeState::ModeState(u64 underflow)
    : jumps_{jump_cache_entries * sizeof(JumpCacheEntry)}, stack_{return_stack_bytes, page_size} {
    return_sp = empty_return_sp();
    std::memcpy(reinterpret_cast<void*>(return_sp), &underflow, sizeof underflow);
}

u64 ModeState::empty_return_sp() const {
    return reinterpret_cast<u64>(stack_.bytes()) + return_stack_bytes - sizeof(u64);
}

bool ModeState::overflowed_at(u64 address) const {
    u64 bottom = reinterpret_cast<u64>(stack_.bytes());
    return address < bottom && address >= bottom - page_size;
}

void ModeState::clear() {
    written_.for_each([&](u32 page) { kept_.add(page); });
    if (kept_.count() > most_kept_pages) {
        jumps_.clear();
        kept_.clear();
    } else {
        written_.for_each([&](u32 page) { std::memset(jumps_.bytes() + u64{page} * page_size, 0, page_size); });
    }
    written_.clear();
    return_sp = empty_return_sp();
}

ModeState& ViewStates::make_state(const View& view, u32 mode) {
    auto& modes = of_view(view).modes;
    if (mode >= modes.size()) modes.resize(mode + 1);
    if (count_ >= most_states) forget();
    modes[mode] = std::make_unique<ModeState>(underflow_);
    ++count_;
    return *modes[mode];
}

void ViewStates::empty(OfView& view, u64 generation) {
    view.generation = generation;
    for (auto& mode : view.modes)
        if (mode) mode->clear();
}

void ViewStates::expire(u32 slot) { views_.at(slot).generation = ~u64{0}; }

void ViewStates::clear() {
    for (OfView& view : views_)
        for (auto& mode : view.modes)
            if (mode) mode->clear();
}

void ViewStates::forget() {
    for (OfView& view : views_)
        for (auto& mode : view.modes) mode.reset();
    count_ = 0;
    ++times_forgotten_;
}

}  // namespace vellum
