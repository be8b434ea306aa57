// Mnemonics for the integer instructions, whole instruction sets for x87, MMX and SSE.
#include "jit/verifier_list.hpp"

#include <array>

namespace vellum {

namespace {

struct Row {
    ZydisMnemonic mnemonic;
    HostClass kind = HostClass::Plain;
};
// MOVSD and CMPSD are the names of SSE2 instructions too: see host_class.
constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_ADC},
    {ZYDIS_MNEMONIC_ADD},
    {ZYDIS_MNEMONIC_AND},
    {ZYDIS_MNEMONIC_BSWAP},
    {ZYDIS_MNEMONIC_CBW},
    {ZYDIS_MNEMONIC_CDQ},
    {ZYDIS_MNEMONIC_CLC},
    {ZYDIS_MNEMONIC_CLD},
    {ZYDIS_MNEMONIC_CMC},
    {ZYDIS_MNEMONIC_CMP},
    {ZYDIS_MNEMONIC_CMPXCHG8B},
    {ZYDIS_MNEMONIC_CRC32},
    {ZYDIS_MNEMONIC_CWD},
    {ZYDIS_MNEMONIC_CWDE},
    {ZYDIS_MNEMONIC_DEC},
    {ZYDIS_MNEMONIC_DIV},
    {ZYDIS_MNEMONIC_IDIV},
    {ZYDIS_MNEMONIC_IMUL},
    {ZYDIS_MNEMONIC_INC},
    {ZYDIS_MNEMONIC_LAHF},
    {ZYDIS_MNEMONIC_LEA},
    {ZYDIS_MNEMONIC_MOV},
    {ZYDIS_MNEMONIC_MOVSX},
    {ZYDIS_MNEMONIC_MOVZX},
    {ZYDIS_MNEMONIC_MUL},
    {ZYDIS_MNEMONIC_NEG},
    {ZYDIS_MNEMONIC_NOT},
    {ZYDIS_MNEMONIC_OR},
    {ZYDIS_MNEMONIC_PAUSE},
    {ZYDIS_MNEMONIC_POPCNT},
    {ZYDIS_MNEMONIC_RDTSC},
    {ZYDIS_MNEMONIC_SAHF},
    {ZYDIS_MNEMONIC_SBB},
    {ZYDIS_MNEMONIC_STC},
    {ZYDIS_MNEMONIC_STD},
    {ZYDIS_MNEMONIC_SUB},
    {ZYDIS_MNEMONIC_TEST},
    {ZYDIS_MNEMONIC_XADD},
    {ZYDIS_MNEMONIC_XCHG},
    {ZYDIS_MNEMONIC_XOR},
    {ZYDIS_MNEMONIC_ANDN},
    {ZYDIS_MNEMONIC_SHLX},
    {ZYDIS_MNEMONIC_SHRX},
    {ZYDIS_MNEMONIC_SARX},
    {ZYDIS_MNEMONIC_RORX},
    {ZYDIS_MNEMONIC_FCOMI},
    {ZYDIS_MNEMONIC_FCOMIP},
    {ZYDIS_MNEMONIC_FUCOMI},
    {ZYDIS_MNEMONIC_FUCOMIP},
    {ZYDIS_MNEMONIC_CMOVB},
    {ZYDIS_MNEMONIC_CMOVBE},
    {ZYDIS_MNEMONIC_CMOVL},
    {ZYDIS_MNEMONIC_CMOVLE},
    {ZYDIS_MNEMONIC_CMOVNB},
    {ZYDIS_MNEMONIC_CMOVNBE},
    {ZYDIS_MNEMONIC_CMOVNL},
    {ZYDIS_MNEMONIC_CMOVNLE},
    {ZYDIS_MNEMONIC_CMOVNO},
    {ZYDIS_MNEMONIC_CMOVNP},
    {ZYDIS_MNEMONIC_CMOVNS},
    {ZYDIS_MNEMONIC_CMOVNZ},
    {ZYDIS_MNEMONIC_CMOVO},
    {ZYDIS_MNEMONIC_CMOVP},
    {ZYDIS_MNEMONIC_CMOVS},
    {ZYDIS_MNEMONIC_CMOVZ},
    {ZYDIS_MNEMONIC_SETB},
    {ZYDIS_MNEMONIC_SETBE},
    {ZYDIS_MNEMONIC_SETL},
    {ZYDIS_MNEMONIC_SETLE},
    {ZYDIS_MNEMONIC_SETNB},
    {ZYDIS_MNEMONIC_SETNBE},
    {ZYDIS_MNEMONIC_SETNL},
    {ZYDIS_MNEMONIC_SETNLE},
    {ZYDIS_MNEMONIC_SETNO},
    {ZYDIS_MNEMONIC_SETNP},
    {ZYDIS_MNEMONIC_SETNS},
    {ZYDIS_MNEMONIC_SETNZ},
    {ZYDIS_MNEMONIC_SETO},
    {ZYDIS_MNEMONIC_SETP},
    {ZYDIS_MNEMONIC_SETS},
    {ZYDIS_MNEMONIC_SETZ},
    {ZYDIS_MNEMONIC_BSF, HostClass::Keeps},
    {ZYDIS_MNEMONIC_BSR, HostClass::Keeps},
    {ZYDIS_MNEMONIC_CMPXCHG, HostClass::Keeps},
    {ZYDIS_MNEMONIC_RCL, HostClass::Keeps},
    {ZYDIS_MNEMONIC_RCR, HostClass::Keeps},
    {ZYDIS_MNEMONIC_ROL, HostClass::Keeps},
    {ZYDIS_MNEMONIC_ROR, HostClass::Keeps},
    {ZYDIS_MNEMONIC_SAR, HostClass::Keeps},
    {ZYDIS_MNEMONIC_SHL, HostClass::Keeps},
    {ZYDIS_MNEMONIC_SHLD, HostClass::Keeps},
    {ZYDIS_MNEMONIC_SHR, HostClass::Keeps},
    {ZYDIS_MNEMONIC_SHRD, HostClass::Keeps},
    {ZYDIS_MNEMONIC_BT, HostClass::BitString},
    {ZYDIS_MNEMONIC_BTC, HostClass::BitString},
    {ZYDIS_MNEMONIC_BTR, HostClass::BitString},
    {ZYDIS_MNEMONIC_BTS, HostClass::BitString},
    {ZYDIS_MNEMONIC_NOP, HostClass::Nop},
    {ZYDIS_MNEMONIC_PREFETCHNTA, HostClass::Hint},
    {ZYDIS_MNEMONIC_PREFETCHT0, HostClass::Hint},
    {ZYDIS_MNEMONIC_PREFETCHT1, HostClass::Hint},
    {ZYDIS_MNEMONIC_PREFETCHT2, HostClass::Hint},
    {ZYDIS_MNEMONIC_PREFETCHW, HostClass::Hint},
    {ZYDIS_MNEMONIC_CLFLUSH, HostClass::Hint},
    {ZYDIS_MNEMONIC_FXSAVE, HostClass::FxImage},
    {ZYDIS_MNEMONIC_FXRSTOR, HostClass::FxImage},
    {ZYDIS_MNEMONIC_MOVSB, HostClass::String},
    {ZYDIS_MNEMONIC_MOVSW, HostClass::String},
    {ZYDIS_MNEMONIC_STOSB, HostClass::String},
    {ZYDIS_MNEMONIC_STOSW, HostClass::String},
    {ZYDIS_MNEMONIC_STOSD, HostClass::String},
    {ZYDIS_MNEMONIC_LODSB, HostClass::String},
    {ZYDIS_MNEMONIC_LODSW, HostClass::String},
    {ZYDIS_MNEMONIC_LODSD, HostClass::String},
    {ZYDIS_MNEMONIC_CMPSB, HostClass::String},
    {ZYDIS_MNEMONIC_CMPSW, HostClass::String},
    {ZYDIS_MNEMONIC_SCASB, HostClass::String},
    {ZYDIS_MNEMONIC_SCASW, HostClass::String},
    {ZYDIS_MNEMONIC_SCASD, HostClass::String},
    {ZYDIS_MNEMONIC_LOOP, HostClass::Branch},
    {ZYDIS_MNEMONIC_LOOPE, HostClass::Branch},
    {ZYDIS_MNEMONIC_LOOPNE, HostClass::Branch},
    {ZYDIS_MNEMONIC_JMP, HostClass::Jump},
    {ZYDIS_MNEMONIC_JB, HostClass::Branch},
    {ZYDIS_MNEMONIC_JBE, HostClass::Branch},
    {ZYDIS_MNEMONIC_JL, HostClass::Branch},
    {ZYDIS_MNEMONIC_JLE, HostClass::Branch},
    {ZYDIS_MNEMONIC_JNB, HostClass::Branch},
    {ZYDIS_MNEMONIC_JNBE, HostClass::Branch},
    {ZYDIS_MNEMONIC_JNL, HostClass::Branch},
    {ZYDIS_MNEMONIC_JNLE, HostClass::Branch},
    {ZYDIS_MNEMONIC_JNO, HostClass::Branch},
    {ZYDIS_MNEMONIC_JNP, HostClass::Branch},
    {ZYDIS_MNEMONIC_JNS, HostClass::Branch},
    {ZYDIS_MNEMONIC_JNZ, HostClass::Branch},
    {ZYDIS_MNEMONIC_JO, HostClass::Branch},
    {ZYDIS_MNEMONIC_JP, HostClass::Branch},
    {ZYDIS_MNEMONIC_JS, HostClass::Branch},
    {ZYDIS_MNEMONIC_JZ, HostClass::Branch},
    {ZYDIS_MNEMONIC_JECXZ, HostClass::Branch},
    {ZYDIS_MNEMONIC_JRCXZ, HostClass::Branch},
    {ZYDIS_MNEMONIC_CALL, HostClass::Call},
    {ZYDIS_MNEMONIC_RET, HostClass::Return},
    {ZYDIS_MNEMONIC_PUSHFQ, HostClass::PushFlags},
    {ZYDIS_MNEMONIC_POPFQ, HostClass::PopFlags},
    {ZYDIS_MNEMONIC_PUSH, HostClass::Push},
    {ZYDIS_MNEMONIC_POP, HostClass::Pop},
    {ZYDIS_MNEMONIC_INT3, HostClass::Breakpoint},
};

constexpr auto classes = [] {
    std::array<HostClass, ZYDIS_MNEMONIC_MAX_VALUE + 1> table{};
    for (const Row& row : rows) table[row.mnemonic] = row.kind;
    return table;
}();

constexpr ZydisISASet media_sets[] = {
    ZYDIS_ISA_SET_X87,      ZYDIS_ISA_SET_FCMOV,    ZYDIS_ISA_SET_PENTIUMMMX, ZYDIS_ISA_SET_SSE,
    ZYDIS_ISA_SET_SSE2,     ZYDIS_ISA_SET_SSE2MMX,  ZYDIS_ISA_SET_SSE3,       ZYDIS_ISA_SET_SSE3X87,
    ZYDIS_ISA_SET_SSSE3,    ZYDIS_ISA_SET_SSSE3MMX, ZYDIS_ISA_SET_SSE4,       ZYDIS_ISA_SET_SSE42,
    ZYDIS_ISA_SET_SSEMXCSR, ZYDIS_ISA_SET_AES,      ZYDIS_ISA_SET_PCLMULQDQ,  ZYDIS_ISA_SET_SHA,
};

// These would show the guest where the host's x87 code and data lie.
constexpr ZydisMnemonic environment_stores[] = {ZYDIS_MNEMONIC_FNSTENV, ZYDIS_MNEMONIC_FNSAVE};

bool in_media_set(const ZydisDecodedInstruction& z) {
    for (ZydisMnemonic m : environment_stores)
        if (z.mnemonic == m) return false;
    for (ZydisISASet set : media_sets)
        if (z.meta.isa_set == set) return true;
    return false;
}

}  // namespace

HostClass host_class(const ZydisDecodedInstruction& z) {
    constexpr ZydisInstructionAttributes refused_prefixes =
        ZYDIS_ATTRIB_HAS_XACQUIRE | ZYDIS_ATTRIB_HAS_XRELEASE | ZYDIS_ATTRIB_HAS_BND | ZYDIS_ATTRIB_HAS_SEGMENT_FS;
    if (z.attributes & refused_prefixes) return HostClass::Refused;
    HostClass named = classes[z.mnemonic];
    // Counting in RCX would carry into the upper half; in ECX (67) it does not.
    bool loops =
        z.mnemonic == ZYDIS_MNEMONIC_LOOP || z.mnemonic == ZYDIS_MNEMONIC_LOOPE || z.mnemonic == ZYDIS_MNEMONIC_LOOPNE;
    if (loops && z.address_width != 32) return HostClass::Refused;
    bool bit_manipulation = z.mnemonic == ZYDIS_MNEMONIC_ANDN || z.meta.isa_set == ZYDIS_ISA_SET_BMI2;
    if (z.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
        return z.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX && bit_manipulation && named == HostClass::Plain
                   ? HostClass::Plain
                   : HostClass::Refused;
    if (z.mnemonic == ZYDIS_MNEMONIC_MOVSD || z.mnemonic == ZYDIS_MNEMONIC_CMPSD)
        return z.meta.isa_set == ZYDIS_ISA_SET_I386 ? HostClass::String
               : in_media_set(z)                    ? HostClass::Plain
                                                    : HostClass::Refused;
    if (named != HostClass::Refused) return named;
    return in_media_set(z) ? HostClass::Plain : HostClass::Refused;
}

}  // namespace vellum
