// Comparing a view's shadow with the guest's tables: what a flush of the TLB means for windows.
#pragma once

#include "jit/window_mapper.hpp"

namespace vellum {

class ShadowCheck {
 public:
    ShadowCheck(const CpuState& state, const GuestMemory& memory, WindowMapper& mapper)
        : state_{state}, memory_{memory}, mapper_{mapper} {}

    // After CR3 was loaded: every page that is not global; after a flush of everything those too. What differs is
    // shown anew, or forgotten and hidden.
    void all(ShadowView& view, bool global_too);
    // After INVLPG: one page, or the large page around it. What still agrees may stay: it is what a fill would make.
    // True: a small page was forgotten.
    bool one(ShadowView& view, u32 page);
    // Do the tables say of a live page what they said? Shows and hides nothing.
    bool holds(const ShadowView& view, u32 page) const;

 private:
    void quarters(ShadowView& view, RangeHider& hider);
    void leaf(ShadowView& view, u32 index, ShadowLeaf& leaf, bool global_too, RangeHider& hider);
    void changed_entry(ShadowView& view, u32 index, ShadowLeaf& leaf, u32 i, const u8* first_entry, RangeHider& hider);
    bool renew(ShadowView& view, const ShadowLeaf& leaf, u32 index, u32 i, const u8* first_entry);
    void note_global(ShadowLeaf& leaf) const;
    bool directory_holds(const ViewKey& key, ShadowLeaf& leaf) const;
    bool entry_holds(const ViewKey& key, ShadowLeaf& leaf, u32 i, const u8* first_entry) const;

    const CpuState& state_;
    const GuestMemory& memory_;
    WindowMapper& mapper_;
};

}  // namespace vellum
