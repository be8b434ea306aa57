// One table: name, size, type, and where the value lives.
#include "machine/gdb_registers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "cpu/fpu.hpp"
#include "cpu/segments.hpp"

namespace vellum {

namespace {

enum class Where : u8 { Gpr, Eip, Eflags, Segment, St, FpuWord, Xmm, Mxcsr, Control };

struct Row {
    const char* name;
    u8 bits;
    const char* type;
    Where where;
    u8 index;
};

// In the order that the FPU registers have in GDB.
enum FpuWord : u8 { Fctrl, Fstat, Ftag, Fiseg, Fioff, Foseg, Fooff, Fop };
enum Control : u8 { Cr0, Cr2, Cr3, Cr4, Efer };

constexpr std::array core = {
    Row{"eax", 32, "int32", Where::Gpr, 0},         Row{"ecx", 32, "int32", Where::Gpr, 1},
    Row{"edx", 32, "int32", Where::Gpr, 2},         Row{"ebx", 32, "int32", Where::Gpr, 3},
    Row{"esp", 32, "data_ptr", Where::Gpr, 4},      Row{"ebp", 32, "data_ptr", Where::Gpr, 5},
    Row{"esi", 32, "int32", Where::Gpr, 6},         Row{"edi", 32, "int32", Where::Gpr, 7},
    Row{"eip", 32, "code_ptr", Where::Eip, 0},      Row{"eflags", 32, "eflags_bits", Where::Eflags, 0},
    Row{"cs", 32, "int32", Where::Segment, 1},      Row{"ss", 32, "int32", Where::Segment, 2},
    Row{"ds", 32, "int32", Where::Segment, 3},      Row{"es", 32, "int32", Where::Segment, 0},
    Row{"fs", 32, "int32", Where::Segment, 4},      Row{"gs", 32, "int32", Where::Segment, 5},
    Row{"st0", 80, "i387_ext", Where::St, 0},       Row{"st1", 80, "i387_ext", Where::St, 1},
    Row{"st2", 80, "i387_ext", Where::St, 2},       Row{"st3", 80, "i387_ext", Where::St, 3},
    Row{"st4", 80, "i387_ext", Where::St, 4},       Row{"st5", 80, "i387_ext", Where::St, 5},
    Row{"st6", 80, "i387_ext", Where::St, 6},       Row{"st7", 80, "i387_ext", Where::St, 7},
    Row{"fctrl", 32, "int", Where::FpuWord, Fctrl}, Row{"fstat", 32, "int", Where::FpuWord, Fstat},
    Row{"ftag", 32, "int", Where::FpuWord, Ftag},   Row{"fiseg", 32, "int", Where::FpuWord, Fiseg},
    Row{"fioff", 32, "int", Where::FpuWord, Fioff}, Row{"foseg", 32, "int", Where::FpuWord, Foseg},
    Row{"fooff", 32, "int", Where::FpuWord, Fooff}, Row{"fop", 32, "int", Where::FpuWord, Fop},
};
constexpr std::array sse = {
    Row{"xmm0", 128, "xmm_views", Where::Xmm, 0},    Row{"xmm1", 128, "xmm_views", Where::Xmm, 1},
    Row{"xmm2", 128, "xmm_views", Where::Xmm, 2},    Row{"xmm3", 128, "xmm_views", Where::Xmm, 3},
    Row{"xmm4", 128, "xmm_views", Where::Xmm, 4},    Row{"xmm5", 128, "xmm_views", Where::Xmm, 5},
    Row{"xmm6", 128, "xmm_views", Where::Xmm, 6},    Row{"xmm7", 128, "xmm_views", Where::Xmm, 7},
    Row{"mxcsr", 32, "mxcsr_bits", Where::Mxcsr, 0},
};
constexpr std::array control = {
    Row{"cr0", 32, "int32", Where::Control, Cr0},   Row{"cr2", 32, "int32", Where::Control, Cr2},
    Row{"cr3", 32, "int32", Where::Control, Cr3},   Row{"cr4", 32, "int32", Where::Control, Cr4},
    Row{"efer", 32, "int32", Where::Control, Efer},
};
constexpr std::size_t count = core.size() + sse.size() + control.size();

const Row& row(std::size_t number) {
    if (number < core.size()) return core[number];
    number -= core.size();
    return number < sse.size() ? sse[number] : control[number - sse.size()];
}

struct Bit {
    const char* name;
    u8 low, high;
};
constexpr std::array eflags_bits = {
    Bit{"CF", 0, 0},   Bit{"", 1, 1},     Bit{"PF", 2, 2},    Bit{"AF", 4, 4},    Bit{"ZF", 6, 6},   Bit{"SF", 7, 7},
    Bit{"TF", 8, 8},   Bit{"IF", 9, 9},   Bit{"DF", 10, 10},  Bit{"OF", 11, 11},  Bit{"NT", 14, 14}, Bit{"RF", 16, 16},
    Bit{"VM", 17, 17}, Bit{"AC", 18, 18}, Bit{"VIF", 19, 19}, Bit{"VIP", 20, 20}, Bit{"ID", 21, 21},
};
constexpr std::array mxcsr_bits = {
    Bit{"IE", 0, 0},   Bit{"DE", 1, 1},   Bit{"ZE", 2, 2},   Bit{"OE", 3, 3},   Bit{"UE", 4, 4},
    Bit{"PE", 5, 5},   Bit{"DAZ", 6, 6},  Bit{"IM", 7, 7},   Bit{"DM", 8, 8},   Bit{"ZM", 9, 9},
    Bit{"OM", 10, 10}, Bit{"UM", 11, 11}, Bit{"PM", 12, 12}, Bit{"FZ", 15, 15},
};
struct View {
    const char *field, *name, *element;
    u8 elements;
};
constexpr std::array xmm_views = {
    View{"v4_float", "four_floats", "ieee_single", 4}, View{"v2_double", "two_doubles", "ieee_double", 2},
    View{"v16_int8", "sixteen_int8", "int8", 16},      View{"v8_int16", "eight_int16", "int16", 8},
    View{"v4_int32", "four_int32", "int32", 4},        View{"v2_int64", "two_int64", "int64", 2},
};

template <typename Bits>
std::string flags_type(const char* id, const Bits& bits) {
    std::string text = fmt::format("<flags id=\"{}\" size=\"4\">", id);
    for (const Bit& b : bits)
        text += fmt::format("<field name=\"{}\" start=\"{}\" end=\"{}\"/>", b.name, b.low, b.high);
    return text + "</flags>";
}

std::string xmm_type() {
    std::string vectors, fields;
    for (const View& v : xmm_views) {
        vectors += fmt::format("<vector id=\"{}\" type=\"{}\" count=\"{}\"/>", v.name, v.element, v.elements);
        fields += fmt::format("<field name=\"{}\" type=\"{}\"/>", v.field, v.name);
    }
    return vectors + "<union id=\"xmm_views\">" + fields + "<field name=\"uint128\" type=\"uint128\"/></union>";
}

template <typename Rows>
std::string feature(const char* name, const std::string& types, const Rows& rows) {
    std::string text = fmt::format("<feature name=\"{}\">{}", name, types);
    for (const Row& r : rows) {
        const char* group = r.where == Where::FpuWord                          ? " group=\"float\""
                            : r.where == Where::Xmm || r.where == Where::Mxcsr ? " group=\"vector\""
                            : r.where == Where::Control                        ? " group=\"system\" save-restore=\"no\""
                                                                               : "";
        text += fmt::format("<reg name=\"{}\" bitsize=\"{}\" type=\"{}\"{}/>", r.name, r.bits, r.type, group);
    }
    return text + "</feature>";
}

// Two words are not named as the manual does: FIOFF is the instruction pointer, FOOFF the operand pointer.
u32 fpu_word(const FxImage& fpu, u8 index) {
    switch (index) {
        case Fctrl: return fpu.control;
        case Fstat: return fpu.status;
        case Ftag: return x87::tag_word(fpu);
        case Fiseg: return fpu.instruction_selector;
        case Fioff: return fpu.instruction_offset;
        case Foseg: return fpu.data_selector;
        case Fooff: return fpu.data_offset;
        default: return fpu.opcode;
    }
}

void set_fpu_word(FxImage& fpu, u8 index, u32 value) {
    x87::Pointers pointers = x87::pointers(fpu);
    switch (index) {
        case Fctrl: fpu.control = x87::control_word(static_cast<u16>(value)); break;
        case Fstat: fpu.status = static_cast<u16>(value); break;
        case Ftag: x87::set_tag_word(fpu, static_cast<u16>(value)); break;
        case Fiseg: pointers.instruction_selector = static_cast<u16>(value); break;
        case Fioff: pointers.instruction_offset = value; break;
        case Foseg: pointers.data_selector = static_cast<u16>(value); break;
        case Fooff: pointers.data_offset = value; break;
        default: pointers.opcode = static_cast<u16>(value);
    }
    x87::set_pointers(fpu, pointers);
    x87::update_summary(fpu);
}

u32 control_value(const CpuState& s, u8 index) {
    constexpr u64 CpuState::*registers[] = {&CpuState::cr0, &CpuState::cr2, &CpuState::cr3, &CpuState::cr4,
                                            &CpuState::efer};
    return static_cast<u32>(s.*registers[index]);
}

u32 word(const CpuState& s, const Row& r) {
    switch (r.where) {
        case Where::Gpr: return static_cast<u32>(s.gpr[r.index]);
        case Where::Eip: return static_cast<u32>(s.eip);
        case Where::Eflags: return s.eflags;
        case Where::Segment: return s.seg[r.index].selector;
        case Where::FpuWord: return fpu_word(s.fpu, r.index);
        case Where::Mxcsr: return s.fpu.mxcsr;
        case Where::Control: return control_value(s, r.index);
        case Where::St:
        case Where::Xmm: break;
    }
    return 0;
}

// CS and SS carry the privilege level; SS in protected mode could be loaded, but nobody wants to.
bool set_segment(Cpu& cpu, Seg segment, u32 value) {
    CpuState& s = cpu.state;
    auto selector = static_cast<u16>(value);
    if (selector == s.segment(segment).selector) return true;
    if (s.v86()) return set_v86_segment(s, segment, selector), true;
    if (!s.protected_mode()) return set_real_mode_segment(s, segment, selector), true;
    if (segment == Seg::Cs || segment == Seg::Ss) return false;
    return !load_segment(cpu, segment, selector);
}

void set_eflags(CpuState& s, u32 value) {
    constexpr u32 changeable = eflags::arithmetic | eflags::tf | eflags::if_ | eflags::df | eflags::iopl | eflags::nt |
                               eflags::rf | eflags::ac | eflags::id;
    s.eflags = (s.eflags & ~changeable) | (value & changeable);
}

// Somebody who says where to go on wants that, HLT or not.
void set_eip(CpuState& s, u32 value) {
    if (s.eip == value) return;
    s.eip = value;
    s.shadow = Shadow::None;
    if (s.activity == Activity::Halted) s.activity = Activity::Running;
}

bool set_word(Cpu& cpu, const Row& r, u32 value) {
    CpuState& s = cpu.state;
    switch (r.where) {
        case Where::Gpr: s.gpr[r.index] = value; return true;
        case Where::Eip: return set_eip(s, value), true;
        case Where::Eflags: return set_eflags(s, value), true;
        case Where::Segment: return set_segment(cpu, static_cast<Seg>(r.index), value);
        case Where::FpuWord: return set_fpu_word(s.fpu, r.index, value), true;
        case Where::Mxcsr: s.fpu.mxcsr = value & s.fpu.mxcsr_mask; return true;
        case Where::Control: return value == control_value(s, r.index);
        case Where::St:
        case Where::Xmm: break;
    }
    return false;
}

u8* bytes_of(CpuState& s, const Row& r) {
    if (r.where == Where::St) return s.fpu.st[r.index];
    if (r.where == Where::Xmm) return s.fpu.xmm[r.index];
    return nullptr;
}

}  // namespace

std::size_t gdb_register_count() { return count; }

std::string gdb_target_description() {
    return "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\">"
           "<architecture>i386</architecture>" +
           feature("org.gnu.gdb.i386.core", flags_type("eflags_bits", eflags_bits), core) +
           feature("org.gnu.gdb.i386.sse", xmm_type() + flags_type("mxcsr_bits", mxcsr_bits), sse) +
           feature("vellum.i386.control", "", control) + "</target>";
}

std::optional<std::vector<u8>> read_gdb_register(const Cpu& cpu, std::size_t number) {
    if (number >= count) return std::nullopt;
    const Row& r = row(number);
    std::vector<u8> bytes(r.bits / 8u);
    if (const u8* from = bytes_of(cpu.state, r)) {
        std::copy_n(from, bytes.size(), bytes.begin());
    } else {
        u32 value = word(cpu.state, r);
        std::memcpy(bytes.data(), &value, sizeof value);
    }
    return bytes;
}

std::vector<u8> read_gdb_registers(const Cpu& cpu) {
    std::vector<u8> all;
    for (std::size_t i = 0; i < count; ++i) {
        auto one = *read_gdb_register(cpu, i);
        all.insert(all.end(), one.begin(), one.end());
    }
    return all;
}

bool write_gdb_register(Cpu& cpu, std::size_t number, std::span<const u8> bytes) {
    if (number >= count || bytes.size() != row(number).bits / 8u) return false;
    const Row& r = row(number);
    if (u8* to = bytes_of(cpu.state, r)) {
        std::copy(bytes.begin(), bytes.end(), to);
        return true;
    }
    u32 value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return set_word(cpu, r, value);
}

bool write_gdb_registers(Cpu& cpu, std::span<const u8> bytes) {
    for (std::size_t i = 0; i < count; ++i) {
        auto now = *read_gdb_register(cpu, i);
        if (bytes.size() < now.size()) return false;
        auto wanted = bytes.first(now.size());
        bytes = bytes.subspan(now.size());
        if (std::equal(now.begin(), now.end(), wanted.begin())) continue;
        if (!write_gdb_register(cpu, i, wanted)) return false;
    }
    return bytes.empty();
}

}  // namespace vellum
