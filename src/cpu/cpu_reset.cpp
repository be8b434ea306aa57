// The processor after power-on and RESET# (SDM 3A table 9-1), and its part of a snapshot.
#include "base/archive.hpp"
#include "cpu/state.hpp"

namespace vellum {

void reset(CpuState& state) {
    CpuState fresh;
    fresh.poll = state.poll;
    fresh.attention = state.attention;
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
    state = fresh;
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

// What generated code and the interpreter take for granted, a file may not promise.
bool plausible(const CpuState& state) {
    bool wide = false;
    for (u64 gpr : state.gpr) wide |= gpr >> 32 != 0;
    bool activity = state.activity <= Activity::Shutdown, shadow = state.shadow <= Shadow::MovSs;
    return !wide && state.eip >> 32 == 0 && state.cpl <= 3 && activity && shadow && state.eflags & eflags::fixed &&
           !(state.fpu.mxcsr & 0xFFFF0000) && !(state.cr0 & cr0::pg && !(state.cr0 & cr0::pe));
}

}  // namespace

void serialize(CpuState& state, Archive& archive) {
    archive.section("cpu", 1);
    archive(state.gpr, state.eip, state.eflags, state.instructions);
    archive(state.cpl, state.activity, state.shadow);
    u8 nmi_blocked = state.nmi_blocked;
    archive(nmi_blocked);
    if (archive.loading()) state.nmi_blocked = nmi_blocked != 0;
    archive(state.cr0, state.cr2, state.cr3, state.cr4, state.efer, state.pdpte, state.a20_mask);
    for (Segment& segment : state.seg) serialize(segment, archive);
    serialize(state.ldtr, archive);
    serialize(state.tr, archive);
    archive(state.gdtr.base, state.gdtr.limit, state.idtr.base, state.idtr.limit, state.dr);
    archive(state.sysenter_cs, state.sysenter_esp, state.sysenter_eip, state.tsc_offset, state.pat, state.misc_enable,
            state.mtrr_def_type, state.mtrr_fixed, state.mtrr_variable);
    serialize(state.fpu, archive);
    if (archive.loading() && !plausible(state)) archive.refuse();
}

}  // namespace vellum
