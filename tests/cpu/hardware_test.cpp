// The instructions beside the real processor: random pieces of user code, registers, flags, memory and exceptions.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <map>
#include <optional>

#include "cpu/interpreter.hpp"
#include "cpu/random_piece.hpp"
#include "cpu/specialise.hpp"
#include "cpu/system_fixture.hpp"
#include "oracle/piece_rules.hpp"

namespace vellum::test {

namespace {

using L = OracleLayout;

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
        poke<u32>(table + ((L::read_only >> page_shift) & 0x3FF) * 4, physical | (user_page & ~2u));
        memory.write(Physical{physical}, read_only_content());
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
        if (!in.row || !stays_near(guest.cpu, in) || is_misaligned_sha(guest.cpu, in)) return {};
        if (locks_two_lines(guest.cpu, in) || ignored.hides(in)) return {};
        ignored.executes(guest.cpu, in);
        Execute execute = special ? specialised(in) : in.row->execute;
        Fault fault = execute(guest.cpu, in);
        if (fault.kind == Fault::Kind::Exception && leaves_half_done(in)) return {};
        if (fault.kind == Fault::Kind::Exception) return OracleEnd{fault.vector, fault.error_code, fault.cr2};
        if (!fault) guest.state.eip = static_cast<u32>(guest.state.eip + in.length);
    }
    return {};
}

struct Comparison {
    explicit Comparison(OracleMode segments) : mode{segments} {}

    OracleMode mode;
    HostOracle oracle;
    Guest guest{mode};
    Decoder decoder{host_features()};
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

        if (ignored.alignment_varies(*ours, end)) return;
        ignored.ends(*ours);
        std::vector<std::string> differences;
        compare_end(differences, *ours, end, ignored);
        compare_state(differences, guest.registers(), real, ignored);
        auto compare_pages = [&](const char* what, u32 linear, const std::vector<u8>& our, std::span<u8> host) {
            ignored.overlook_push(linear, host, [&](u32 at) { return our[at]; });
            compare_bytes(differences, what, our, host);
        };
        compare_pages("code", L::code, guest.code(), oracle.code());
        compare_pages("data", L::data, guest.data(), oracle.data());
        compare_pages("stack", L::stack, guest.stack(), oracle.stack());
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

void compare_random(OracleMode mode, RandomPieces::Kind kind, u64 seed, u32 cases, u32 instructions, u32 flags = 0) {
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
        OracleState registers = random.registers();
        registers.eflags |= flags;
        comparison.run(piece, registers, memory);
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

TEST_CASE("hardware: alignment is checked as by the real processor") {
    for (auto [kind, seed] : {std::pair{RandomPieces::Kind::Integer, 13u}, std::pair{RandomPieces::Kind::X87, 14u},
                              std::pair{RandomPieces::Kind::Simd, 15u}}) {
        compare_random(OracleMode::Flat32, kind, seed, 20000, 1, eflags::ac);
        compare_random(OracleMode::Segmented16, kind, seed + 10, 10000, 1, eflags::ac);
    }
}

TEST_CASE("hardware: MMX and SSE instructions do what the real processor does") {
    compare_random(OracleMode::Flat32, RandomPieces::Kind::Simd, 3, 60000, 1);
    compare_random(OracleMode::Flat32, RandomPieces::Kind::Simd, 4, 10000, 4);
}

}  // namespace vellum::test
