// Translation of Zydis' answer into our Instruction.
#include "cpu/decoder.hpp"

#include <Zydis/Zydis.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace vellum {

namespace {

static_assert(sizeof(ZydisDecoder) <= 64, "the decoder fits its storage");

// The instruction sets that the CPUID model (cpuid.cpp) always offers.
constexpr ZydisISASet offered_sets[] = {
    ZYDIS_ISA_SET_I86,        ZYDIS_ISA_SET_I186,         ZYDIS_ISA_SET_I286REAL,     ZYDIS_ISA_SET_I286PROTECTED,
    ZYDIS_ISA_SET_I386,       ZYDIS_ISA_SET_I486,         ZYDIS_ISA_SET_I486REAL,     ZYDIS_ISA_SET_PENTIUMREAL,
    ZYDIS_ISA_SET_PENTIUMMMX, ZYDIS_ISA_SET_PPRO,         ZYDIS_ISA_SET_CMOV,         ZYDIS_ISA_SET_FAT_NOP,
    ZYDIS_ISA_SET_FCMOV,      ZYDIS_ISA_SET_FXSAVE,       ZYDIS_ISA_SET_LAHF,         ZYDIS_ISA_SET_PAUSE,
    ZYDIS_ISA_SET_POPCNT,     ZYDIS_ISA_SET_PREFETCH_NOP, ZYDIS_ISA_SET_SSE,          ZYDIS_ISA_SET_SSE2,
    ZYDIS_ISA_SET_SSE2MMX,    ZYDIS_ISA_SET_SSE3,         ZYDIS_ISA_SET_SSE3X87,      ZYDIS_ISA_SET_SSE4,
    ZYDIS_ISA_SET_SSE42,      ZYDIS_ISA_SET_SSEMXCSR,     ZYDIS_ISA_SET_SSE_PREFETCH, ZYDIS_ISA_SET_SSSE3,
    ZYDIS_ISA_SET_SSSE3MMX,   ZYDIS_ISA_SET_X87,          ZYDIS_ISA_SET_CLFSH,        ZYDIS_ISA_SET_RDPMC,
};

// ... and those that it offers where the host has them.
struct HostSet {
    ZydisISASet set;
    bool HostFeatures::*offered;
    u8 kind;
};
constexpr u8 always = 1;
constexpr HostSet host_sets[] = {
    {ZYDIS_ISA_SET_AES, &HostFeatures::aes, 2},
    {ZYDIS_ISA_SET_PCLMULQDQ, &HostFeatures::pclmulqdq, 4},
    {ZYDIS_ISA_SET_SHA, &HostFeatures::sha, 8},
};

// The kind of each set, one bit; none for what is never offered.
constexpr auto kinds = [] {
    std::array<u8, ZYDIS_ISA_SET_MAX_VALUE + 1> map{};
    for (ZydisISASet set : offered_sets) map[set] = always;
    for (const HostSet& set : host_sets) map[set.set] = set.kind;
    return map;
}();

u8 offered_kinds(const HostFeatures& features) {
    u8 offered = always;
    for (const HostSet& set : host_sets)
        if (features.*set.offered) offered |= set.kind;
    return offered;
}

struct RegisterName {
    Operand::Kind kind = Operand::Kind::None;
    u8 number = 0, size = 0;
};

// Zydis' register numbers fall into ranges, one for each class.
constexpr auto register_names = [] {
    struct Range {
        ZydisRegister first, last;
        Operand::Kind kind;
        u8 size;
    };
    constexpr Range ranges[] = {
        {ZYDIS_REGISTER_AL, ZYDIS_REGISTER_BH, Operand::Kind::Gpr, 1},
        {ZYDIS_REGISTER_AX, ZYDIS_REGISTER_DI, Operand::Kind::Gpr, 2},
        {ZYDIS_REGISTER_EAX, ZYDIS_REGISTER_EDI, Operand::Kind::Gpr, 4},
        {ZYDIS_REGISTER_ST0, ZYDIS_REGISTER_ST7, Operand::Kind::X87, 10},
        {ZYDIS_REGISTER_MM0, ZYDIS_REGISTER_MM7, Operand::Kind::Mmx, 8},
        {ZYDIS_REGISTER_XMM0, ZYDIS_REGISTER_XMM7, Operand::Kind::Xmm, 16},
        {ZYDIS_REGISTER_ES, ZYDIS_REGISTER_GS, Operand::Kind::Segment, 2},
        {ZYDIS_REGISTER_CR0, ZYDIS_REGISTER_CR8, Operand::Kind::Control, 4},
        {ZYDIS_REGISTER_DR0, ZYDIS_REGISTER_DR7, Operand::Kind::Debug, 4},
    };
    std::array<RegisterName, ZYDIS_REGISTER_MAX_VALUE + 1> names{};
    for (const Range& range : ranges)
        for (int r = range.first; r <= range.last; ++r)
            names[static_cast<std::size_t>(r)] = {range.kind, static_cast<u8>(r - range.first), range.size};
    return names;
}();

RegisterName register_name(ZydisRegister r) { return register_names[r]; }

u8 address_register(ZydisRegister r) {
    auto name = register_name(r);
    return name.kind == Operand::Kind::Gpr ? name.number : MemoryOperand::none;
}

void take_prefixes(const ZydisDecodedInstruction& z, Instruction& out) {
    for (u8 i = 0; i < z.raw.prefix_count; ++i) {
        switch (z.raw.prefixes[i].value) {
            case 0xF0: out.lock = true; break;
            case 0xF2: out.repne = true, out.rep = false; break;
            case 0xF3: out.rep = true, out.repne = false; break;
            case 0x66: out.operand_size_prefix = true; break;
            case 0x26: out.segment_override = static_cast<u8>(Seg::Es); break;
            case 0x2E: out.segment_override = static_cast<u8>(Seg::Cs); break;
            case 0x36: out.segment_override = static_cast<u8>(Seg::Ss); break;
            case 0x3E: out.segment_override = static_cast<u8>(Seg::Ds); break;
            case 0x64: out.segment_override = static_cast<u8>(Seg::Fs); break;
            case 0x65: out.segment_override = static_cast<u8>(Seg::Gs); break;
            default: break;
        }
    }
}

void take_memory(const ZydisDecodedOperand& z, Instruction& out) {
    out.has_memory = true;
    auto segment = register_name(z.mem.segment);
    out.memory.segment = segment.kind == Operand::Kind::Segment ? static_cast<Seg>(segment.number) : Seg::Ds;
    out.memory.base = address_register(z.mem.base);
    out.memory.index = address_register(z.mem.index);
    out.memory.scale = z.mem.scale ? z.mem.scale : 1;
    out.memory.displacement = static_cast<u32>(z.mem.disp.has_displacement ? z.mem.disp.value : 0);
}

// Strings and XLAT name their memory by fixed registers: these operands are not ModRM or moffs forms.
bool is_addressing_form(const ZydisDecodedInstruction& z, const ZydisDecodedOperand& o) {
    if (o.type != ZYDIS_OPERAND_TYPE_MEMORY) return false;
    return o.encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM || o.encoding == ZYDIS_OPERAND_ENCODING_DISP16_32_64 ||
           (z.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && z.opcode >= 0xA0 && z.opcode <= 0xA3);
}

u8 access_of(const ZydisDecodedOperand& o) {
    u8 access = 0;
    if (o.actions & ZYDIS_OPERAND_ACTION_MASK_READ) access |= Operand::Read;
    if (o.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) access |= Operand::Write;
    return access;
}

Operand take_operand(const ZydisDecodedInstruction& z, const ZydisDecodedOperand& o, Instruction& out) {
    Operand operand;
    operand.size = static_cast<u8>(std::min(o.size / 8, 255));
    operand.access = access_of(o);
    switch (o.type) {
        case ZYDIS_OPERAND_TYPE_REGISTER: {
            auto name = register_name(o.reg.value);
            operand.kind = name.kind;
            operand.reg = name.number;
            operand.size = name.size;
            break;
        }
        case ZYDIS_OPERAND_TYPE_MEMORY:
            if (is_addressing_form(z, o)) {
                operand.kind = Operand::Kind::Memory;
                take_memory(o, out);
            }
            break;
        case ZYDIS_OPERAND_TYPE_POINTER:
            operand.kind = Operand::Kind::FarPointer;
            out.immediate = o.ptr.offset;
            out.immediate2 = o.ptr.segment;
            break;
        case ZYDIS_OPERAND_TYPE_IMMEDIATE:
            operand.kind = o.imm.is_relative ? Operand::Kind::Relative : Operand::Kind::Immediate;
            break;
        default: break;
    }
    return operand;
}

void take_immediates(const ZydisDecodedInstruction& z, Instruction& out) {
    bool far = false;
    for (const Operand& o : out.op) far |= o.kind == Operand::Kind::FarPointer;
    if (far) return;
    if (z.raw.imm[0].size) out.immediate = static_cast<u32>(z.raw.imm[0].value.u);
    if (z.raw.imm[1].size) out.immediate2 = static_cast<u32>(z.raw.imm[1].value.u);
    if (!z.raw.imm[0].size)  // shifts by the implicit 1, INT1-like forms
        for (const Operand& o : out.op)
            if (o.kind == Operand::Kind::Immediate) out.immediate = 1;
}

void note_registers(Instruction& out) {
    for (const Operand& o : out.op) {
        bool general = o.kind == Operand::Kind::Gpr;
        out.names_stack_register |= general && o.size >= 2 && o.reg == 4;
        out.names_high_byte |= general && o.size == 1 && o.reg >= 4;
        out.names_xmm |= o.kind == Operand::Kind::Xmm;
        out.names_vector |= o.kind == Operand::Kind::Xmm || o.kind == Operand::Kind::Mmx;
    }
}

u8 opcode_map_of(const ZydisDecodedInstruction& z) {
    switch (z.opcode_map) {
        case ZYDIS_OPCODE_MAP_0F: return 1;
        case ZYDIS_OPCODE_MAP_0F38: return 2;
        case ZYDIS_OPCODE_MAP_0F3A: return 3;
        default: return 0;
    }
}

bool is_prefix(u8 byte) {
    constexpr u8 prefixes[] = {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3};
    return std::ranges::find(prefixes, byte) != std::end(prefixes);
}

// LES, LDS, BOUND and POP with a register where they have none. Other processors have longer instructions there (VEX,
// EVEX, XOP); this one fetches nothing behind ModRM to refuse them.
bool is_undefined_by_modrm(std::span<const u8> bytes) {
    auto opcode = std::ranges::find_if_not(bytes, is_prefix);
    if (bytes.end() - opcode < 2 || (opcode[1] & 0xC0) != 0xC0) return false;
    bool pops_other = *opcode == 0x8F && (opcode[1] >> 3 & 7) != 0;
    return *opcode == 0xC4 || *opcode == 0xC5 || *opcode == 0x62 || pops_other;
}

}  // namespace

Decoder::Decoder(const HostFeatures& features) : offered_{offered_kinds(features)} {
    for (int i = 0; i < 2; ++i) {
        auto* zydis = new (&storage_[i]) ZydisDecoder;
        ZydisDecoderInit(zydis, i ? ZYDIS_MACHINE_MODE_LEGACY_32 : ZYDIS_MACHINE_MODE_LEGACY_16,
                         i ? ZYDIS_STACK_WIDTH_32 : ZYDIS_STACK_WIDTH_16);
        // Where the CPUID model does not offer them, these encodings mean older instructions or no-operations.
        for (ZydisDecoderMode mode :
             {ZYDIS_DECODER_MODE_MPX, ZYDIS_DECODER_MODE_CET, ZYDIS_DECODER_MODE_LZCNT, ZYDIS_DECODER_MODE_TZCNT,
              ZYDIS_DECODER_MODE_WBNOINVD, ZYDIS_DECODER_MODE_CLDEMOTE})
            ZydisDecoderEnableMode(zydis, mode, ZYAN_FALSE);
    }
}

DecodeStatus Decoder::decode(std::span<const u8> bytes, bool code32, Instruction& out) const {
    const auto* zydis = std::launder(reinterpret_cast<const ZydisDecoder*>(&storage_[code32]));
    ZydisDecoderContext context;
    ZydisDecodedInstruction z;
    constexpr std::size_t longest = 15;
    bytes = bytes.first(std::min(bytes.size(), longest));
    ZyanStatus status = ZydisDecoderDecodeInstruction(zydis, &context, bytes.data(), bytes.size(), &z);
    if (status == ZYDIS_STATUS_NO_MORE_DATA && is_undefined_by_modrm(bytes)) return DecodeStatus::Undefined;
    if (status == ZYDIS_STATUS_NO_MORE_DATA)
        return bytes.size() == longest ? DecodeStatus::TooLong : DecodeStatus::NeedMoreBytes;
    if (status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG) return DecodeStatus::TooLong;
    if (!ZYAN_SUCCESS(status)) return DecodeStatus::Undefined;
    bool offered = kinds[z.meta.isa_set] & offered_;
    if (z.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY || !offered) return DecodeStatus::Undefined;
    constexpr u8 most_operands = std::tuple_size_v<decltype(Instruction::op)>;
    ZydisDecodedOperand operands[most_operands];
    u8 operand_count = std::min(z.operand_count_visible, most_operands);
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeOperands(zydis, &context, &z, operands, operand_count)))
        return DecodeStatus::Undefined;

    out = Instruction{};
    out.mnemonic = z.mnemonic;
    out.length = z.length;
    out.address_size = z.address_width / 8;
    take_prefixes(z, out);
    out.operand_size = out.operand_size_prefix != code32 ? 4 : 2;
    out.opcode_map = opcode_map_of(z);
    out.opcode = z.opcode;
    if (z.attributes & ZYDIS_ATTRIB_HAS_MODRM) {
        out.has_modrm = true;
        out.modrm = static_cast<u8>(z.raw.modrm.mod << 6 | z.raw.modrm.reg << 3 | z.raw.modrm.rm);
    }
    for (u8 i = 0; i < operand_count; ++i) out.op[i] = take_operand(z, operands[i], out);
    note_registers(out);
    take_immediates(z, out);
    if (z.cpu_flags) {
        out.flags_read = z.cpu_flags->tested;
        out.flags_undefined = z.cpu_flags->undefined;
        out.flags_written = z.cpu_flags->modified | z.cpu_flags->set_0 | z.cpu_flags->set_1 | z.cpu_flags->undefined;
    }
    std::memcpy(out.bytes.data(), bytes.data(), z.length);
    return DecodeStatus::Ok;
}

}  // namespace vellum
