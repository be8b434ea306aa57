// Mode bits from the CPU's state.
#include "jit/mode.hpp"

#include <array>

namespace vellum {

namespace {

// What may be done through a segment, by the low byte of its access word.
enum Usable : u8 { AsData = 1, AsCodeOverride = 2 };

constexpr auto usable_by_access = [] {
    std::array<u8, 256> usable{};
    for (u32 access = 0; access < usable.size(); ++access) {
        if ((access & 0x90) != 0x90) continue;  // not present, or a system descriptor
        bool code = access & 8, second = access & 2;
        bool writable_data = !code && (access & 6) == 2;
        usable[access] =
            static_cast<u8>((writable_data ? AsData | AsCodeOverride : 0) | (code && second ? AsCodeOverride : 0));
    }
    return usable;
}();

// Readable code: only the CS override comes here, and stores through it are interpreted. In real mode and V86 too: what
// is loaded there can be read and written, but protected mode may have left other rights.
SegmentUse use_of(const CpuState& state, Seg s) {
    const Segment& segment = state.segment(s);
    u8 wanted = s == Seg::Cs ? AsCodeOverride : AsData;
    if (!(usable_by_access[segment.access & 0xFF] & wanted)) return SegmentUse::Interpreted;
    if (segment.limit != 0xFFFFFFFF) return SegmentUse::Limited;
    return segment.base == 0 ? SegmentUse::Flat : SegmentUse::Based;
}

}  // namespace

CodeMode code_mode(const CpuState& state, bool fpu_live) {
    CodeMode mode;
    u32 bits = 0;
    if (state.code32()) bits |= CodeMode::code32_bit;
    if (state.stack32()) bits |= CodeMode::stack32_bit;
    bits |= u32{state.cpl} << CodeMode::cpl_shift;
    bool v86 = state.protected_mode() && state.v86();
    if (v86) bits |= CodeMode::v86_bit;
    if (!state.protected_mode()) bits |= CodeMode::real_bit;
    if (!state.protected_mode() || (state.cpl <= state.iopl() && !v86)) bits |= CodeMode::privileged_io_bit;
    if (state.cr0 & (cr0::ts | cr0::em)) bits |= CodeMode::no_fpu_bit;
    if (!(state.cr4 & cr4::osfxsr)) bits |= CodeMode::no_sse_bit;
    if (!state.segment(Seg::Cs).is_code()) bits |= CodeMode::writable_code_bit;
    if ((state.cr4 & cr4::tsd) && state.cpl != 0) bits |= CodeMode::no_tsc_bit;
    if (fpu_live) bits |= CodeMode::fpu_live_bit;
    for (u8 s = 0; s < 6; ++s)
        bits |= static_cast<u32>(use_of(state, static_cast<Seg>(s))) << (CodeMode::segments_shift + 2 * s);
    mode.bits = bits;
    mode.cs_base = static_cast<u32>(state.segment(Seg::Cs).base);
    mode.cs_limit = state.segment(Seg::Cs).limit;
    return mode;
}

}  // namespace vellum
