// Ways from one mode of code to another, and from the window of one level to that of the other, that translated code
// takes by itself: SYSENTER, SYSEXIT, and loads of FS with what a kernel has in it and what its programs have. (Linux
// does all four in each system call.)
//
// A Place is a mode in which code ran since tables and control registers changed last. It has everything that the
// dispatcher sets before it enters a block there; one place leads to another while the processor's state in the two
// differs by nothing but what the instruction changes. The stub (crossing_stub.cpp) follows.
#pragma once

#include <array>

#include "cpu/state.hpp"
#include "jit/loaded_segments.hpp"
#include "jit/view.hpp"
#include "jit/view_states.hpp"

namespace vellum {

struct Place {
    // --- what the stub reads. Null: that way is the interpreter's.
    const Place* by_sysenter = nullptr;
    const Place* by_sysexit = nullptr;
    const Place* by_fs = nullptr;
    u64 window = 0;
    const u64* code_generation = nullptr;  // of the view, and what it was
    u64 generation = 0;
    u64* return_sp = nullptr;
    u64 jump_cache = 0;
    u64 cpl = 0;
    std::array<Segment, 7> segments{};  // the last is LDTR

    // --- what the translator wants to know of it
    View* view = nullptr;
    ModeState* mode_state = nullptr;
    u64 cr0 = 0, cr4 = 0;
    u32 flags = 0;  // VM and IOPL
    DescriptorTable gdtr{};
    LoadedSegments loaded{};
    bool known = false;

    const Segment& segment(Seg s) const { return segments[static_cast<u8>(s)]; }
};

class Crossings {
 public:
    // `views`: may ways lead from one window to another? They write GS.base.
    explicit Crossings(bool views) : views_{views} {}

    static constexpr u32 count = 4;
    const Place& place(u32 number) const { return places_[number]; }
    // Has it been noted, and nothing changed since but, at most, what the caller of `note` looks at?
    bool holds(u32 number, const CpuState& state, const View& view, const ModeState& mode_state) const {
        const Place& p = places_[number];
        return p.known && p.view == &view && p.mode_state == &mode_state && sysenter_cs_ == state.sysenter_cs;
    }
    // The processor is in that place now, without FPU state in the host's registers.
    void note(u32 number, const CpuState& state, View& view, ModeState& mode_state, const LoadedSegments& loaded);
    // None holds any more. Cheap when there is none.
    void drop();
    // What blocks compare loads of segment registers with, there and where ways lead from there.
    const LoadedSegments& loaded(u32 number) const;

 private:
    void connect();

    bool views_;
    u32 known_ = 0;  // how many places are
    u64 sysenter_cs_ = 0;
    // By number: level 3 or not, FS present or not.
    static constexpr u32 user = 2, with_fs = 1;
    std::array<Place, count> places_{};
};

}  // namespace vellum
