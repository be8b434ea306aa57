// Puts pages into windows and takes them out, and keeps the shadow of each view, the reverse maps and the count of the
// host's mappings in step with that. Decides nothing about what may be shown: that is address_spaces.cpp.
#pragma once

#include "cpu/guest_memory.hpp"
#include "cpu/mmu.hpp"
#include "jit/address_spaces.hpp"
#include "jit/host_window.hpp"
#include "jit/reverse_map.hpp"
#include "jit/view_table.hpp"

namespace vellum {

class WindowMapper;

// Collects pages to be hidden, given in rising order, into as few calls to the host as possible: a range may cover
// pages that show nothing. Should the holes use up the host's mappings, all of the view is hidden and forgotten when
// the hider ends.
class RangeHider {
 public:
    RangeHider(WindowMapper& mapper, ShadowView& view) : mapper_{mapper}, view_{view} {}
    ~RangeHider();
    RangeHider(const RangeHider&) = delete;
    RangeHider& operator=(const RangeHider&) = delete;

    void add(u32 page);  // its `shown` bit is already clear
    void flush();

 private:
    WindowMapper& mapper_;
    ShadowView& view_;
    u32 start_ = 0, end_ = 0;
    bool hide_all_ = false;
};

class WindowMapper {
 public:
    WindowMapper(const CpuState& state, GuestMemory& memory, HostWindows& windows, ViewTable& views,
                 AddressSpaceStatistics& statistics, u32 mapping_limit);

    // A page's entry becomes known; nothing is mapped yet. Small leaves only.
    struct SmallEntry {
        u64 value;  // the PTE
        bool global;
    };
    void learn(ShadowView& view, u32 page, const SmallEntry& entry);
    void learn_large_leaf(ShadowView& view, u32 leaf_index);  // made by the caller: notes it in the reverse map

    // Maps `count` pages of the storage from `offset`. All have leaves; their live bits are the caller's business.
    void show(ShadowView& view, u32 page, u32 count, u64 offset, HostAccess access, HostWindows::Populate populate);
    void protect(ShadowView& view, u32 page, u32 count, HostAccess access);  // pages that are shown

    // A small page that is shown, by a changed entry: one call to the host at most.
    void renew(ShadowView& view, u32 page, const SmallEntry& entry, u64 offset, HostAccess access);

    RangeHider hider(ShadowView& view) { return {*this, view}; }
    void forget(ShadowView& view, u32 page, RangeHider& hider);  // a page with a leaf: no longer live nor shown
    void forget_leaf(ShadowView& view, u32 leaf_index, RangeHider& hider);  // all its pages, and the leaf
    void empty(ShadowView& view);                                           // everything; the view stays in use

    // Calls f(view, leaf, page) for each place at which that physical page is live. f may forget it.
    template <typename F>
    void for_each_place(Physical page, F&& f);

    // Near the limit of mappings? An upper bound is kept, exact counting is for when it is reached.
    bool crowded() const { return mapping_bound_ >= mapping_limit_; }
    // Beyond what filling a page may add to that: nothing may be split any more.
    bool exhausted() const { return mapping_bound_ >= mapping_limit_ + mapping_limit_ / 6; }
    u32 mapping_limit() const { return mapping_limit_; }
    u32 count_mappings();  // exactly, as the host merges them; becomes the new bound
    u32 count_mappings(ShadowView& view) const;
    // Hides what is shown in a row from there, as far as its leaf goes. It stays known, for a fill to show it again.
    void hide_row(ShadowView& view, u32 page);

 private:
    friend class RangeHider;
    void hide(ShadowView& view, u32 page, u32 count);
    void rebuild_reverse_maps();
    static u32 place(const ShadowView& view, u32 page) { return view.face.slot << 20 | page; }

    const CpuState& state_;
    GuestMemory& memory_;
    HostWindows& windows_;
    ViewTable& views_;
    AddressSpaceStatistics& statistics_;
    u32 mapping_limit_;
    u32 mapping_bound_ = 0;
    u64 live_small_ = 0, large_leaves_ = 0;
    ReverseMap by_page_;   // places (slot << 20 | page) by physical page, for small leaves
    ReverseMap by_frame_;  // places of leaves (slot << 20 | first page) by physical frame of 2 MiB, for large ones
};

template <typename F>
void WindowMapper::for_each_place(Physical physical, F&& f) {
    constexpr u32 page_mask = (1u << 20) - 1;
    auto visit = [&](u32 slot, u32 page) {
        ShadowView& view = views_.at(slot);
        ShadowLeaf* leaf = view.pages.leaf_of_page(page);
        u32 i = page % ShadowLeaf::pages;
        if (leaf && leaf->live.has(i) && leaf->physical(i, state_.a20_mask) == raw(physical)) f(view, *leaf, page);
    };
    if (raw(physical) >> 32) return;
    u32 number = static_cast<u32>(raw(physical) >> page_shift);
    by_page_.for_each(number, [&](u32 p) { visit(p >> 20, p & page_mask); });
    by_frame_.for_each(number / ShadowLeaf::pages, [&](u32 p) {
        u32 page = (p & page_mask) + number % ShadowLeaf::pages;
        visit(p >> 20, page);
        visit(p >> 20, page ^ 0x100);  // with A20 masked, the page 1 MiB beside is the same one
    });
}

}  // namespace vellum
