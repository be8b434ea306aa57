// Small pages are shown in runs of up to 16 when their entries and their storage are in a row. Large pages are shown
// whole, several at once, and their host entries are made when touched (1.1 us each; making all 16,384 of 64 MiB takes
// 4.4 ms). Around watched pages a large page is read-only by blocks of 16, so that code and data side by side do not
// cost two of the host's mappings for each page; a write to such a block frees the run of pages around it.
#include "jit/window_filler.hpp"

#include <algorithm>
#include <array>

#include "jit/shadow_entries.hpp"

namespace vellum {

namespace {

constexpr u32 block = 16;               // pages
constexpr u32 most_leaves_at_once = 8;  // 16 MiB: some 20 us of looking at pages
constexpr u64 leaf_bytes = u64{ShadowLeaf::pages} * page_size;

bool is_large(const Translation& found) { return found.page_bytes > page_size; }

}  // namespace

void WindowFiller::show(ShadowView& view, u32 page, const Translation& found, Access access) {
    ShadowLeaf& leaf = leaf_for(view, page, found);
    if (leaf.large)
        show_large(view, leaf, page, found, access);
    else
        show_small(view, leaf, page, found);
}

void WindowFiller::learn(ShadowView& view, u32 page, const Translation& found) {
    ShadowLeaf& leaf = leaf_for(view, page, found);
    if (!leaf.large)
        remember(view, leaf, page, found);
    else if (!leaf.live.has(page % ShadowLeaf::pages))
        show_large(view, leaf, page, found, Access::Read);
}

// The leaf of the page, agreeing with the directory entry that the walk saw.
ShadowLeaf& WindowFiller::leaf_for(ShadowView& view, u32 page, const Translation& found) {
    u32 index = page / ShadowLeaf::pages, i = page % ShadowLeaf::pages;
    bool large = is_large(found);
    u64 directory = raw(found.entry_address[0]), value = found.entry_value[0];
    u64 first = raw(found.entry_address[1]) - i * entry_bytes(view.key);
    if (large && !view.key.paging)
        first = index * leaf_bytes;
    else if (large)
        first = (value & (view.key.pae ? 0xFFFE00000 : 0xFFC00000)) +
                index % leaves_per_directory_entry(view.key) * leaf_bytes;
    if (ShadowLeaf* old = view.pages.leaf(index)) {
        if (old->large == large && old->directory_address == directory && old->first == first &&
            harmless_change(old->directory_value, value)) {
            if (!large) old->directory_value = value;
            return *old;
        }
        RangeHider hider = mapper_.hider(view);
        mapper_.forget_leaf(view, index, hider);
    }
    ShadowLeaf& leaf = view.pages.make_leaf(index);
    leaf.large = large;
    leaf.directory_address = directory;
    leaf.directory_value = value;
    leaf.first = first;
    if (large)
        mapper_.learn_large_leaf(view, index);
    else
        leaf.entries = PageTableCopy{entry_bytes(view.key)};
    return leaf;
}

void WindowFiller::remember(ShadowView& view, ShadowLeaf& leaf, u32 page, const Translation& found) {
    u32 i = page % ShadowLeaf::pages;
    u64 value = found.entry_value[1];
    if (leaf.live.has(i) && !harmless_change(leaf.entries->entry(i), value)) {
        RangeHider hider = mapper_.hider(view);
        mapper_.forget(view, page, hider);
    }
    mapper_.learn(view, page, {value, found.global});
}

// The page in the middle of a run: the others must be like it.
struct WindowFiller::SmallPage {
    u32 page;
    u64 offset;  // in the storage
    bool host_writable;
    const u8* first_entry;  // of its leaf
};

void WindowFiller::show_small(ShadowView& view, ShadowLeaf& leaf, u32 page, const Translation& found) {
    remember(view, leaf, page, found);
    u32 i = page % ShadowLeaf::pages;
    auto backing = *memory_.backing_of(found.page);
    bool host_writable = found.writable && found.dirty && backing.writable && !backing.watched;
    if (leaf.shown.has(i) && host_writable) {
        mapper_.protect(view, page, 1, HostAccess::ReadWrite);
        return;
    }
    SmallPage middle{page, backing.offset, host_writable, table_at(memory_, leaf.first)};
    i32 low = 0, high = 1, lowest = -static_cast<i32>(page % block), highest = lowest + static_cast<i32>(block);
    while (high < highest && joins(view, leaf, middle, high)) ++high;
    while (low > lowest && joins(view, leaf, middle, low - 1)) --low;
    for (i32 d = low; d < high; ++d) {
        if (d == 0) continue;
        u64 value = entry_of(view.key, middle.first_entry, static_cast<u32>(static_cast<i32>(i) + d));
        mapper_.learn(view, static_cast<u32>(static_cast<i32>(page) + d),
                      {value, value & entry::global && state_.cr4 & cr4::pge});
    }
    u64 offset = backing.offset - static_cast<u64>(-low) * page_size;
    mapper_.show(view, page - static_cast<u32>(-low), static_cast<u32>(high - low), offset,
                 host_writable ? HostAccess::ReadWrite : HostAccess::Read, HostWindows::Populate::Now);
}

// May the page at that distance be shown by the same mapping?
bool WindowFiller::joins(const ShadowView& view, const ShadowLeaf& leaf, const SmallPage& middle, i32 distance) const {
    u32 n = static_cast<u32>(static_cast<i32>(middle.page) + distance), i = n % ShadowLeaf::pages;
    if (leaf.live.has(i) || !middle.first_entry) return false;
    u64 value = entry_of(view.key, middle.first_entry, i);
    auto found = showable(state_, memory_, view.key, leaf.directory_value, value);
    return found && found->offset == middle.offset + static_cast<u64>(static_cast<i64>(distance) * page_size) &&
           found->writable == middle.host_writable;
}

// Pages [from, to).
struct WindowFiller::LargeRange {
    u32 from, to;
};

void WindowFiller::show_large(ShadowView& view, ShadowLeaf& leaf, u32 page, const Translation& found, Access access) {
    u32 i = page % ShadowLeaf::pages;
    bool became_dirty = leaf.directory_value != found.entry_value[0] && found.dirty;
    if (leaf.live.empty() || became_dirty) {
        LargeRange range = large_range(view, page, found);
        Translation part = found;
        for (u32 p = range.from; p < range.to; p += ShadowLeaf::pages) {
            if (view.key.paging) {
                // Differences of frames are differences of the entries, and entries follow one another in the table.
                i64 entries = (static_cast<i64>(p / ShadowLeaf::pages / leaves_per_directory_entry(view.key)) -
                               static_cast<i64>(page / ShadowLeaf::pages / leaves_per_directory_entry(view.key)));
                i64 bytes = static_cast<i64>(leaf_bytes * leaves_per_directory_entry(view.key));
                part.entry_value[0] = found.entry_value[0] + static_cast<u64>(entries * bytes);
                part.entry_address[0] = found.entry_address[0] + static_cast<u64>(entries * entry_bytes(view.key));
            }
            ShadowLeaf& shown = leaf_for(view, p, part);
            shown.directory_value = part.entry_value[0];
        }
        for (u32 p = range.from; p < range.to; ++p) {
            ShadowLeaf& l = *view.pages.leaf_of_page(p);
            l.global.assign(p % ShadowLeaf::pages, found.global);
        }
        show_plain(view, range.from, range.to, found.writable && found.dirty);
    } else if (!leaf.shown.has(i) || access == Access::Read) {
        u32 from = page - page % block;
        for (u32 p = from; p < from + block; ++p) leaf.global.assign(p % ShadowLeaf::pages, found.global);
        show_plain(view, from, from + block, found.writable && found.dirty);
    }
    if (access == Access::Write && !leaf.writable.has(i)) permit_writes(view, leaf, page);
}

// How far the plain stretch around a large page reaches: neighbours of which no leaf exists yet and whose entries are
// the same but for the frame, which follows on. Always whole directory entries.
WindowFiller::LargeRange WindowFiller::large_range(const ShadowView& view, u32 page, const Translation& found) const {
    u32 unit = leaves_per_directory_entry(view.key), index = page / ShadowLeaf::pages;
    u32 own = index / unit * unit, lowest = index / most_leaves_at_once * most_leaves_at_once;
    u64 unit_bytes = unit * leaf_bytes;
    auto joins_range = [&](u32 first) {
        for (u32 n = first; n < first + unit; ++n)
            if (view.pages.leaf(n)) return false;
        if (!view.key.paging) return true;
        i64 entries = (static_cast<i64>(first) - own) / static_cast<i64>(unit);
        u64 address = raw(found.entry_address[0]) + static_cast<u64>(entries * entry_bytes(view.key));
        u64 expected = found.entry_value[0] + static_cast<u64>(entries) * unit_bytes;
        // Eight leaves never leave a page of the directory, and storage ends below 4 GiB.
        const u8* at = table_at(memory_, address);
        return at && (expected & 0x7FFFFFFF00000000) == 0 && read_entry(at, entry_bytes(view.key)) == expected;
    };
    u32 from = own, to = own + unit;
    while (from > lowest && joins_range(from - unit)) from -= unit;
    while (to < lowest + most_leaves_at_once && joins_range(to)) to += unit;
    return {from * ShadowLeaf::pages, to * ShadowLeaf::pages};
}

// Shows what is memory of pages that have large leaves, block by block, in as few mappings as possible.
void WindowFiller::show_plain(ShadowView& view, u32 from, u32 to, bool may_write) {
    struct Run {
        u32 page, count;
        u64 offset;
        bool writable;
    } run{from, 0, 0, false};
    auto flush = [&] {
        if (run.count)
            mapper_.show(view, run.page, run.count, run.offset, run.writable ? HostAccess::ReadWrite : HostAccess::Read,
                         HostWindows::Populate::OnTouch);
        run.count = 0;
    };
    for (u32 start = from; start < to; start += block) {
        ShadowLeaf& leaf = *view.pages.leaf_of_page(start);
        std::array<std::optional<GuestMemory::Backing>, block> backings;
        bool any_watched = false;
        for (u32 n = 0; n < block; ++n) {
            u64 physical = leaf.physical((start + n) % ShadowLeaf::pages, state_.a20_mask);
            backings[n] = memory_.backing_of(Physical{physical});
            any_watched |= backings[n] && backings[n]->watched;
        }
        for (u32 n = 0; n < block; ++n) {
            const auto& b = backings[n];
            leaf.live.assign((start + n) % ShadowLeaf::pages, b.has_value());
            bool writable = b && may_write && b->writable && !any_watched;
            bool follows =
                b && run.count && b->offset == run.offset + u64{run.count} * page_size && writable == run.writable;
            if (!follows) flush();
            if (b && !run.count) run = {start + n, 0, b->offset, writable};
            if (b) ++run.count;
        }
    }
    flush();
}

void WindowFiller::permit_writes(ShadowView& view, ShadowLeaf& leaf, u32 page) {
    auto may = [&](u32 p) {
        u32 i = p % ShadowLeaf::pages;
        auto b = memory_.backing_of(Physical{leaf.physical(i, state_.a20_mask)});
        return leaf.shown.has(i) && !leaf.writable.has(i) && b && b->writable && !b->watched;
    };
    if (!may(page)) return;
    u32 from = page, to = page + 1, lowest = page - page % block;
    while (from > lowest && may(from - 1)) --from;
    while (to < lowest + block && may(to)) ++to;
    mapper_.protect(view, from, to - from, HostAccess::ReadWrite);
}

}  // namespace vellum
