// Pages that callouts touch and no window shows. Most are touched a few times and then given away by the guest; those
// that are not get their window without a signal.
#pragma once

#include <array>

#include "base/types.hpp"

namespace vellum {

// Pages that share a counter take turns: of however many pages are in use, every eighth touch shows one.
class FreshPages {
 public:
    static constexpr u32 enough = 8;  // callouts, which cost about as much as the page that is mapped

    // A callout touches it. True: that was often enough, and a window pays.
    bool touch(u32 view_slot, Linear address) {
        u8& touches = touches_[index(view_slot, address)];
        if (++touches < enough) return false;
        touches = 0;
        return true;
    }
    // Another page takes its place.
    void forget(u32 view_slot, Linear address) { touches_[index(view_slot, address)] = 0; }

 private:
    static constexpr u32 counters = 4096;
    static u32 index(u32 view_slot, Linear address) {
        constexpr u32 apart = 1237;  // processes have their stacks and tables at the same addresses
        return (static_cast<u32>(raw(address) >> page_shift) + view_slot * apart) % counters;
    }
    std::array<u8, counters> touches_{};
};

}  // namespace vellum
