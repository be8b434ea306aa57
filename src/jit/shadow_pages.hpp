// What one window shows, and which page table entries that came from: the bookkeeping beside the host's own tables.
// Pure data; whoever changes it changes the host's mapping with it.
#pragma once

#include <array>
#include <cstring>
#include <memory>
#include <optional>

#include "base/bit_set.hpp"

namespace vellum {

using PageSet = BitSet<512>;  // of the pages of a leaf

// A page table entry: 4 bytes, or 8 under PAE.
inline u64 read_entry(const u8* at, u32 bytes) {
    if (bytes == 4) {
        u32 value;
        std::memcpy(&value, at, sizeof value);
        return value;
    }
    u64 value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

// A copy of the page table behind a leaf, in the guest's own format, so that rows of entries are compared at once.
class PageTableCopy {
 public:
    static constexpr u32 row = 16;  // entries

    explicit PageTableCopy(u32 entry_bytes)
        : entry_bytes_{entry_bytes}, bytes_{std::make_unique<u8[]>(PageSet::capacity * entry_bytes)} {}

    u64 entry(u32 i) const { return read_entry(&bytes_[i * entry_bytes_], entry_bytes_); }
    void set(u32 i, u64 value) { std::memcpy(&bytes_[i * entry_bytes_], &value, entry_bytes_); }

    // Is the row that begins with entry i the same there? `table`: the guest's, its entry 0.
    bool same_row(u32 i, const u8* table) const {
        const u8 *ours = &bytes_[i * entry_bytes_], *theirs = table + i * entry_bytes_;
        return same<64>(ours, theirs) && (entry_bytes_ == 4 || same<64>(ours + 64, theirs + 64));
    }

 private:
    template <u32 bytes>
    static bool same(const u8* a, const u8* b) {
        u64 x[bytes / 8], y[bytes / 8], difference = 0;
        std::memcpy(x, a, bytes);
        std::memcpy(y, b, bytes);
        for (u32 i = 0; i < bytes / 8; ++i) difference |= x[i] ^ y[i];
        return difference == 0;
    }

    u32 entry_bytes_;
    std::unique_ptr<u8[]> bytes_;
};

// 2 MiB of linear addresses: one page directory entry under PAE, half of one otherwise.
struct ShadowLeaf {
    static constexpr u32 pages = PageSet::capacity;
    static constexpr u64 frame_mask = 0xFFFFFF000;  // 36 bits of physical address

    bool large = false;                              // the directory entry itself maps the memory (or paging is off)
    u64 directory_address = 0, directory_value = 0;  // PDE, physical address and what it held
    u64 first = 0;  // large: physical address of the first page. Otherwise: where the entry (PTE) of the first page is
    PageSet live;   // known: the entry is kept in step with the guest's
    PageSet shown;  // ... and mapped in the window
    PageSet writable;  // ... for writing too
    PageSet global;    // G with CR4.PGE: survives a reload of CR3
    PageSet code;      // fetched from; a fetch was permitted
    // PTEs: what live pages go by; of others what was last seen. Absent when large.
    std::optional<PageTableCopy> entries;

    // The physical address of page i, from what the entries said. A20 as it is now: its changes drop everything.
    u64 physical(u32 i, u64 a20_mask) const {
        return (large ? first + u64{i} * page_size : entries->entry(i) & frame_mask) & a20_mask;
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
