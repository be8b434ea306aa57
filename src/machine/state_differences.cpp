// One walk over all registers, for both questions.
#include "machine/state_differences.hpp"

#include <fmt/format.h>

#include <cstring>

namespace vellum {

namespace {

constexpr int no_number = -1;

struct Name {
    const char* stem;
    int number = no_number;
    const char* part = "";

    std::string text() const {
        return number == no_number ? fmt::format("{}{}", stem, part) : fmt::format("{}{}{}", stem, number, part);
    }
};

u64 qword(const u8* at) {
    u64 value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

u16 word(const u8* at) {
    u16 value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

template <typename Visit>
void visit_segment(const char* stem, const Segment& a, const Segment& b, Visit& visit) {
    visit(Name{stem}, a.selector, b.selector);
    visit(Name{stem, no_number, " base"}, a.base, b.base);
    visit(Name{stem, no_number, " limit"}, a.limit, b.limit);
    visit(Name{stem, no_number, " access"}, a.access, b.access);
}

template <typename Visit>
void visit_fpu(const FxImage& a, const FxImage& b, Visit& visit) {
    visit(Name{"fpu control"}, a.control, b.control);
    visit(Name{"fpu status"}, a.status, b.status);
    visit(Name{"fpu tags"}, a.tags, b.tags);
    visit(Name{"fpu opcode"}, a.opcode, b.opcode);
    visit(Name{"fpu instruction"}, a.instruction_offset | u64{a.instruction_selector} << 32,
          b.instruction_offset | u64{b.instruction_selector} << 32);
    visit(Name{"fpu data"}, a.data_offset | u64{a.data_selector} << 32, b.data_offset | u64{b.data_selector} << 32);
    visit(Name{"mxcsr"}, a.mxcsr, b.mxcsr);
    for (int i = 0; i < 8; ++i) {
        // Bytes 10-15 of a register's slot are reserved.
        visit(Name{"st", i}, qword(a.st[i]), qword(b.st[i]));
        visit(Name{"st", i, " high"}, word(a.st[i] + 8), word(b.st[i] + 8));
        visit(Name{"xmm", i, "+0"}, qword(a.xmm[i]), qword(b.xmm[i]));
        visit(Name{"xmm", i, "+8"}, qword(a.xmm[i] + 8), qword(b.xmm[i] + 8));
    }
}

template <std::size_t N, typename Visit>
void visit_array(const char* stem, const u64 (&a)[N], const u64 (&b)[N], Visit& visit) {
    for (std::size_t i = 0; i < N; ++i) visit(Name{stem, static_cast<int>(i)}, a[i], b[i]);
}

template <typename Visit>
void visit_model_specific(const CpuState& a, const CpuState& b, Visit& visit) {
    visit(Name{"efer"}, a.efer, b.efer);
    visit(Name{"sysenter cs"}, a.sysenter_cs, b.sysenter_cs);
    visit(Name{"sysenter esp"}, a.sysenter_esp, b.sysenter_esp);
    visit(Name{"sysenter eip"}, a.sysenter_eip, b.sysenter_eip);
    visit(Name{"tsc offset"}, a.tsc_offset, b.tsc_offset);
    visit(Name{"pat"}, a.pat, b.pat);
    visit(Name{"misc enable"}, a.misc_enable, b.misc_enable);
    visit(Name{"mtrr default"}, a.mtrr_def_type, b.mtrr_def_type);
    visit_array("mtrr fixed ", a.mtrr_fixed, b.mtrr_fixed, visit);
    visit_array("mtrr variable ", a.mtrr_variable, b.mtrr_variable, visit);
}

// visit(Name, first, other) for every register, the most telling ones first.
template <typename Visit>
void visit_registers(const CpuState& a, const CpuState& b, Visit visit) {
    constexpr const char* registers[8] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    constexpr const char* segments[6] = {"es", "cs", "ss", "ds", "fs", "gs"};
    for (int i = 0; i < 8; ++i) visit(Name{registers[i]}, a.gpr[i], b.gpr[i]);
    visit(Name{"eip"}, a.eip, b.eip);
    visit(Name{"eflags"}, a.eflags, b.eflags);
    visit(Name{"instructions"}, a.instructions, b.instructions);
    for (int i = 0; i < 6; ++i) visit_segment(segments[i], a.seg[i], b.seg[i], visit);
    visit_segment("ldtr", a.ldtr, b.ldtr, visit);
    visit_segment("tr", a.tr, b.tr, visit);
    visit(Name{"cr0"}, a.cr0, b.cr0);
    visit(Name{"cr2"}, a.cr2, b.cr2);
    visit(Name{"cr3"}, a.cr3, b.cr3);
    visit(Name{"cr4"}, a.cr4, b.cr4);
    visit_array("pdpte", a.pdpte, b.pdpte, visit);
    visit(Name{"cpl"}, a.cpl, b.cpl);
    visit(Name{"activity"}, static_cast<u8>(a.activity), static_cast<u8>(b.activity));
    visit(Name{"shadow"}, static_cast<u8>(a.shadow), static_cast<u8>(b.shadow));
    visit(Name{"nmi blocked"}, a.nmi_blocked, b.nmi_blocked);
    visit(Name{"debug traps"}, a.debug_traps, b.debug_traps);
    visit(Name{"a20 mask"}, a.a20_mask, b.a20_mask);
    visit(Name{"gdtr"}, a.gdtr.base, b.gdtr.base);
    visit(Name{"gdtr limit"}, a.gdtr.limit, b.gdtr.limit);
    visit(Name{"idtr"}, a.idtr.base, b.idtr.base);
    visit(Name{"idtr limit"}, a.idtr.limit, b.idtr.limit);
    visit_array("dr", a.dr, b.dr, visit);
    visit_model_specific(a, b, visit);
    visit_fpu(a.fpu, b.fpu, visit);
}

}  // namespace

bool same_registers(const CpuState& first, const CpuState& other) {
    u64 difference = 0;  // without branches: it is asked very often
    visit_registers(first, other, [&](const Name&, u64 a, u64 b) { difference |= a ^ b; });
    return difference == 0;
}

std::string describe_differences(const CpuState& first, const CpuState& other) {
    if (same_registers(first, other)) return {};
    std::string text;
    visit_registers(first, other, [&](const Name& name, u64 a, u64 b) {
        bool always = name.number == no_number && *name.part == 0;
        if (a == b && !always) return;
        text += fmt::format("{} {:<16} {:016x}  {:016x}\n", a != b ? '*' : ' ', name.text(), a, b);
    });
    return text;
}

}  // namespace vellum
