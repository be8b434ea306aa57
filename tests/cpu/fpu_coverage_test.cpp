// Every form of x87, MMX and SSE that the decoder lets through has a row and can be executed.
#include <Zydis/Zydis.h>
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <set>

#include "cpu/fpu_fixture.hpp"

namespace vellum::test {

namespace {

constexpr ZydisISASet sets[] = {ZYDIS_ISA_SET_X87,        ZYDIS_ISA_SET_FCMOV,     ZYDIS_ISA_SET_SSE3X87,
                                ZYDIS_ISA_SET_PENTIUMMMX, ZYDIS_ISA_SET_SSE,       ZYDIS_ISA_SET_SSE2,
                                ZYDIS_ISA_SET_SSE3,       ZYDIS_ISA_SET_SSE2MMX,   ZYDIS_ISA_SET_SSE4,
                                ZYDIS_ISA_SET_SSE42,      ZYDIS_ISA_SET_SSEMXCSR,  ZYDIS_ISA_SET_SSSE3,
                                ZYDIS_ISA_SET_SSSE3MMX,   ZYDIS_ISA_SET_FXSAVE,    ZYDIS_ISA_SET_CLFSH,
                                ZYDIS_ISA_SET_AES,        ZYDIS_ISA_SET_PCLMULQDQ, ZYDIS_ISA_SET_SHA};

struct Form {
    std::vector<u8> bytes;
    bool code32;
};

bool is_ours(const ZydisDecodedInstruction& z) {
    if (z.mnemonic == ZYDIS_MNEMONIC_FCOMI || z.mnemonic == ZYDIS_MNEMONIC_FCOMIP ||
        z.mnemonic == ZYDIS_MNEMONIC_FUCOMI || z.mnemonic == ZYDIS_MNEMONIC_FUCOMIP)
        return true;
    return std::find(std::begin(sets), std::end(sets), z.meta.isa_set) != std::end(sets);
}

// All prefixes, maps, opcodes and registers; memory forms through [ebx] or [bx+si].
template <typename Visit>
void for_each_form(Visit&& visit) {
    constexpr u8 escapes[][2] = {{0, 0}, {0x0F, 0}, {0x0F, 0x38}, {0x0F, 0x3A}};
    ZydisDecoder zydis[2];
    ZydisDecoderInit(&zydis[0], ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
    ZydisDecoderInit(&zydis[1], ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
    for (bool code32 : {false, true})
        for (u8 prefix : {0x00, 0x66, 0xF3, 0xF2})
            for (const auto& escape : escapes)
                for (u32 opcode = 0; opcode < 256; ++opcode)
                    for (u32 modrm = 0; modrm < 256; ++modrm) {
                        bool memory = modrm < 0xC0;
                        if (memory && (modrm & 0xC7) != (code32 ? 3 : 0)) continue;
                        std::vector<u8> bytes;
                        if (prefix) bytes.push_back(prefix);
                        for (u8 byte : escape)
                            if (byte) bytes.push_back(byte);
                        bytes.insert(bytes.end(), {static_cast<u8>(opcode), static_cast<u8>(modrm)});
                        bytes.resize(15, 1);
                        ZydisDecodedInstruction z;
                        ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
                        if (ZYAN_SUCCESS(ZydisDecoderDecodeFull(&zydis[code32], bytes.data(), 15, &z, operands)) &&
                            z.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY && is_ours(z))
                            visit(Form{bytes, code32});
                    }
}

}  // namespace

TEST_CASE_METHOD(FpuFixture, "fpu: every form of x87, MMX and SSE that the decoder offers has a row and executes") {
    const CpuState fresh = state;
    std::set<Mnemonic> seen;
    std::vector<std::string> refused;
    for_each_form([&](const Form& form) {
        Instruction in;
        if (decoder.decode(form.bytes, form.code32, in) != DecodeStatus::Ok) return;
        u64 attention = state.poll;
        state = fresh;
        state.poll = attention;
        state.reg(Reg::Esi) = 0;
        const InstructionRow* row = row_for(in);
        Fault fault = row ? row->execute(cpu, in) : Fault::exception(vector::ud);
        seen.insert(in.mnemonic);
        if (fault)
            refused.push_back(fmt::format("{} {:02x} {}", ZydisMnemonicGetString(in.mnemonic),
                                          fmt::join(form.bytes, " "), fault.vector));
    });
    CHECK(seen.size() > 300);
    CHECK(refused == std::vector<std::string>{});
}

}  // namespace vellum::test
