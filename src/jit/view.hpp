// One window: 4 GiB of host addresses that show a guest linear address space as one privilege level sees it.
#pragma once

#include "base/bit_set.hpp"

namespace vellum {

// Views are few (some hundreds) and reused; `slot` indexes what others keep for each view (return stacks, jump caches).
struct View {
    u8* base = nullptr;  // host address of guest linear address 0; 4 GiB aligned, an inaccessible stretch follows
    u32 slot = 0;
    bool user = false;  // shows only pages with U/S set
    // Counts removals of mappings from which code may have been translated: links across pages hold while it stands.
    u64 code_generation = 0;
};

constexpr u32 most_views = 512;
using ViewSet = BitSet<most_views>;  // by slot

}  // namespace vellum
