// Loads of segment registers that change nothing: kernels load DS and ES with what they hold already at each entry and
// each return. Such a load still reads the descriptor, and does what it says if it is another one by now.
#pragma once

#include <array>

#include "cpu/state.hpp"

namespace vellum {

// A load of `selector` leaves its register as it is, and cannot fault, while the eight bytes at linear `address` are
// `descriptor`. Blocks of level 0 compare.
struct LoadedSegment {
    static constexpr u32 none = ~u32{0};  // no 16-bit selector: every load is the interpreter's

    u64 descriptor = 0;
    u32 address = 0, selector = none;
};

// By segment register. CS and SS are left out, and so are null selectors, what real mode or V86 loaded, and what the
// level and the tables of `state` do not permit.
using LoadedSegments = std::array<LoadedSegment, 6>;
LoadedSegments loaded_segments(const CpuState& state);

}  // namespace vellum
