// Revalidation: rows of entries are compared at once, and only those that hold a live one.
#include "jit/shadow_check.hpp"

#include <algorithm>
#include <iterator>

#include "jit/shadow_entries.hpp"

namespace vellum {

void ShadowCheck::all(ShadowView& view, bool global_too) {
    if (!view.key.paging) return;
    RangeHider hider = mapper_.hider(view);
    if (view.key.pae) quarters(view, hider);
    view.pages.for_each_leaf([&](u32 index, ShadowLeaf& l) { leaf(view, index, l, global_too, hider); });
}

// PDPTEs are read when CR3 is loaded, and only then (SDM 3A 4.4.1).
void ShadowCheck::quarters(ShadowView& view, RangeHider& hider) {
    constexpr u32 leaves = ShadowPages::leaf_count / 4;
    bool changed[4];
    for (u32 i = 0; i < 4; ++i) changed[i] = view.pdpte[i] != state_.pdpte[i];
    std::copy(std::begin(state_.pdpte), std::end(state_.pdpte), view.pdpte);
    if (std::none_of(std::begin(changed), std::end(changed), [](bool c) { return c; })) return;
    view.pages.for_each_leaf([&](u32 index, ShadowLeaf&) {
        if (changed[index / leaves]) mapper_.forget_leaf(view, index, hider);
    });
    hider.flush();
}

void ShadowCheck::leaf(ShadowView& view, u32 index, ShadowLeaf& leaf, bool global_too, RangeHider& hider) {
    if (global_too) leaf.global.clear();
    PageSet pages = leaf.live.without(leaf.global);
    if (pages.empty()) {
        if (leaf.live.empty()) mapper_.forget_leaf(view, index, hider);
        return;
    }
    if (!directory_holds(view.key, leaf)) {
        mapper_.forget_leaf(view, index, hider);
        return;
    }
    if (!leaf.large) {
        const u8* first_entry = table_at(memory_, leaf.first);
        pages.for_each_row<PageTableCopy::row>([&](u32 first) {
            if (first_entry && leaf.entries->same_row(first, first_entry)) return;
            for (u32 i = first; i < first + PageTableCopy::row; ++i)
                changed_entry(view, index, leaf, i, first_entry, hider);
        });
    }
    if (global_too && state_.cr4 & cr4::pge) note_global(leaf);
}

// An entry in a row that has changed. What no page goes by is only copied, for the next comparison.
void ShadowCheck::changed_entry(ShadowView& view, u32 index, ShadowLeaf& leaf, u32 i, const u8* first_entry,
                                RangeHider& hider) {
    bool live = leaf.live.has(i);
    if (!live && first_entry) leaf.entries->set(i, entry_of(view.key, first_entry, i));
    if (!live || leaf.global.has(i)) return;
    if (entry_holds(view.key, leaf, i, first_entry) || renew(view, leaf, index, i, first_entry)) return;
    mapper_.forget(view, index * ShadowLeaf::pages + i, hider);
}

// The G bits of what stays, under CR4.PGE as it is now.
void ShadowCheck::note_global(ShadowLeaf& leaf) const {
    leaf.live.for_each([&](u32 i) {
        u64 value = leaf.large ? leaf.directory_value : leaf.entries->entry(i);
        leaf.global.assign(i, value & entry::global);
    });
}

// A page that is shown is likely to be wanted again: what its new entry permits is shown at once.
bool ShadowCheck::renew(ShadowView& view, const ShadowLeaf& leaf, u32 index, u32 i, const u8* first_entry) {
    if (!first_entry || !leaf.shown.has(i) || mapper_.crowded()) return false;
    u64 value = entry_of(view.key, first_entry, i);
    auto found = showable(state_, memory_, view.key, leaf.directory_value, value);
    if (!found) return false;
    bool global = value & entry::global && state_.cr4 & cr4::pge;
    mapper_.renew(view, index * ShadowLeaf::pages + i, {value, global}, found->offset,
                  found->writable ? HostAccess::ReadWrite : HostAccess::Read);
    return true;
}

bool ShadowCheck::one(ShadowView& view, u32 page) {
    u32 index = page / ShadowLeaf::pages, i = page % ShadowLeaf::pages;
    ShadowLeaf* l = view.pages.leaf(index);
    if (!l || !view.key.paging) return false;
    RangeHider hider = mapper_.hider(view);
    if (l->large) {
        u32 count = leaves_per_directory_entry(view.key), start = index / count * count;
        for (u32 n = start; n < start + count; ++n)
            if (ShadowLeaf* part = view.pages.leaf(n); part && !directory_holds(view.key, *part))
                mapper_.forget_leaf(view, n, hider);
        return false;
    }
    if (!l->live.has(i)) return false;
    const u8* first_entry = table_at(memory_, l->first);
    if (directory_holds(view.key, *l) &&
        (entry_holds(view.key, *l, i, first_entry) || renew(view, *l, index, i, first_entry)))
        return false;
    mapper_.forget(view, page, hider);
    return true;
}

bool ShadowCheck::holds(const ShadowView& view, u32 page) const {
    ShadowLeaf* l = view.pages.leaf_of_page(page);
    if (!view.key.paging) return true;
    return directory_holds(view.key, *l) &&
           (l->large || entry_holds(view.key, *l, page % ShadowLeaf::pages, table_at(memory_, l->first)));
}

bool ShadowCheck::directory_holds(const ViewKey& key, ShadowLeaf& leaf) const {
    const u8* at = table_at(memory_, leaf.directory_address);
    if (!at) return false;
    u64 now = read_entry(at, entry_bytes(key));
    if (!harmless_change(leaf.directory_value, now)) return false;
    // That a large page became dirty is for its next write fault to find: what is shown is read-only until then.
    if (!leaf.large) leaf.directory_value = now;
    return true;
}

bool ShadowCheck::entry_holds(const ViewKey& key, ShadowLeaf& leaf, u32 i, const u8* first_entry) const {
    if (!first_entry) return false;
    u64 now = entry_of(key, first_entry, i);
    if (!harmless_change(leaf.entries->entry(i), now)) return false;
    leaf.entries->set(i, now);
    return true;
}

}  // namespace vellum
