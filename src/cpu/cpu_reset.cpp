// The processor after power-on and RESET# (SDM 3A table 9-1), and its part of a snapshot.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>

#include "base/archive.hpp"
#include "cpu/breakpoints.hpp"
#include "cpu/fpu.hpp"

namespace vellum {

namespace {

// Other threads ask for attention at any time: what they write is never written here, not even with what it held.
void take_all_but_attention(CpuState& state, const CpuState& fresh) {
    constexpr std::size_t first = offsetof(CpuState, poll);
    constexpr std::size_t end = offsetof(CpuState, attention) + sizeof CpuState::attention;
    static_assert(end == first + sizeof CpuState::poll + sizeof CpuState::attention);
    auto bytes = [](auto& s, std::size_t at) { return reinterpret_cast<const u8*>(&s) + at; };
    auto* to = reinterpret_cast<u8*>(&state);
    std::memcpy(to, bytes(fresh, 0), first);
    std::memcpy(to + end, bytes(fresh, end), sizeof(CpuState) - end);
}

}  // namespace

void reset(CpuState& state) {
    CpuState fresh;
    fresh.instructions = state.instructions;
    fresh.instruction_limit = state.instruction_limit;
    // CS too is "present, read/write, accessed": real mode writes through it.
    constexpr u16 read_write = 0x93, ldt = 0x82, tss_busy = 0x8B;
    for (Segment& segment : fresh.seg) segment = {0, read_write, 0xFFFF, 0};
    fresh.segment(Seg::Cs) = {0xF000, read_write, 0xFFFF, 0xFFFF0000};
    fresh.ldtr = {0, ldt, 0xFFFF, 0};
    fresh.tr = {0, tss_busy, 0xFFFF, 0};
    fresh.reg(Reg::Edx) = 0x000106CA;  // family 6, model 28, stepping 10, as CPUID leaf 1 says
    // RESET# leaves the x87 as FNINIT does not: control 40h, tags 55h, which is "all registers hold zero".
    fresh.fpu.control = 0x40;
    fresh.fpu.tags = 0xFF;
    take_all_but_attention(state, fresh);
}

namespace {

void serialize(Segment& segment, Archive& archive) {
    archive(segment.selector, segment.access, segment.limit, segment.base);
}

void serialize(FxImage& fpu, Archive& archive) {
    archive(fpu.control, fpu.status, fpu.tags, fpu.opcode, fpu.instruction_offset, fpu.instruction_selector,
            fpu.data_offset, fpu.data_selector, fpu.mxcsr);
    for (auto& st : fpu.st) archive(st);
    for (auto& xmm : fpu.xmm) archive(xmm);
}

// A file can hold what the FPU cannot: it would last until an engine takes the FPU's state back from the host.
void forget_what_no_register_holds(FxImage& fpu) {
    constexpr std::size_t register_bytes = 10;
    fpu.control = x87::control_word(fpu.control);
    x87::update_summary(fpu);
    x87::set_pointers(fpu, x87::pointers(fpu));
    for (auto& st : fpu.st) std::fill(std::begin(st) + register_bytes, std::end(st), u8{0});
}

// What generated code and the interpreter take for granted, a file may not promise.
bool plausible(const CpuState& state) {
    bool wide = false;
    for (u64 gpr : state.gpr) wide |= gpr >> 32 != 0;
    for (u64 value : {state.eip, state.cr0, state.cr2, state.cr3, state.cr4, state.gdtr.base, state.idtr.base})
        wide |= value >> 32 != 0;
    for (u64 value : state.dr) wide |= value >> 32 != 0;
    constexpr u16 no_access_bits = 0x0F00;
    auto sound = [](const Segment& s) { return s.base >> 32 == 0 && !(s.access & no_access_bits); };
    bool segments =
        std::all_of(std::begin(state.seg), std::end(state.seg), sound) && sound(state.ldtr) && sound(state.tr);
    constexpr u32 no_flags = ~(eflags::arithmetic | eflags::fixed | eflags::tf | eflags::if_ | eflags::df |
                               eflags::iopl | eflags::nt | eflags::rf | eflags::vm | eflags::ac | eflags::id);
    bool flags = state.eflags & eflags::fixed && !(state.eflags & no_flags);
    bool privilege = !state.protected_mode() ? state.cpl == 0 && !state.v86()
                     : state.v86()           ? state.cpl == 3
                                             : state.cpl <= 3;
    bool activity = state.activity <= Activity::Shutdown, shadow = state.shadow <= Shadow::MovSs;
    bool control = !(state.paging() && !state.protected_mode()) && !(state.efer & ~efer::nxe);
    bool a20 = state.a20_mask == ~u64{0} || state.a20_mask == ~(u64{1} << 20);
    bool traps = !(state.debug_traps & ~dr6::writable);
    return !wide && traps && segments && flags && privilege && activity && shadow && control && a20 &&
           !(state.fpu.mxcsr & 0xFFFF0000);
}

}  // namespace

void serialize(CpuState& state, Archive& archive) {
    archive.section("cpu", 2);
    archive(state.gpr, state.eip, state.eflags, state.instructions);
    archive(state.cpl, state.activity, state.shadow);
    u8 nmi_blocked = state.nmi_blocked;
    archive(nmi_blocked, state.debug_traps);
    if (archive.loading()) state.nmi_blocked = nmi_blocked != 0;
    archive(state.cr0, state.cr2, state.cr3, state.cr4, state.efer, state.pdpte, state.a20_mask);
    for (Segment& segment : state.seg) serialize(segment, archive);
    serialize(state.ldtr, archive);
    serialize(state.tr, archive);
    archive(state.gdtr.base, state.gdtr.limit, state.idtr.base, state.idtr.limit, state.dr);
    archive(state.sysenter_cs, state.sysenter_esp, state.sysenter_eip, state.tsc_offset, state.pat, state.misc_enable,
            state.mtrr_def_type, state.mtrr_fixed, state.mtrr_variable);
    serialize(state.fpu, archive);
    if (!archive.loading()) return;
    forget_what_no_register_holds(state.fpu);
    if (!plausible(state)) archive.refuse();
}

}  // namespace vellum
