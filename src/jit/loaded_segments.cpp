// The checks of MOV to a segment register (SDM 2; SDM 3A 5.6), for the descriptor that its hidden part is made of.
#include "jit/loaded_segments.hpp"

#include "cpu/segments.hpp"

namespace vellum {

namespace {

constexpr u16 accessed_bit = 1;

// The descriptor whose segment() is that one.
Descriptor descriptor_of(const Segment& s) {
    u32 base = static_cast<u32>(s.base), limit = s.access & 0x8000 ? s.limit >> 12 : s.limit;
    u32 high = (base & 0xFF000000) | (limit & 0xF0000) | u32{s.access} << 8 | (base >> 16 & 0xFF);
    return {base << 16 | (limit & 0xFFFF), high};
}

LoadedSegment loaded(const CpuState& state, const Segment& s) {
    Descriptor d = descriptor_of(s);
    Segment again = d.segment(s.selector);
    bool made_of_it = again.access == s.access && again.limit == s.limit && again.base == s.base;
    bool permitted =
        d.writable() && d.present() && s.access & accessed_bit && rpl_of(s.selector) <= d.dpl() && state.cpl <= d.dpl();
    auto address = descriptor_address(state, s.selector);
    if (null_selector(s.selector) || !made_of_it || !permitted || !address) return {};
    return {u64{d.high} << 32 | d.low, static_cast<u32>(raw(*address)), s.selector};
}

}  // namespace

LoadedSegments loaded_segments(const CpuState& state) {
    LoadedSegments all;
    if (state.real_or_v86()) return all;
    for (Seg s : {Seg::Es, Seg::Ds, Seg::Fs, Seg::Gs}) all[static_cast<u8>(s)] = loaded(state, state.segment(s));
    return all;
}

}  // namespace vellum
