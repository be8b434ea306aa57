// The rules of the hardware oracle, each with its reason; docs/decisions/hardware-oracle.md lists them.
#include "oracle/piece_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "cpu/memory_access.hpp"
#include "cpu/random_piece.hpp"

namespace vellum::test {

namespace {

using L = OracleLayout;

#ifdef VELLUM_SANITIZED
constexpr u64 top = 0x100000000;  // the sanitizer has its own use for the pages below 4 GiB
#else
constexpr u64 top = 0xFFFFFF00;
#endif
constexpr u32 last_whole = 0xFFFFFFF0;  // where the largest operands end with 4 GiB

constexpr const char* register_names[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};

// The linear address of the last so many bytes that were pushed.
u32 stack_below(const Cpu& cpu, u32 bytes) {
    const Segment& stack = cpu.state.segment(Seg::Ss);
    u32 offset = static_cast<u32>(cpu.state.gpr[4]) - bytes;
    return static_cast<u32>(stack.base + (stack.big() ? offset : offset & 0xFFFF));
}

bool is_of_memory(const OracleEnd& end) {
    return end.vector == vector::ss || end.vector == vector::gp || end.vector == vector::pf || end.vector == vector::ac;
}

// How far from its address BT and the like access their operand.
u32 bit_string_distance(const Cpu& cpu, const Instruction& in) {
    bool bit_string = in.opcode_map == 1 && (in.opcode & 0xE7) == 0xA3;
    if (!bit_string) return 0;
    if (in.operand_size == 4) return static_cast<u32>(static_cast<i32>(cpu.get32(in.op[1].reg)) >> 5 << 2);
    return static_cast<u32>(static_cast<i16>(cpu.get16(in.op[1].reg)) >> 4 << 1);
}

bool memory_is_near(const Cpu& cpu, const Instruction& in) {
    u32 address = cpu.effective_address(in);
    if (!is_near(address + bit_string_distance(cpu, in))) return false;
    // The words of an m80 or of an environment fault one by one: which exception is first is the processor's affair.
    bool by_words = in.op[0].size > 8 && in.op[0].size != 16;
    return is_near(address) && !(by_words && address >= top);
}

}  // namespace

bool is_near(u32 address) {
    constexpr u32 margin = 2048;
    for (auto [first, bytes] : {std::pair{L::data, L::data_bytes + L::read_only_bytes},
                                std::pair{L::stack, L::stack_bytes}, std::pair{L::code, L::code_bytes}})
        if (address >= first - margin && address < first + bytes + margin) return true;
    // An operand over the end of 4 GiB goes on at the other end here, as by Intel's processors; AMD's raise #GP (SDM 3A
    // 5.3). Neither is run: what lies at the other end is not the piece's.
    bool over_the_end = address > last_whole;
    return address < 0xF000 || (address >= top && !over_the_end);
}

bool stays_near(const Cpu& cpu, const Instruction& in) {
    // A conditional branch as the last instruction of a segment faults here even when it is taken.
    if (in.op[0].kind == Operand::Kind::Relative && cpu.state.eip + in.length > cpu.state.segment(Seg::Cs).limit)
        return false;
    bool flat_data = cpu.state.segment(Seg::Ds).flat(), flat_stack = cpu.state.segment(Seg::Ss).flat();
    auto flat = [&](Seg s) { return cpu.state.segment(s).flat(); };
    auto reg = [&](Reg r) { return static_cast<u32>(cpu.state.gpr[static_cast<u8>(r)]); };
    if (in.has_memory && flat(in.memory.segment) && !memory_is_near(cpu, in)) return false;
    bool wide = in.address_size == 4;
    bool masked = in.mnemonic == ZYDIS_MNEMONIC_MASKMOVQ || in.mnemonic == ZYDIS_MNEMONIC_MASKMOVDQU;
    // A masked store's operand goes on at the other end, as those of an m80: of 4 GiB, and of 64 KiB, by halves.
    if (masked && (wide ? reg(Reg::Edi) >= top : (reg(Reg::Edi) & 0xFFFF) > (last_whole & 0xFFFF))) return false;
    bool strings = in.row->translation == TranslationClass::String || masked;
    bool flat_strings = flat_data || flat(in.string_segment());
    if (strings && wide && flat_strings && !(is_near(reg(Reg::Esi)) && is_near(reg(Reg::Edi)))) return false;
    if (in.mnemonic == ZYDIS_MNEMONIC_XLAT && wide && flat(in.string_segment()) && !is_near(reg(Reg::Ebx)))
        return false;
    bool uses_stack = in.row->translation != TranslationClass::Ident && !strings;
    if (!flat_stack || !uses_stack) return true;
    bool frame = in.mnemonic == ZYDIS_MNEMONIC_ENTER || in.mnemonic == ZYDIS_MNEMONIC_LEAVE;
    constexpr u32 most_pushed = 256;
    bool down_to_the_end = reg(Reg::Esp) < most_pushed || (frame && reg(Reg::Ebp) < most_pushed);
    if (down_to_the_end) return false;
    return is_near(reg(Reg::Esp)) && (!frame || (is_near(reg(Reg::Ebp)) && is_near(reg(Reg::Ebp) - 128)));
}

bool is_misaligned_sha(const Cpu& cpu, const Instruction& in) {
    bool of_map2 = in.opcode_map == 2 && in.opcode >= 0xC8 && in.opcode <= 0xCD;
    bool sha = of_map2 || in.mnemonic == ZYDIS_MNEMONIC_SHA1RNDS4;
    return sha && in.has_memory && (cpu.state.segment(in.memory.segment).base + cpu.effective_address(in)) % 16 != 0;
}

bool locks_two_lines(const Cpu& cpu, const Instruction& in) {
    constexpr u64 line = 64;
    bool locks = in.has_memory && (in.lock || in.mnemonic == ZYDIS_MNEMONIC_XCHG);
    if (!locks) return false;
    u64 first = cpu.state.segment(in.memory.segment).base + cpu.effective_address(in) + bit_string_distance(cpu, in);
    return std::any_of(in.op.begin(), in.op.end(), [first](const Operand& o) {
        return o.kind == Operand::Kind::Memory && first % line + o.size > line;
    });
}

void Tolerance::executes(const Cpu& cpu, const Instruction& in) {
    flags_before = flags;
    // The order in which the bytes of an image are read is the processor's own affair. (AMD's begin FXRSTOR with the
    // last one.)
    bool image = in.mnemonic == ZYDIS_MNEMONIC_FLDENV || in.mnemonic == ZYDIS_MNEMONIC_FRSTOR ||
                 in.mnemonic == ZYDIS_MNEMONIC_FXRSTOR;
    // So it is whether CALL looks at its target or at the stack first; here it does as the manual's pseudocode.
    order_of_faults = in.mnemonic == ZYDIS_MNEMONIC_CALL;
    // Intel's have written the return address by then.
    pushed_bytes = order_of_faults && !host_is_amds() ? in.operand_size : 0;
    pushed_at = stack_below(cpu, pushed_bytes);
    // The flags after a fault are those of the iteration before (AMD's, ours), or from before all of them (Intel's).
    bool compares = in.opcode_map == 0 && ((in.opcode & 0xFE) == 0xA6 || (in.opcode & 0xFE) == 0xAE);
    flags_vary_at_fault = compares && (in.rep || in.repne) && !host_is_amds();
    // And which operand of CMPS is read first: Intel's processors begin with the source, AMD's with the destination.
    order_of_reads = in.opcode_map == 0 && (in.opcode & 0xFE) == 0xA6;
    // Intel's compare with the lower bound before they read the upper one.
    bound_by_bound = in.mnemonic == ZYDIS_MNEMONIC_BOUND && !host_is_amds();
    // Intel's check the limit for four bytes of an image before its alignment, where one is checked here.
    bool saved = in.mnemonic == ZYDIS_MNEMONIC_FXSAVE || in.mnemonic == ZYDIS_MNEMONIC_FXRSTOR;
    limit_by_words = saved && !host_is_amds();
    // Intel's tell where the half of a masked store's operand begins that has a byte to be written.
    bool masked = in.mnemonic == ZYDIS_MNEMONIC_MASKMOVQ || in.mnemonic == ZYDIS_MNEMONIC_MASKMOVDQU;
    stores_by_halves = masked && !host_is_amds();
    image_bytes = image ? 512 : stores_by_halves ? 16 : 0;
    auto wide = [](const Operand& o) { return o.kind == Operand::Kind::Memory && o.size >= 16; };
    alignment_may_vary = masked || std::any_of(in.op.begin(), in.op.end(), wide);
    dot_product |= in.mnemonic == ZYDIS_MNEMONIC_DPPS || in.mnemonic == ZYDIS_MNEMONIC_DPPD;
    if (leaves_flags_of_its_own(in.mnemonic)) flags = in.flags_undefined;
    if (shifts_by_count(in) && !host_is_amds())
        flags |= eflags::of;
    else if (in.flags_written & ~in.flags_undefined & eflags::of && !in.rep && !in.repne)
        flags &= ~eflags::of;
}

bool Tolerance::hides(const Instruction& in) const {
    bool pushes_flags = in.mnemonic == ZYDIS_MNEMONIC_PUSHF || in.mnemonic == ZYDIS_MNEMONIC_PUSHFD;
    return flags & eflags::of && (in.flags_read & eflags::of || pushes_flags || in.mnemonic == ZYDIS_MNEMONIC_INTO);
}

void Tolerance::ends(const OracleEnd& ours) {
    if (ours.vector != vector::bp) flags |= flags_before;  // the last instruction has not written any
    if (ours.vector != vector::gp) pushed_bytes = 0;
    if (flags_vary_at_fault && is_of_memory(ours)) flags |= eflags::arithmetic;
}

bool Tolerance::other_fault(const OracleEnd& ours, const OracleEnd& real) const {
    if (order_of_faults) return ours.vector == vector::gp && real.vector != vector::gp;
    if (bound_by_bound && real.vector == vector::br) return is_of_memory(ours);
    if (limit_by_words && real.vector == vector::ss) return ours.vector == vector::gp;
    return order_of_reads && is_of_memory(ours) && is_of_memory(real);
}

bool Tolerance::alignment_varies(const OracleEnd& ours, const OracleEnd& real) const {
    return alignment_may_vary && ours.vector == vector::ac && real.vector != vector::ac;
}

// Beside an unmasked overflow or underflow the precision flag tells whether a result with unlimited exponent would
// have been exact, which the masked form of the instruction does not show; nor does it show that DPPS ends before its
// sums.
u32 Tolerance::mxcsr(const OracleState& real) const {
    u32 unmasked = real.fpu.mxcsr & ~(real.fpu.mxcsr >> 7) & 0x3F;
    if (unmasked && dot_product) return 0x3F;
    return unmasked & 0x18 ? 0x20 : 0;
}

bool leaves_half_done(const Instruction& in) {
    return in.mnemonic == ZYDIS_MNEMONIC_POPA || in.mnemonic == ZYDIS_MNEMONIC_POPAD;
}

std::string hex(std::span<const u8> bytes) { return fmt::format("{:02x}", fmt::join(bytes, " ")); }

void compare(std::vector<std::string>& differences, std::string_view what, u64 ours, u64 real) {
    if (ours != real) differences.push_back(fmt::format("{} {:x} should be {:x}", what, ours, real));
}

void compare_bytes(std::vector<std::string>& differences, std::string_view what, std::span<const u8> ours,
                   std::span<const u8> real, u64 first) {
    if (std::memcmp(ours.data(), real.data(), ours.size()) == 0) return;
    auto [a, b] = std::mismatch(ours.begin(), ours.end(), real.begin());
    auto at = static_cast<std::size_t>(a - ours.begin()) & ~std::size_t{7};
    auto length = std::min<std::size_t>(16, ours.size() - at);
    differences.push_back(fmt::format("{}+{:x} {} should be {}", what, first + at, hex(ours.subspan(at, length)),
                                      hex(real.subspan(at, length))));
}

void compare_end(std::vector<std::string>& differences, const OracleEnd& ours, const OracleEnd& real,
                 const Tolerance& ignored) {
    if (ignored.other_fault(ours, real)) return;
    compare(differences, "vector", ours.vector, real.vector);
    constexpr u32 fetch = 16;  // told by processors with NX, which the guest's has not
    u32 left_open = fetch;
    if (ignored.stores_by_halves) left_open |= 1;  // one page is missing, the other one read-only
    if (real.vector == vector::pf || real.vector == vector::gp || real.vector == vector::ss)
        compare(differences, "error code", ours.error_code & ~left_open, real.error_code & ~left_open);
    u32 apart = std::max(ours.cr2, real.cr2) - std::min(ours.cr2, real.cr2);
    if (real.vector == vector::pf && apart >= std::max(ignored.image_bytes, 1u))
        compare(differences, "cr2", ours.cr2, real.cr2);
}

void compare_state(std::vector<std::string>& differences, const OracleState& ours, const OracleState& real,
                   const Tolerance& ignored) {
    for (u32 i = 0; i < 8; ++i) compare(differences, register_names[i], ours.gpr[i], real.gpr[i]);
    compare(differences, "eip", ours.eip, real.eip);
    compare(differences, "eflags", ours.eflags & ~ignored.flags, real.eflags & ~ignored.flags);
    compare(differences, "control", ours.fpu.control, real.fpu.control);
    compare(differences, "status", ours.fpu.status, real.fpu.status);
    compare(differences, "tags", ours.fpu.tags, real.fpu.tags);
    compare(differences, "mxcsr", ours.fpu.mxcsr & ~ignored.mxcsr(real), real.fpu.mxcsr & ~ignored.mxcsr(real));
    if (std::memcmp(ours.fpu.st, real.fpu.st, sizeof ours.fpu.st) == 0 &&
        std::memcmp(ours.fpu.xmm, real.fpu.xmm, sizeof ours.fpu.xmm) == 0)
        return;
    for (u32 i = 0; i < 8; ++i) {
        compare_bytes(differences, fmt::format("st{}", i), std::span{ours.fpu.st[i]}.first(10),
                      std::span{real.fpu.st[i]}.first(10));
        compare_bytes(differences, fmt::format("xmm{}", i), ours.fpu.xmm[i], real.fpu.xmm[i]);
    }
}

}  // namespace vellum::test
