// Segment descriptors for hand-made descriptor tables (SDM vol. 3A, 3.4.5).
#pragma once

#include "base/types.hpp"

namespace vellum::test {

// `limit` in bytes, less one; above 1 MiB its last twelve bits are ones. `access` is the access byte, with D/B as bit 14.
constexpr u64 segment_descriptor(u32 base, u32 limit, u16 access) {
    bool pages = limit > 0xFFFFF;
    u64 units = pages ? limit >> 12 : limit;
    u64 high = (base >> 16 & 0xFF) | (u64{access} & 0xFF) << 8 | (units & 0xF0000) | (u64{access} & 0x4000) << 8 |
               (pages ? 1u << 23 : 0u) | (base & 0xFF000000);
    return high << 32 | (u64{base} & 0xFFFF) << 16 | (units & 0xFFFF);
}

}  // namespace vellum::test
