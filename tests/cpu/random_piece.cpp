// How random pieces are drawn: mostly valid encodings, mostly addresses inside the pages of the piece.
#include "cpu/random_piece.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace vellum::test {

namespace {

using L = OracleLayout;

// Sensitive but unprivileged, or of another kind of control than a piece may have.
constexpr Mnemonic excluded_mnemonics[] = {
    ZYDIS_MNEMONIC_SGDT,     ZYDIS_MNEMONIC_SIDT,    ZYDIS_MNEMONIC_SLDT,   ZYDIS_MNEMONIC_STR,
    ZYDIS_MNEMONIC_SMSW,     ZYDIS_MNEMONIC_LAR,     ZYDIS_MNEMONIC_LSL,    ZYDIS_MNEMONIC_VERR,
    ZYDIS_MNEMONIC_VERW,     ZYDIS_MNEMONIC_INT,     ZYDIS_MNEMONIC_INT1,   ZYDIS_MNEMONIC_INT3,
    ZYDIS_MNEMONIC_INTO,     ZYDIS_MNEMONIC_IRET,    ZYDIS_MNEMONIC_IRETD,  ZYDIS_MNEMONIC_POPF,
    ZYDIS_MNEMONIC_POPFD,    ZYDIS_MNEMONIC_IN,      ZYDIS_MNEMONIC_OUT,    ZYDIS_MNEMONIC_INSB,
    ZYDIS_MNEMONIC_INSW,     ZYDIS_MNEMONIC_INSD,    ZYDIS_MNEMONIC_OUTSB,  ZYDIS_MNEMONIC_OUTSW,
    ZYDIS_MNEMONIC_OUTSD,    ZYDIS_MNEMONIC_CPUID,   ZYDIS_MNEMONIC_RDTSC,  ZYDIS_MNEMONIC_RDPMC,
    ZYDIS_MNEMONIC_SYSENTER, ZYDIS_MNEMONIC_SYSEXIT, ZYDIS_MNEMONIC_LDS,    ZYDIS_MNEMONIC_LES,
    ZYDIS_MNEMONIC_LFS,      ZYDIS_MNEMONIC_LGS,     ZYDIS_MNEMONIC_LSS,    ZYDIS_MNEMONIC_FXSAVE,
    ZYDIS_MNEMONIC_FNSAVE,   ZYDIS_MNEMONIC_FNSTENV, ZYDIS_MNEMONIC_LDMXCSR};

constexpr auto excluded = [] {
    std::array<bool, ZYDIS_MNEMONIC_MAX_VALUE + 1> table{};
    for (Mnemonic mnemonic : excluded_mnemonics) table[mnemonic] = true;
    return table;
}();

bool far_transfer(const Instruction& in) {
    if (in.opcode_map != 0) return false;
    u8 extension = (in.modrm >> 3) & 7;
    return in.opcode == 0x9A || in.opcode == 0xEA || in.opcode == 0xCA || in.opcode == 0xCB ||
           (in.opcode == 0xFF && (extension == 3 || extension == 5));
}

bool writes_segment(const Instruction& in) {
    return std::any_of(in.op.begin(), in.op.end(),
                       [](const Operand& o) { return o.kind == Operand::Kind::Segment && o.access & Operand::Write; });
}

// Where processors differ and the guest's, an Atom, is not this one: PUSH of a segment register may leave the upper
// half of the stack word alone, 0F 0D is a no-operation, BSF and BSR have no meaning with REP, nor have LOOPE and
// LOOPNE.
bool differs_among_processors(const Instruction& in) {
    bool prefetch = in.opcode_map == 1 && in.opcode == 0x0D;
    bool push_of_segment = in.mnemonic == ZYDIS_MNEMONIC_PUSH && in.op[0].kind == Operand::Kind::Segment;
    bool repeated =
        (in.rep || in.repne) && (in.mnemonic == ZYDIS_MNEMONIC_BSF || in.mnemonic == ZYDIS_MNEMONIC_BSR ||
                                 in.mnemonic == ZYDIS_MNEMONIC_LOOPE || in.mnemonic == ZYDIS_MNEMONIC_LOOPNE);
    return prefetch || push_of_segment || repeated;
}

}  // namespace

bool leaves_flags_of_its_own(Mnemonic m) {
    return m == ZYDIS_MNEMONIC_AAA || m == ZYDIS_MNEMONIC_AAS || m == ZYDIS_MNEMONIC_AAD || m == ZYDIS_MNEMONIC_AAM ||
           m == ZYDIS_MNEMONIC_DAA || m == ZYDIS_MNEMONIC_DAS;
}

std::string_view why_not_in_piece(const Instruction& in) {
    bool host_thread_storage =
        in.segment_override == static_cast<u8>(Seg::Fs) || in.segment_override == static_cast<u8>(Seg::Gs);
    if (host_thread_storage) return "FS and GS are the host's";
    if (writes_segment(in)) return "changes selectors";
    if (far_transfer(in)) return "leaves the code segment";
    if (differs_among_processors(in)) return "processors differ";
    if (excluded[in.mnemonic]) return "asks the system";
    return "";
}

bool may_run_in_piece(const Instruction& in) { return why_not_in_piece(in).empty(); }

u32 RandomPieces::interesting() {
    constexpr u32 values[] = {0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};
    return chance(50) ? values[below(std::size(values))] : static_cast<u32>(random_());
}

// A number in the format of 4 or 8 bytes: zeros, infinities, NaNs, denormals, small integers, anything.
u64 RandomPieces::floating(u32 bytes) {
    constexpr double values[] = {0.0, -0.0, 1, -1, 0.5, 3, 10, 1e10, 1e-10, 1e30, 1e-42, 2.5, -7, 65536, 4294967296.0};
    u64 bits = random_();
    if (chance(60)) {
        double number = values[below(std::size(values))];
        auto single = static_cast<float>(number);
        std::memcpy(&bits, bytes == 8 ? static_cast<void*>(&number) : &single, bytes);
    } else if (chance(40)) {
        constexpr u64 doubles[] = {0x7FF0000000000000, 0xFFF8000000000000, 0x7FF0000000000001, 1, 0x0010000000000000};
        constexpr u64 singles[] = {0x7F800000, 0xFFC00000, 0x7F800001, 1, 0x00800000};
        bits = (bytes == 8 ? doubles : singles)[below(5)];
    }
    return bits;
}

void RandomPieces::append_narrow_modrm(std::vector<u8>& out, u8 modrm) {
    out.push_back(modrm);
    u8 mod = modrm >> 6;
    if (mod == 1) out.push_back(static_cast<u8>(random_()));
    if (mod != 2 && !(mod == 0 && (modrm & 7) == 6)) return;
    out.push_back(static_cast<u8>(random_()));
    out.push_back(static_cast<u8>(below(L::data_bytes >> 8)));
}

void RandomPieces::append_modrm(std::vector<u8>& out, u8 modrm) {
    auto put32 = [&](u32 value) {
        for (u32 i = 0; i < 4; ++i) out.push_back(static_cast<u8>(value >> 8 * i));
    };
    out.push_back(modrm);
    u8 mod = modrm >> 6, rm = modrm & 7, base = rm;
    if (mod == 3) return;
    if (rm == 4) {
        auto sib = static_cast<u8>(chance(50) ? 0x20 | below(8) : below(256));
        base = sib & 7;
        out.push_back(sib);
    }
    if (mod == 1)
        out.push_back(static_cast<u8>(random_()));
    else if (mod == 2)
        put32(below(1024) - 512);
    else if (base == 5)
        put32(data_address(below(L::data_bytes)));
}

// Per cent. 16-bit addresses of flat segments reach no page of the piece.
u32 RandomPieces::other_address_size() const {
    switch (mode_) {
        case OracleMode::Flat32:
        case OracleMode::LimitedData: return 3;
        case OracleMode::NarrowCode: return 80;
        default: return 20;
    }
}

bool RandomPieces::try_instruction(Kind kind, bool alone, std::vector<u8>& out) {
    constexpr u8 escapes[][2] = {{0, 0}, {0x0F, 0}, {0x0F, 0x38}, {0x0F, 0x3A}};
    std::vector<u8> bytes;
    if (chance(other_address_size())) bytes.push_back(0x67);
    if (chance(kind == Kind::Integer ? 4 : 0)) bytes.push_back(0xF0);
    if (chance(kind == Kind::Simd ? 40 : 20)) bytes.push_back(0x66);
    if (chance(kind == Kind::Simd ? 40 : 8)) bytes.push_back(chance(50) ? 0xF2 : 0xF3);
    u32 map = kind == Kind::X87 ? 0 : kind == Kind::Simd ? 1 + below(3) : below(3) / 2;
    for (u8 escape : escapes[map])
        if (escape) bytes.push_back(escape);
    bytes.push_back(static_cast<u8>(kind == Kind::X87 ? 0xD8 + below(8) : below(256)));
    bool other_address_size = !bytes.empty() && bytes[0] == 0x67;
    if (narrow() != other_address_size)
        append_narrow_modrm(bytes, static_cast<u8>(random_()));
    else
        append_modrm(bytes, static_cast<u8>(random_()));
    while (bytes.size() < 15) bytes.push_back(static_cast<u8>(chance(60) ? random_() : 0));

    Instruction in;
    if (decoder_.decode(bytes, !narrow(), in) != DecodeStatus::Ok || !may_run_in_piece(in)) return false;
    if (!alone && leaves_flags_of_its_own(in.mnemonic)) return false;
    bool simd = std::any_of(in.op.begin(), in.op.end(), [](const Operand& o) {
        return o.kind == Operand::Kind::Xmm || o.kind == Operand::Kind::Mmx;
    });
    if (kind != Kind::X87 && simd != (kind == Kind::Simd)) return false;
    out.insert(out.end(), bytes.begin(), bytes.begin() + in.length);
    return true;
}

std::vector<u8> RandomPieces::instruction(Kind kind, bool alone) {
    std::vector<u8> bytes;
    while (!try_instruction(kind, alone, bytes)) {
    }
    return bytes;
}

std::vector<u8> RandomPieces::piece(Kind kind, u32 instructions) {
    std::vector<u8> bytes;
    for (u32 i = 0; i < instructions; ++i)
        while (!try_instruction(kind, instructions == 1, bytes)) {
        }
    return bytes;
}

OracleState RandomPieces::registers() {
    OracleState state;
    for (u32& value : state.gpr) {
        u32 kind = below(100);
        if (kind < 45)
            value = data_address(chance(50) ? below(L::data_bytes) & ~15u : below(L::data_bytes));
        else if (kind < 50)
            value = data_address(L::data_bytes - below(20));
        else if (kind < 75)
            value = below(40);
        else
            value = interesting();
    }
    state.gpr[4] = stack_address(chance(90) ? page_size + below(64) * 4 : below(64));
    state.eip = code_address(0);
    if (narrow() && !has_flat_data(mode_))  // upper halves that 16-bit addresses and stacks must leave alone
        for (u32& value : state.gpr)
            if (chance(30)) value |= static_cast<u32>(random_()) << 16;
    state.eflags |= static_cast<u32>(random_()) & (eflags::arithmetic | (chance(20) ? eflags::df : 0));

    FxImage& fpu = state.fpu;
    if (chance(30)) fpu.control = static_cast<u16>(0x40 | (random_() & 0xF3F));
    fpu.tags = chance(50) ? 0xFF : static_cast<u8>(random_());
    fpu.status = static_cast<u16>((below(8) << 11) | (random_() & 0x4700));
    for (auto& value : fpu.st) {
        long double number;
        u64 bits = floating(8);
        double narrow;
        std::memcpy(&narrow, &bits, 8);
        number = narrow;
        std::memcpy(value, &number, 10);
        if (chance(10))
            for (u32 i = 0; i < 10; ++i) value[i] = static_cast<u8>(random_());
    }
    if (chance(40)) fpu.mxcsr = static_cast<u32>(random_()) & 0xFFC0;
    for (auto& value : fpu.xmm) {
        u32 bytes = chance(50) ? 8 : 4;
        for (u32 at = 0; at < 16; at += bytes) {
            u64 bits = floating(bytes);
            std::memcpy(value + at, &bits, bytes);
        }
    }
    return state;
}

PieceMemory RandomPieces::memory() {
    PieceMemory memory;
    for (std::size_t at = 0; at < memory.data.size(); at += 8) {
        u64 bits = chance(40) ? random_() : chance(50) ? floating(8) : floating(4) | floating(4) << 32;
        std::memcpy(&memory.data[at], &bits, 8);
    }
    for (std::size_t at = 0; at < memory.stack.size(); at += 4) {
        u32 value = chance(50) ? code_address(256 + below(1024)) : interesting();
        std::memcpy(&memory.stack[at], &value, 4);
    }
    return memory;
}

}  // namespace vellum::test
