// The host's calls behind windows, and what is remembered about them.
#include "jit/window_mapper.hpp"

#include "base/check.hpp"

namespace vellum {

namespace {
constexpr u32 physical_pages = 1u << 20;
}

void RangeHider::add(u32 page) {
    if (start_ == end_ || view_.pages.any_shown(end_, page)) {
        flush();
        start_ = page;
    }
    end_ = page + 1;
}

void RangeHider::flush() {
    hide_all_ |= mapper_.exhausted();
    if (start_ != end_ && !hide_all_) mapper_.hide(view_, start_, end_ - start_);
    start_ = end_ = 0;
}

RangeHider::~RangeHider() {
    flush();
    if (!hide_all_) return;
    mapper_.empty(view_);
    mapper_.count_mappings();
}

WindowMapper::WindowMapper(const CpuState& state, GuestMemory& memory, HostWindows& windows, ViewTable& views,
                           AddressSpaceStatistics& statistics, u32 mapping_limit)
    : state_{state},
      memory_{memory},
      windows_{windows},
      views_{views},
      statistics_{statistics},
      mapping_limit_{mapping_limit},
      by_page_{physical_pages},
      by_frame_{physical_pages / ShadowLeaf::pages} {}

void WindowMapper::learn(ShadowView& view, u32 page, const SmallEntry& entry) {
    ShadowLeaf& leaf = *view.pages.leaf_of_page(page);
    u32 i = page % ShadowLeaf::pages;
    leaf.entries->set(i, entry.value);
    leaf.global.assign(i, entry.global);
    if (leaf.live.has(i)) return;
    leaf.live.add(i);
    ++live_small_;
    by_page_.add(static_cast<u32>(leaf.physical(i, state_.a20_mask) >> page_shift), place(view, page));
    if (by_page_.size() > 2 * live_small_ + 8192) rebuild_reverse_maps();
}

void WindowMapper::learn_large_leaf(ShadowView& view, u32 leaf_index) {
    ++large_leaves_;
    by_frame_.add(static_cast<u32>(view.pages.leaf(leaf_index)->first >> (page_shift + 9)),
                  place(view, leaf_index * ShadowLeaf::pages));
    if (by_frame_.size() > 2 * large_leaves_ + 8192) rebuild_reverse_maps();
}

void WindowMapper::rebuild_reverse_maps() {
    by_page_.clear();
    by_frame_.clear();
    views_.for_each([&](ShadowView& view) {
        view.pages.for_each_leaf([&](u32 index, ShadowLeaf& leaf) {
            u32 first = index * ShadowLeaf::pages;
            if (leaf.large) {
                by_frame_.add(static_cast<u32>(leaf.first >> (page_shift + 9)), place(view, first));
                return;
            }
            leaf.live.for_each([&](u32 i) {
                by_page_.add(static_cast<u32>(leaf.physical(i, state_.a20_mask) >> page_shift), place(view, first + i));
            });
        });
    });
}

void WindowMapper::show(ShadowView& view, u32 page, u32 count, u64 offset, HostAccess access,
                        HostWindows::Populate populate) {
    u8* at = view.face.base + u64{page} * page_size;
    auto attempt = [&] { return windows_.map(at, u64{count} * page_size, offset, access, populate); };
    if (!attempt()) {
        // The host has run out of something, whatever our count says. Give it back all other views' mappings.
        views_.for_each([&](ShadowView& other) {
            if (&other != &view) empty(other);
        });
        check(attempt(), "the host can map a few pages of the guest's memory");
    }
    mapping_bound_ += 2;
    for (u32 p = page; p < page + count;) {
        ShadowLeaf& leaf = *view.pages.leaf_of_page(p);
        u32 from = p % ShadowLeaf::pages, to = std::min(from + (page + count - p), ShadowLeaf::pages);
        leaf.shown.assign_run(from, to, true);
        leaf.writable.assign_run(from, to, access == HostAccess::ReadWrite);
        p += to - from;
    }
    statistics_.pages_filled += count;
}

void WindowMapper::protect(ShadowView& view, u32 page, u32 count, HostAccess access) {
    u8* at = view.face.base + u64{page} * page_size;
    check(windows_.protect(at, u64{count} * page_size, access), "the host lets pages of a window be protected");
    mapping_bound_ += 2;
    ShadowLeaf& leaf = *view.pages.leaf_of_page(page);
    u32 from = page % ShadowLeaf::pages;
    leaf.writable.assign_run(from, from + count, access == HostAccess::ReadWrite);
}

void WindowMapper::renew(ShadowView& view, u32 page, const SmallEntry& entry, u64 offset, HostAccess access) {
    ShadowLeaf& leaf = *view.pages.leaf_of_page(page);
    u32 i = page % ShadowLeaf::pages;
    u64 before = leaf.physical(i, state_.a20_mask);
    if (leaf.code.has(i)) {
        ++view.face.code_generation;
        leaf.code.remove(i);
    }
    leaf.live.remove(i);
    --live_small_;
    learn(view, page, entry);
    if (leaf.physical(i, state_.a20_mask) != before)
        show(view, page, 1, offset, access, HostWindows::Populate::Now);
    else if (leaf.writable.has(i) != (access == HostAccess::ReadWrite))
        protect(view, page, 1, access);
}

void WindowMapper::hide(ShadowView& view, u32 page, u32 count) {
    u8* at = view.face.base + u64{page} * page_size;
    check(windows_.unmap(at, u64{count} * page_size), "the host lets a window be unmapped");
    mapping_bound_ += 2;  // the hole, and the rest of what it was cut from
    ++statistics_.unmaps;
}

void WindowMapper::hide_row(ShadowView& view, u32 page) {
    ShadowLeaf* leaf = view.pages.leaf_of_page(page);
    RangeHider hider{*this, view};
    for (u32 i = page % ShadowLeaf::pages; leaf && i < ShadowLeaf::pages && leaf->shown.has(i); ++i, ++page) {
        leaf->shown.remove(i);
        leaf->writable.remove(i);
        hider.add(page);
    }
}

void WindowMapper::forget(ShadowView& view, u32 page, RangeHider& hider) {
    ShadowLeaf& leaf = *view.pages.leaf_of_page(page);
    u32 i = page % ShadowLeaf::pages;
    if (leaf.code.has(i)) ++view.face.code_generation;
    if (!leaf.large && leaf.live.has(i)) --live_small_;
    bool was_shown = leaf.shown.has(i);
    leaf.live.remove(i);
    leaf.shown.remove(i);
    leaf.writable.remove(i);
    leaf.global.remove(i);
    leaf.code.remove(i);
    if (was_shown) hider.add(page);
}

void WindowMapper::forget_leaf(ShadowView& view, u32 leaf_index, RangeHider& hider) {
    ShadowLeaf& leaf = *view.pages.leaf(leaf_index);
    leaf.live.for_each([&](u32 i) { forget(view, leaf_index * ShadowLeaf::pages + i, hider); });
    if (leaf.large) --large_leaves_;
    view.pages.remove_leaf(leaf_index);
}

void WindowMapper::empty(ShadowView& view) {
    if (view.pages.empty()) return;
    check(windows_.unmap(view.face.base, HostWindows::window_bytes), "the host lets a window be emptied");
    ++statistics_.unmaps;
    ++view.face.code_generation;
    view.pages.for_each_leaf([&](u32 index, ShadowLeaf& leaf) {
        if (leaf.large)
            --large_leaves_;
        else
            leaf.live.for_each([&](u32) { --live_small_; });
        view.pages.remove_leaf(index);
    });
}

u32 WindowMapper::count_mappings(ShadowView& view) const {
    u32 count = 1, expected_page = 0;
    u64 expected_offset = 0;
    bool expected_writable = false;
    view.pages.for_each_leaf([&](u32 index, ShadowLeaf& leaf) {
        leaf.shown.for_each([&](u32 i) {
            u32 page = index * ShadowLeaf::pages + i;
            auto backing = memory_.backing_of(Physical{leaf.physical(i, state_.a20_mask)});
            u64 offset = backing ? backing->offset : 0;
            bool writable = leaf.writable.has(i);
            if (page != expected_page || offset != expected_offset || writable != expected_writable)
                count += page == expected_page ? 1 : 2;
            expected_page = page + 1;
            expected_offset = offset + page_size;
            expected_writable = writable;
        });
    });
    return count;
}

u32 WindowMapper::count_mappings() {
    mapping_bound_ = 0;
    views_.for_each([&](ShadowView& view) { mapping_bound_ += count_mappings(view); });
    return mapping_bound_;
}

}  // namespace vellum
