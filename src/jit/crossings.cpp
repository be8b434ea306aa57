// Which places lead to which (SDM 2: SYSENTER, SYSEXIT, MOV).
#include "jit/crossings.hpp"

#include <algorithm>
#include <cstring>
#include <initializer_list>

#include "cpu/segments.hpp"

namespace vellum {

namespace {

bool same(const Segment& a, const Segment& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

bool same_but_for(const Place& a, const Place& b, std::initializer_list<Seg> changed) {
    u32 left_out = 0;
    for (Seg s : changed) left_out |= 1u << static_cast<u8>(s);
    for (u32 s = 0; s < a.segments.size(); ++s)
        if (!(left_out >> s & 1) && !same(a.segments[s], b.segments[s])) return false;
    return a.known && b.known && a.cr0 == b.cr0 && a.cr4 == b.cr4 && a.flags == b.flags && a.gdtr.base == b.gdtr.base &&
           a.gdtr.limit == b.gdtr.limit;
}

// What SYSENTER and SYSEXIT load: flat segments at fixed distances from the MSR's selector.
bool flat(const Segment& s, u32 selector, u16 access) {
    return s.selector == selector && s.access == access && s.limit == 0xFFFFFFFF && s.base == 0;
}
bool entered(const Place& kernel, u32 selector) {
    return kernel.cpl == 0 && flat(kernel.segment(Seg::Cs), selector, 0xC09B) &&
           flat(kernel.segment(Seg::Ss), selector + 8, 0xC093);
}
bool returned_to(const Place& program, u32 selector) {
    return flat(program.segment(Seg::Cs), (selector + 16) | 3, 0xC0FB) &&
           flat(program.segment(Seg::Ss), (selector + 24) | 3, 0xC0F3);
}

bool plain(const Place& place) { return place.cr0 & cr0::pe && !(place.flags & eflags::vm); }

}  // namespace

void Crossings::note(u32 number, const CpuState& state, View& view, ModeState& mode_state,
                     const LoadedSegments& loaded) {
    Place& p = places_[number];
    p.window = reinterpret_cast<u64>(view.base);
    p.code_generation = &view.code_generation;
    p.generation = view.code_generation;
    p.return_sp = &mode_state.return_sp;
    p.jump_cache = reinterpret_cast<u64>(mode_state.jump_cache());
    p.cpl = state.cpl;
    std::copy(std::begin(state.seg), std::end(state.seg), p.segments.begin());
    p.segments.back() = state.ldtr;
    p.view = &view;
    p.mode_state = &mode_state;
    p.cr0 = state.cr0;
    p.cr4 = state.cr4;
    p.flags = state.eflags & (eflags::vm | eflags::iopl);
    p.gdtr = state.gdtr;
    p.loaded = loaded;
    known_ += !p.known;
    p.known = true;
    p.by_sysenter = p.by_sysexit = p.by_fs = nullptr;
    sysenter_cs_ = state.sysenter_cs;
    if (known_ > 1) connect();
}

void Crossings::drop() {
    if (known_ == 0) return;
    known_ = 0;
    for (Place& p : places_) {
        p.known = false;
        p.by_sysenter = p.by_sysexit = p.by_fs = nullptr;
    }
}

void Crossings::connect() {
    for (Place& p : places_) p.by_sysenter = p.by_sysexit = p.by_fs = nullptr;
    auto selector = static_cast<u16>(sysenter_cs_ & 0xFFFC);
    for (u32 fs : {0u, with_fs}) {
        Place &kernel = places_[fs], &program = places_[fs | user];
        bool alike = views_ && selector != 0 && plain(kernel) && same_but_for(kernel, program, {Seg::Cs, Seg::Ss});
        if (!alike || selector + 24 > 0xFFFF) continue;
        if (entered(kernel, selector)) program.by_sysenter = &kernel;
        if (kernel.cpl == 0 && returned_to(program, selector)) kernel.by_sysexit = &program;
    }
    Place &null = places_[0], &loaded = places_[with_fs];
    const Segment& fs = null.segment(Seg::Fs);
    bool truly_null = null_selector(fs.selector) && fs.access == 0 && fs.limit == 0 && fs.base == 0;
    if (truly_null && plain(null) && null.cpl == 0 && loaded.cpl == 0 && null.view == loaded.view &&
        same_but_for(null, loaded, {Seg::Fs}) &&
        loaded.loaded[static_cast<u8>(Seg::Fs)].selector != LoadedSegment::none) {
        null.by_fs = &loaded;
        loaded.by_fs = &null;
    }
}

const LoadedSegments& Crossings::loaded(u32 number) const {
    const Place* p = &places_[number];
    if (p->by_sysenter) p = p->by_sysenter;
    return p == &places_[0] && p->by_fs ? p->by_fs->loaded : p->loaded;
}

}  // namespace vellum
