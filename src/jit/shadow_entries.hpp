// Reading the guest's paging structures beside the walk: for comparing what was remembered, and for peeking at
// neighbours. Never changes them. SDM 3A 4.3 and 4.4.
#pragma once

#include <cstring>
#include <optional>

#include "cpu/guest_memory.hpp"
#include "jit/view_table.hpp"

namespace vellum {

namespace entry {
constexpr u32 present = 1u << 0, writable = 1u << 1, user = 1u << 2, accessed = 1u << 5, dirty = 1u << 6,
              global = 1u << 8;
}

// Would a processor that cached the old value go on as well with the new one, and we lose nothing by it? A and D may
// have been set since; a lost A or D is the guest's wish to hear of the next access.
constexpr bool harmless_change(u64 was, u64 is) {
    u64 changed = was ^ is;
    return !(changed & ~u64{entry::accessed | entry::dirty}) && !(was & changed);
}

inline u32 entry_bytes(const ViewKey& key) { return key.pae ? 8 : 4; }

// The bytes of a table at a physical address, as far as its page reaches; null where there is no memory.
inline const u8* table_at(const GuestMemory& memory, u64 address) {
    const u8* page = memory.read_pointer(page_of(Physical{address}));
    return page ? page + (address & page_offset_mask) : nullptr;
}

// Entry i of a table.
inline u64 entry_of(const ViewKey& key, const u8* table, u32 i) {
    return read_entry(table + i * entry_bytes(key), entry_bytes(key));
}

// Would a walk for an access to that address find A, and D for a write, set already?
inline bool nothing_to_mark(const CpuState& state, const GuestMemory& memory, Linear address, bool write) {
    if (!state.paging()) return true;
    bool pae = state.cr4 & cr4::pae;
    u32 linear = static_cast<u32>(raw(address)), bytes = pae ? 8 : 4;
    auto entry_at = [&](u64 table, u32 index) -> u64 {
        const u8* at = table_at(memory, ((table & 0xFFFFFF000) + index * bytes) & state.a20_mask);
        return at ? read_entry(at, bytes) : 0;
    };
    constexpr u32 page_size_bit = 1u << 7;
    u64 directory = pae ? state.pdpte[linear >> 30] : state.cr3;
    u64 above = entry_at(directory, pae ? linear >> 21 & 0x1FF : linear >> 22);
    bool large = above & page_size_bit && (pae || state.cr4 & cr4::pse);
    u64 leaf = large ? above : entry_at(above, pae ? linear >> 12 & 0x1FF : linear >> 12 & 0x3FF);
    u32 wanted = entry::present | entry::accessed;
    return (above & wanted) == wanted && (leaf & wanted) == wanted && (!write || leaf & entry::dirty);
}

// What a window may show of a small page ahead of any access: what hardware could hold in its TLB without changing
// memory. Present and accessed it must be, and dirty where it is to be writable.
struct Showable {
    u64 offset;  // in the storage
    bool writable;
};
inline std::optional<Showable> showable(const CpuState& state, const GuestMemory& memory, const ViewKey& key,
                                        u64 directory_value, u64 value) {
    u64 high_half = value >> 32, both = directory_value & value;
    bool high_half_fits = !high_half || (high_half == 0x80000000 && key.no_execute);
    if ((value & (entry::present | entry::accessed)) != (entry::present | entry::accessed) || !high_half_fits ||
        (key.user && !(both & entry::user)))
        return std::nullopt;
    auto backing = memory.backing_of(Physical{value & 0xFFFFF000 & state.a20_mask});
    if (!backing) return std::nullopt;
    bool permitted = both & entry::writable || (!key.user && !key.write_protect);
    return Showable{backing->offset, permitted && value & entry::dirty && backing->writable && !backing->watched};
}

// Linear addresses that one page directory entry covers, in leaves of 2 MiB.
inline u32 leaves_per_directory_entry(const ViewKey& key) { return key.pae || !key.paging ? 1 : 2; }

}  // namespace vellum
