// Pages that callouts touch and no window shows. Most are touched a few times and then given away by the guest; those
// that are not get their window without a signal.
#pragma once

#include <array>

#include "base/types.hpp"

namespace vellum {

class FreshPages {
 public:
    static constexpr u32 enough = 8;  // callouts, which cost about as much as the page that is mapped

    // A callout touches it. True: that was often enough, and a window pays.
    bool touch(u32 view_slot, Linear address) {
        u64 number = raw(address) >> page_shift, name = number | u64{view_slot} << 32;
        Entry& entry = entries_[number % entries_.size()];
        if (entry.name != name) entry = {name, 0};
        if (++entry.touches < enough) return false;
        entry = {};
        return true;
    }

    // Another page takes its place.
    void forget(Linear address) { entries_[(raw(address) >> page_shift) % entries_.size()] = {}; }

 private:
    struct Entry {
        u64 name = ~u64{0};
        u32 touches = 0;
    };
    std::array<Entry, 64> entries_;
};

}  // namespace vellum
