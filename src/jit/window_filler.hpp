// After a walk of the guest's tables succeeded: shows the page, and with it neighbours that cost nothing more.
#pragma once

#include "jit/window_mapper.hpp"

namespace vellum {

class WindowFiller {
 public:
    WindowFiller(const CpuState& state, GuestMemory& memory, WindowMapper& mapper)
        : state_{state}, memory_{memory}, mapper_{mapper} {}

    // The page lies in memory. After it the access that was walked for succeeds, unless it writes to what is watched.
    void show(ShadowView& view, u32 page, const Translation& found, Access access);
    // The page's entry is kept in step from now on; a small page is not shown for that alone.
    void learn(ShadowView& view, u32 page, const Translation& found);

 private:
    struct SmallPage;
    struct LargeRange;
    ShadowLeaf& leaf_for(ShadowView& view, u32 page, const Translation& found);
    void show_small(ShadowView& view, ShadowLeaf& leaf, u32 page, const Translation& found);
    void remember(ShadowView& view, ShadowLeaf& leaf, u32 page, const Translation& found);
    bool joins(const ShadowView& view, const ShadowLeaf& leaf, const SmallPage& middle, i32 distance) const;
    void show_large(ShadowView& view, ShadowLeaf& leaf, u32 page, const Translation& found, Access access);
    LargeRange large_range(const ShadowView& view, u32 page, const Translation& found) const;
    void show_plain(ShadowView& view, u32 from, u32 to, bool may_write);
    void permit_writes(ShadowView& view, ShadowLeaf& leaf, u32 page);

    const CpuState& state_;
    GuestMemory& memory_;
    WindowMapper& mapper_;
};

}  // namespace vellum
