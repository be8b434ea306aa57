// The instructions beside the real processor: random pieces of user code, registers, flags, memory and exceptions.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <map>
#include <optional>

#include "cpu/interpreter.hpp"
#include "cpu/random_piece.hpp"
#include "cpu/specialise.hpp"
#include "cpu/system_fixture.hpp"

namespace vellum::test {

namespace {

using L = OracleLayout;

std::string hex(std::span<const u8> bytes) { return fmt::format("{:02x}", fmt::join(bytes, " ")); }

// The same pages as the oracle's, under paging, at CPL 3.
struct Guest : SystemFixture {
    static constexpr u32 directory = 0x1000, table = 0x2000, first_page = 0x100000;
    static constexpr u32 user_page = 7;  // present, writable, user

    explicit Guest(OracleMode mode) {
        poke<u32>(directory + (L::code >> 22) * 4, table | user_page);
        u32 physical = first_page;
        for (auto [address, bytes] : {std::pair{L::code, L::code_bytes}, std::pair{L::data, L::data_bytes},
                                      std::pair{L::stack, L::stack_bytes}})
            for (u32 page = address; page < address + bytes; page += page_size, physical += page_size)
                poke<u32>(table + ((page >> page_shift) & 0x3FF) * 4, physical | user_page);
        OracleSegments segments = oracle_segments(mode);
        state.segment(Seg::Cs) = segments.code;
        state.segment(Seg::Ss) = segments.stack;
        state.segment(Seg::Ds) = state.segment(Seg::Es) = segments.data;
        state.segment(Seg::Fs) = state.segment(Seg::Gs) = {0, 0, 0, 0};
        state.cpl = 3;
        state.cr3 = directory;
        state.cr0 = cr0::pe | cr0::pg | cr0::wp | cr0::ne | cr0::mp | cr0::et | cr0::am;
        state.cr4 = cr4::osfxsr | cr4::osxmmexcpt;
    }

    std::vector<u8> pages(u32 bytes, u32 at) const {
        std::vector<u8> content(bytes);
        memory.read(Physical{at}, content);
        return content;
    }
    std::vector<u8> code() const { return pages(L::code_bytes, first_page); }
    std::vector<u8> data() const { return pages(L::data_bytes, first_page + L::code_bytes); }
    std::vector<u8> stack() const { return pages(L::stack_bytes, first_page + L::code_bytes + L::data_bytes); }
    void set_pages(std::span<const u8> code, const PieceMemory& content) {
        memory.write(Physical{first_page}, code);
        memory.write(Physical{first_page + L::code_bytes}, content.data);
        memory.write(Physical{first_page + L::code_bytes + L::data_bytes}, content.stack);
    }

    void set_registers(const OracleState& from) {
        for (u32 i = 0; i < 8; ++i) state.gpr[i] = from.gpr[i];
        state.eflags = from.eflags;
        state.eip = from.eip;
        state.fpu = from.fpu;
    }
    OracleState registers() const {
        OracleState to;
        for (u32 i = 0; i < 8; ++i) to.gpr[i] = static_cast<u32>(state.gpr[i]);
        to.eflags = state.eflags & ~eflags::rf;
        to.eip = static_cast<u32>(state.eip);
        to.fpu = state.fpu;
        return to;
    }
};

#ifdef VELLUM_SANITIZED
constexpr u64 top = 0x100000000;  // the sanitizer has its own use for the pages below 4 GiB
#else
constexpr u64 top = 0xFFFFFF00;
#endif

// Would the processor touch host pages that are not the piece's? Then the piece does not run there.
bool stays_near(const Cpu& cpu, const Instruction& in) {
    if (!cpu.state.segment(Seg::Ds).flat()) return true;
    auto near = [](u32 address) {
        constexpr u32 margin = 2048;
        for (auto [first, bytes] : {std::pair{L::data, L::data_bytes}, std::pair{L::stack, L::stack_bytes}})
            if (address >= first - margin && address < first + bytes + margin) return true;
        return address < 0xF000 || address >= top;  // never mapped
    };
    auto reg = [&](Reg r) { return static_cast<u32>(cpu.state.gpr[static_cast<u8>(r)]); };
    if (in.has_memory) {
        u32 address = cpu.effective_address(in);
        bool bit_string = in.opcode_map == 1 && (in.opcode & 0xE7) == 0xA3;
        if (bit_string) {
            i32 bit = in.operand_size == 4 ? static_cast<i32>(cpu.get32(in.op[1].reg))
                                           : static_cast<i16>(cpu.get16(in.op[1].reg));
            if (!near(address + static_cast<u32>(bit >> 3))) return false;
        }
        // The words of an m80 or of an environment fault one by one: which exception is first is the processor's
        // affair.
        bool by_words = in.op[0].size > 8 && in.op[0].size != 16;
        if (!near(address) || (by_words && address >= top)) return false;
    }
    bool wide = in.address_size == 4;
    bool strings = in.row->translation == TranslationClass::String || in.mnemonic == ZYDIS_MNEMONIC_MASKMOVQ ||
                   in.mnemonic == ZYDIS_MNEMONIC_MASKMOVDQU;
    if (strings && wide && !(near(reg(Reg::Esi)) && near(reg(Reg::Edi)))) return false;
    if (in.mnemonic == ZYDIS_MNEMONIC_XLAT && wide && !near(reg(Reg::Ebx))) return false;
    bool frame = in.mnemonic == ZYDIS_MNEMONIC_ENTER || in.mnemonic == ZYDIS_MNEMONIC_LEAVE;
    return near(reg(Reg::Esp)) && (!frame || (near(reg(Reg::Ebp)) && near(reg(Reg::Ebp) - 128)));
}

// What need not agree, by the instructions that a piece executed.
struct Tolerance {
    u32 cr2 = 0, flags = 0;
    bool order_of_faults = false, dot_product = false;

    void executes(const Instruction& in) {
        // The order in which the bytes of an image are read is the processor's own affair.
        if (in.mnemonic == ZYDIS_MNEMONIC_FLDENV || in.mnemonic == ZYDIS_MNEMONIC_FRSTOR ||
            in.mnemonic == ZYDIS_MNEMONIC_FXRSTOR)
            cr2 = page_offset_mask;
        // So it is whether CALL looks at its target or at the stack first; here it does as the manual's pseudocode.
        order_of_faults = in.mnemonic == ZYDIS_MNEMONIC_CALL;
        dot_product |= in.mnemonic == ZYDIS_MNEMONIC_DPPS || in.mnemonic == ZYDIS_MNEMONIC_DPPD;
        if (leaves_flags_of_its_own(in.mnemonic)) flags = in.flags_undefined;
    }

    // Beside an unmasked overflow or underflow the precision flag tells whether a result with unlimited exponent would
    // have been exact, which the masked form of the instruction does not show; nor does it show that DPPS ends before
    // its sums.
    u32 mxcsr(const OracleState& real) const {
        u32 unmasked = real.fpu.mxcsr & ~(real.fpu.mxcsr >> 7) & 0x3F;
        if (unmasked && dot_product) return 0x3F;
        return unmasked & 0x18 ? 0x20 : 0;
    }
};

// POPA that faults half way may have loaded some registers.
bool leaves_half_done(const Instruction& in) {
    return in.mnemonic == ZYDIS_MNEMONIC_POPA || in.mnemonic == ZYDIS_MNEMONIC_POPAD;
}

// Runs to the INT3 or to an exception; nullopt when the piece leaves its ground. `special`: by the functions that the
// interpreter prefers to the general ones.
std::optional<OracleEnd> run_guest(Guest& guest, const Decoder& decoder, bool special, Tolerance& ignored) {
    for (u32 step = 0; step < 20000; ++step) {
        u32 at = static_cast<u32>(guest.state.eip + guest.state.segment(Seg::Cs).base) - L::code;
        if (at >= L::code_bytes - 16) return {};
        u8 bytes[15];
        guest.memory.read(Physical{Guest::first_page + at}, bytes);
        if (bytes[0] == 0xCC) {
            ++guest.state.eip;
            return OracleEnd{vector::bp, 0, 0};
        }
        Instruction in;
        if (decoder.decode(bytes, guest.state.code32(), in) != DecodeStatus::Ok || !may_run_in_piece(in)) return {};
        in.row = find_row(in);
        if (step > 0 && leaves_flags_of_its_own(in.mnemonic)) return {};
        if (!in.row || !stays_near(guest.cpu, in)) return {};
        ignored.executes(in);
        Execute execute = special ? specialised(in) : in.row->execute;
        Fault fault = execute(guest.cpu, in);
        if (fault.kind == Fault::Kind::Exception && leaves_half_done(in)) return {};
        if (fault.kind == Fault::Kind::Exception) return OracleEnd{fault.vector, fault.error_code, fault.cr2};
        if (!fault) guest.state.eip = static_cast<u32>(guest.state.eip + in.length);
    }
    return {};
}

void compare(std::vector<std::string>& differences, std::string_view what, u64 ours, u64 real) {
    if (ours != real) differences.push_back(fmt::format("{} {:x} should be {:x}", what, ours, real));
}

void compare_bytes(std::vector<std::string>& differences, std::string_view what, std::span<const u8> ours,
                   std::span<const u8> real) {
    auto [a, b] = std::mismatch(ours.begin(), ours.end(), real.begin());
    if (a == ours.end()) return;
    auto at = static_cast<std::size_t>(a - ours.begin()) & ~std::size_t{7};
    auto length = std::min<std::size_t>(16, ours.size() - at);
    differences.push_back(
        fmt::format("{}+{:x} {} should be {}", what, at, hex(ours.subspan(at, length)), hex(real.subspan(at, length))));
}

constexpr const char* register_names[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};

void compare_state(std::vector<std::string>& differences, const OracleState& ours, const OracleState& real,
                   const Tolerance& ignored) {
    for (u32 i = 0; i < 8; ++i) compare(differences, register_names[i], ours.gpr[i], real.gpr[i]);
    compare(differences, "eip", ours.eip, real.eip);
    compare(differences, "eflags", ours.eflags & ~ignored.flags, real.eflags & ~ignored.flags);
    compare(differences, "control", ours.fpu.control, real.fpu.control);
    compare(differences, "status", ours.fpu.status, real.fpu.status);
    compare(differences, "tags", ours.fpu.tags, real.fpu.tags);
    compare(differences, "mxcsr", ours.fpu.mxcsr & ~ignored.mxcsr(real), real.fpu.mxcsr & ~ignored.mxcsr(real));
    for (u32 i = 0; i < 8; ++i) {
        compare_bytes(differences, fmt::format("st{}", i), std::span{ours.fpu.st[i]}.first(10),
                      std::span{real.fpu.st[i]}.first(10));
        compare_bytes(differences, fmt::format("xmm{}", i), ours.fpu.xmm[i], real.fpu.xmm[i]);
    }
}

struct Comparison {
    explicit Comparison(OracleMode segments) : mode{segments} {}

    OracleMode mode;
    HostOracle oracle;
    Guest guest{mode};
    Decoder decoder;
    u32 compared = 0;
    std::map<std::string, std::pair<u32, std::string>> wrong;  // by mnemonic: how often, and the first example

    void run(const std::vector<u8>& piece, const OracleState& start, const PieceMemory& memory) {
        std::vector<u8> code(L::code_bytes, 0xCC);
        std::copy(piece.begin(), piece.end(), code.begin());
        guest.set_pages(code, memory);
        guest.set_registers(start);
        Tolerance ignored;
        std::optional<OracleEnd> ours = run_guest(guest, decoder, compared & 1, ignored);
        if (!ours) return;
        std::copy(code.begin(), code.end(), oracle.code().begin());
        std::copy(memory.data.begin(), memory.data.end(), oracle.data().begin());
        std::copy(memory.stack.begin(), memory.stack.end(), oracle.stack().begin());
        OracleState real = start;
        OracleEnd end = oracle.run(mode, real);
        ++compared;

        std::vector<std::string> differences;
        bool gp_or_ss = (ours->vector == vector::gp && end.vector == vector::ss);
        if (!(ignored.order_of_faults && gp_or_ss)) compare(differences, "vector", ours->vector, end.vector);
        if (end.vector == vector::pf || end.vector == vector::gp || end.vector == vector::ss)
            compare(differences, "error code", ours->error_code, end.error_code);
        if (end.vector == vector::pf) compare(differences, "cr2", ours->cr2 & ~ignored.cr2, end.cr2 & ~ignored.cr2);
        compare_state(differences, guest.registers(), real, ignored);
        compare_bytes(differences, "code", guest.code(), oracle.code());
        compare_bytes(differences, "data", guest.data(), oracle.data());
        compare_bytes(differences, "stack", guest.stack(), oracle.stack());
        if (!differences.empty()) note(piece, start, differences);
    }

    void note(const std::vector<u8>& piece, const OracleState& start, const std::vector<std::string>& differences) {
        Instruction in;
        decoder.decode(piece, guest.state.code32(), in);
        auto& [count, example] = wrong[ZydisMnemonicGetString(in.mnemonic)];
        if (count++ == 0)
            example = fmt::format("{}: {}\n    from gpr {:x} eflags {:x} control {:x} status {:x} tags {:x} mxcsr {:x}",
                                  hex(piece), fmt::join(differences, ", "), fmt::join(start.gpr, " "), start.eflags,
                                  start.fpu.control, start.fpu.status, start.fpu.tags, start.fpu.mxcsr);
    }

    std::string report() const {
        std::string text;
        for (const auto& [mnemonic, what] : wrong)
            text += fmt::format("{} ({} times) {}\n", mnemonic, what.first, what.second);
        return text;
    }
};

void compare_random(OracleMode mode, RandomPieces::Kind kind, u64 seed, u32 cases, u32 instructions) {
    RandomPieces random{mode, seed};
    Comparison comparison{mode};
    if (!comparison.oracle.offers(mode)) {
        WARN("this kernel has no modify_ldt: segments are not compared");
        return;
    }
    PieceMemory memory;
    for (u32 i = 0; i < cases; ++i) {
        if (i % 64 == 0) memory = random.memory();
        auto piece = random.piece(kind, instructions);
        comparison.run(piece, random.registers(), memory);
    }
    INFO("seed " << seed);
    CHECK(comparison.report() == "");
    CHECK(comparison.compared > cases / 4);
}

}  // namespace

TEST_CASE("hardware: integer instructions do what the real processor does") {
    compare_random(OracleMode::Flat32, RandomPieces::Kind::Integer, 5, 60000, 1);
    compare_random(OracleMode::Flat32, RandomPieces::Kind::Integer, 6, 10000, 4);
}

TEST_CASE("hardware: 16-bit code in small segments does what the real processor does") {
    compare_random(OracleMode::Segmented16, RandomPieces::Kind::Integer, 7, 40000, 1);
    compare_random(OracleMode::Segmented16, RandomPieces::Kind::Integer, 8, 8000, 4);
    compare_random(OracleMode::Segmented16, RandomPieces::Kind::X87, 9, 4000, 1);
    compare_random(OracleMode::Segmented16, RandomPieces::Kind::Simd, 10, 4000, 1);
}

TEST_CASE("hardware: 32-bit code in small segments does what the real processor does") {
    compare_random(OracleMode::Segmented32, RandomPieces::Kind::Integer, 11, 40000, 1);
    compare_random(OracleMode::Segmented32, RandomPieces::Kind::Integer, 12, 8000, 4);
}

TEST_CASE("hardware: x87 instructions do what the real processor does") {
    compare_random(OracleMode::Flat32, RandomPieces::Kind::X87, 1, 20000, 1);
    compare_random(OracleMode::Flat32, RandomPieces::Kind::X87, 2, 10000, 4);
}

TEST_CASE("hardware: MMX and SSE instructions do what the real processor does") {
    compare_random(OracleMode::Flat32, RandomPieces::Kind::Simd, 3, 60000, 1);
    compare_random(OracleMode::Flat32, RandomPieces::Kind::Simd, 4, 10000, 4);
}

}  // namespace vellum::test
