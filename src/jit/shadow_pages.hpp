// What one window shows, and which page table entries that came from: the bookkeeping beside the host's own tables.
// Pure data; whoever changes it changes the host's mapping with it.
#pragma once

#include <array>
#include <memory>

#include "base/bit_set.hpp"

namespace vellum {

using PageSet = BitSet<512>;  // of the pages of a leaf

// 2 MiB of linear addresses: one page directory entry under PAE, half of one otherwise.
struct ShadowLeaf {
    static constexpr u32 pages = 512;

    bool large = false;                              // the directory entry itself maps the memory (or paging is off)
    u64 directory_address = 0, directory_value = 0;  // PDE, physical address and what it held
    u64 first = 0;  // large: physical address of the first page. Otherwise: where the entry (PTE) of the first page is
    PageSet live;   // known: the entry is kept in step with the guest's
    PageSet shown;  // ... and mapped in the window
    PageSet writable;                                 // ... for writing too
    PageSet global;                                   // G with CR4.PGE: survives a reload of CR3
    PageSet code;                                     // fetched from; a fetch was permitted
    PageSet no_execute;                               // bit 63 of the entry
    std::unique_ptr<std::array<u32, pages>> entries;  // PTEs as they were, low halves; absent when large

    // The physical address of page i, from what the entries said. A20 as it is now: its changes drop everything.
    u64 physical(u32 i, u64 a20_mask) const {
        return (large ? first + u64{i} * page_size : (*entries)[i] & ~u64{page_offset_mask}) & a20_mask;
    }
};

class ShadowPages {
 public:
    static constexpr u32 leaf_count = 2048;

    ShadowLeaf* leaf(u32 index) const { return leaves_[index].get(); }
    ShadowLeaf* leaf_of_page(u32 page) const { return leaf(page / ShadowLeaf::pages); }
    ShadowLeaf& make_leaf(u32 index) {
        leaves_[index] = std::make_unique<ShadowLeaf>();
        present_[index >> 6] |= u64{1} << (index & 63);
        return *leaves_[index];
    }
    void remove_leaf(u32 index) {
        leaves_[index].reset();
        present_[index >> 6] &= ~(u64{1} << (index & 63));
    }
    bool empty() const {
        for (u64 word : present_)
            if (word) return false;
        return true;
    }
    template <typename F>
    void for_each_leaf(F&& f) const {  // f(index, leaf), in rising order; f may remove the leaf that it is given
        for (u32 w = 0; w < present_.size(); ++w)
            for (u64 rest = present_[w]; rest; rest &= rest - 1) {
                u32 index = w * 64 + static_cast<u32>(std::countr_zero(rest));
                f(index, *leaves_[index]);
            }
    }
    bool any_shown(u32 from, u32 to) const;  // of pages [from, to)

 private:
    std::array<std::unique_ptr<ShadowLeaf>, leaf_count> leaves_;
    std::array<u64, leaf_count / 64> present_{};
};

}  // namespace vellum
