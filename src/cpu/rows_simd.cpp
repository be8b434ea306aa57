// MMX, SSE to SSE4.2, AES, PCLMULQDQ and SHA (SDM vol. 1, chapters 9 to 12; vol. 3A, chapters 12 and 13). Computation
// runs on the host's unit over a copy of the guest's registers, with every SSE exception masked; the flags that come
// out tell what the guest's own masks would have done.
#include <algorithm>
#include <array>
#include <cstring>

#include "cpu/fpu.hpp"
#include "cpu/memory_access.hpp"
#include "cpu/rows.hpp"
#include "cpu/simd_state.hpp"

namespace vellum {

namespace {

namespace mxcsr {
constexpr u32 exceptions = 0x3F, before_computation = 0x07 /* IE DE ZE */, underflow = 0x10;
constexpr u32 masks_shift = 7, all_masks = exceptions << masks_shift;
constexpr u32 control = 0xE040;  // flush to zero, rounding, denormals are zeros
constexpr u32 flush_to_zero = 0x8000;
}  // namespace mxcsr

struct Uses {
    bool xmm = false, mmx = false;
    const Operand* memory = nullptr;
    const Operand* general = nullptr;  // the last one
};

Uses uses_of(const Instruction& in) {
    Uses uses;
    for (const Operand& o : in.op) {
        uses.xmm |= o.kind == Operand::Kind::Xmm;
        uses.mmx |= o.kind == Operand::Kind::Mmx;
        if (o.kind == Operand::Kind::Memory) uses.memory = &o;
        if (o.kind == Operand::Kind::Gpr) uses.general = &o;
    }
    return uses;
}

// The 16-byte operands that need not be aligned (SDM vol. 1, 4.1.1 and 12.10.3).
bool may_be_unaligned(Mnemonic m) {
    constexpr Mnemonic list[] = {ZYDIS_MNEMONIC_MOVUPS,    ZYDIS_MNEMONIC_MOVUPD,    ZYDIS_MNEMONIC_MOVDQU,
                                 ZYDIS_MNEMONIC_LDDQU,     ZYDIS_MNEMONIC_PCMPESTRI, ZYDIS_MNEMONIC_PCMPESTRM,
                                 ZYDIS_MNEMONIC_PCMPISTRI, ZYDIS_MNEMONIC_PCMPISTRM};
    return std::find(std::begin(list), std::end(list), m) != std::end(list);
}

bool string_comparison_of_given_lengths(Mnemonic m) {
    return m == ZYDIS_MNEMONIC_PCMPESTRI || m == ZYDIS_MNEMONIC_PCMPESTRM;
}

u32 general_value(Cpu& cpu, const Operand& o) {
    return o.size == 1 ? cpu.get8(o.reg) : o.size == 2 ? cpu.get16(o.reg) : cpu.get32(o.reg);
}

// General registers travel in EAX when ModRM.reg names them, else in EDX (host_stubs.hpp). An instruction has both
// only as CRC32, whose first operand is the register field.
void load_general(Cpu& cpu, const Instruction& in, HostOperands& operands) {
    if (string_comparison_of_given_lengths(in.mnemonic)) {
        operands.eax = cpu.get32(0);
        operands.edx = cpu.get32(2);
    } else if (in.mnemonic == ZYDIS_MNEMONIC_CRC32) {
        operands.eax = cpu.get32(in.op[0].reg);
        if (in.op[1].kind == Operand::Kind::Gpr) operands.edx = general_value(cpu, in.op[1]);
    } else if (const Operand* o = uses_of(in).general) {
        operands.eax = operands.edx = general_value(cpu, *o);
    }
}

// In one of the two the value went through unchanged; which of them is the operand is known from the encoding.
void store_general(Cpu& cpu, const Instruction& in, const HostOperands& operands) {
    const Operand& o = in.op[0];
    if (o.kind == Operand::Kind::Gpr && o.access & Operand::Write)
        cpu.set32(o.reg, static_cast<u32>(HostStubs::general_in_register_field(in) ? operands.eax : operands.edx));
    if (in.mnemonic == ZYDIS_MNEMONIC_PCMPESTRI || in.mnemonic == ZYDIS_MNEMONIC_PCMPISTRI)
        cpu.set32(1, static_cast<u32>(operands.ecx));
}

void run(const Uses& uses, HostOperands& operands, HostStubs::Code code) {
    if (uses.mmx)
        HostStubs::run_all(operands, code);
    else
        HostStubs::run_vector(operands, code);
}

// An unmasked underflow is raised for every tiny result, a masked one is flagged only for inexact ones, but for all
// of them when results are flushed to zero (SDM vol. 1, 4.9.1.5 and 10.2.3.3): asked so, the host tells.
bool underflows(const Uses& uses, const HostOperands& before, HostStubs::Code code) {
    HostOperands operands = before;
    operands.fpu.mxcsr |= mxcsr::flush_to_zero;
    run(uses, operands, code);
    return operands.fpu.mxcsr & mxcsr::underflow;
}

// The exceptions that `flags`, raised with everything masked, mean under the guest's masks. An unmasked one that is
// found before the computation keeps those found after it from being looked for (SDM vol. 1, 11.5.3).
Fault simd_exception(CpuState& state, u32 flags) {
    u32 unmasked = flags & ~(state.fpu.mxcsr >> mxcsr::masks_shift);
    if (unmasked & mxcsr::before_computation) flags &= mxcsr::before_computation;
    state.fpu.mxcsr |= flags;
    if (!unmasked) return Fault::none();
    return Fault::exception(state.cr4 & cr4::osxmmexcpt ? vector::xm : vector::ud);
}

Fault check_unit(Cpu& cpu, const Uses& uses) {
    if (uses.xmm)
        if (Fault fault = check_sse(cpu)) return fault;
    return uses.mmx ? check_mmx(cpu) : Fault::none();
}

Fault read_memory(Cpu& cpu, const Instruction& in, const Operand& o, u32 offset, HostOperands& operands) {
    Seg segment = in.memory.segment;
    if (o.size == 16 && !may_be_unaligned(in.mnemonic))
        if (Fault fault = check_aligned(cpu, segment, offset)) return fault;
    Access access = o.access & Operand::Write ? Access::Write : Access::Read;
    if (Fault fault = check_natural_alignment(cpu, segment, offset, o.size, access)) return fault;
    return o.access & Operand::Read ? cpu.read_bytes(segment, offset, {operands.memory, o.size}) : Fault::none();
}

Fault execute_simd(Cpu& cpu, const Instruction& in) {
    Uses uses = uses_of(in);
    uses.mmx |= in.mnemonic == ZYDIS_MNEMONIC_EMMS;
    if (Fault fault = check_unit(cpu, uses)) return fault;
    HostStubs::Code code = cpu.host_stubs.find(in);
    if (!code) return Fault::exception(vector::ud);

    CpuState& state = cpu.state;
    HostOperands operands;
    operands.fpu = state.fpu;
    x87::PendingSetAside earlier{operands.fpu};
    operands.fpu.mxcsr = (state.fpu.mxcsr & mxcsr::control) | mxcsr::all_masks;
    load_general(cpu, in, operands);
    u32 offset = uses.memory ? cpu.effective_address(in) : 0;
    bool stores = uses.memory && uses.memory->access & Operand::Write;
    // Intel's processors set TOP before they store an MMX register, and leave it so when the store faults.
    if (uses.mmx && stores && !host_is_amds()) x87::set_top(state.fpu, 0);
    if (uses.memory)
        if (Fault fault = read_memory(cpu, in, *uses.memory, offset, operands)) return fault;

    bool exact_underflow = false;
    if (!(state.fpu.mxcsr & mxcsr::underflow << mxcsr::masks_shift)) exact_underflow = underflows(uses, operands, code);
    run(uses, operands, code);
    u32 flags = operands.fpu.mxcsr & mxcsr::exceptions;
    if (exact_underflow) flags |= mxcsr::underflow;
    if (Fault fault = simd_exception(state, flags)) {
        if (uses.mmx) enter_mmx(state.fpu);
        return fault;
    }
    if (stores)
        if (Fault fault = cpu.write_bytes(in.memory.segment, offset, {operands.memory, uses.memory->size}))
            return fault;

    earlier.put_back(operands.fpu);
    if (uses.mmx) x87::take_over(state.fpu, operands.fpu);
    std::memcpy(state.fpu.xmm, operands.fpu.xmm, sizeof state.fpu.xmm);
    store_general(cpu, in, operands);
    if (in.flags_written)
        state.eflags = (state.eflags & ~eflags::arithmetic) | (static_cast<u32>(operands.flags) & eflags::arithmetic);
    return Fault::none();
}

constexpr Mnemonic computing[] = {
    ZYDIS_MNEMONIC_ADDPD,     ZYDIS_MNEMONIC_ADDPS,     ZYDIS_MNEMONIC_ADDSD,     ZYDIS_MNEMONIC_ADDSS,
    ZYDIS_MNEMONIC_ADDSUBPD,  ZYDIS_MNEMONIC_ADDSUBPS,  ZYDIS_MNEMONIC_ANDNPD,    ZYDIS_MNEMONIC_ANDNPS,
    ZYDIS_MNEMONIC_ANDPD,     ZYDIS_MNEMONIC_ANDPS,     ZYDIS_MNEMONIC_BLENDPD,   ZYDIS_MNEMONIC_BLENDPS,
    ZYDIS_MNEMONIC_BLENDVPD,  ZYDIS_MNEMONIC_BLENDVPS,  ZYDIS_MNEMONIC_CMPPD,     ZYDIS_MNEMONIC_CMPPS,
    ZYDIS_MNEMONIC_CMPSS,     ZYDIS_MNEMONIC_COMISD,    ZYDIS_MNEMONIC_COMISS,    ZYDIS_MNEMONIC_CRC32,
    ZYDIS_MNEMONIC_CVTDQ2PD,  ZYDIS_MNEMONIC_CVTDQ2PS,  ZYDIS_MNEMONIC_CVTPD2DQ,  ZYDIS_MNEMONIC_CVTPD2PI,
    ZYDIS_MNEMONIC_CVTPD2PS,  ZYDIS_MNEMONIC_CVTPI2PD,  ZYDIS_MNEMONIC_CVTPI2PS,  ZYDIS_MNEMONIC_CVTPS2DQ,
    ZYDIS_MNEMONIC_CVTPS2PD,  ZYDIS_MNEMONIC_CVTPS2PI,  ZYDIS_MNEMONIC_CVTSD2SI,  ZYDIS_MNEMONIC_CVTSD2SS,
    ZYDIS_MNEMONIC_CVTSI2SD,  ZYDIS_MNEMONIC_CVTSI2SS,  ZYDIS_MNEMONIC_CVTSS2SD,  ZYDIS_MNEMONIC_CVTSS2SI,
    ZYDIS_MNEMONIC_CVTTPD2DQ, ZYDIS_MNEMONIC_CVTTPD2PI, ZYDIS_MNEMONIC_CVTTPS2DQ, ZYDIS_MNEMONIC_CVTTPS2PI,
    ZYDIS_MNEMONIC_CVTTSD2SI, ZYDIS_MNEMONIC_CVTTSS2SI, ZYDIS_MNEMONIC_DIVPD,     ZYDIS_MNEMONIC_DIVPS,
    ZYDIS_MNEMONIC_DIVSD,     ZYDIS_MNEMONIC_DIVSS,     ZYDIS_MNEMONIC_DPPD,      ZYDIS_MNEMONIC_DPPS,
    ZYDIS_MNEMONIC_EMMS,      ZYDIS_MNEMONIC_EXTRACTPS, ZYDIS_MNEMONIC_HADDPD,    ZYDIS_MNEMONIC_HADDPS,
    ZYDIS_MNEMONIC_HSUBPD,    ZYDIS_MNEMONIC_HSUBPS,    ZYDIS_MNEMONIC_INSERTPS,  ZYDIS_MNEMONIC_LDDQU,
    ZYDIS_MNEMONIC_MAXPD,     ZYDIS_MNEMONIC_MAXPS,     ZYDIS_MNEMONIC_MAXSD,     ZYDIS_MNEMONIC_MAXSS,
    ZYDIS_MNEMONIC_MINPD,     ZYDIS_MNEMONIC_MINPS,     ZYDIS_MNEMONIC_MINSD,     ZYDIS_MNEMONIC_MINSS,
    ZYDIS_MNEMONIC_MOVAPD,    ZYDIS_MNEMONIC_MOVAPS,    ZYDIS_MNEMONIC_MOVD,      ZYDIS_MNEMONIC_MOVDDUP,
    ZYDIS_MNEMONIC_MOVDQ2Q,   ZYDIS_MNEMONIC_MOVDQA,    ZYDIS_MNEMONIC_MOVDQU,    ZYDIS_MNEMONIC_MOVHLPS,
    ZYDIS_MNEMONIC_MOVHPD,    ZYDIS_MNEMONIC_MOVHPS,    ZYDIS_MNEMONIC_MOVLHPS,   ZYDIS_MNEMONIC_MOVLPD,
    ZYDIS_MNEMONIC_MOVLPS,    ZYDIS_MNEMONIC_MOVMSKPD,  ZYDIS_MNEMONIC_MOVMSKPS,  ZYDIS_MNEMONIC_MOVNTDQ,
    ZYDIS_MNEMONIC_MOVNTDQA,  ZYDIS_MNEMONIC_MOVNTI,    ZYDIS_MNEMONIC_MOVNTPD,   ZYDIS_MNEMONIC_MOVNTPS,
    ZYDIS_MNEMONIC_MOVNTQ,    ZYDIS_MNEMONIC_MOVQ,      ZYDIS_MNEMONIC_MOVQ2DQ,   ZYDIS_MNEMONIC_MOVSHDUP,
    ZYDIS_MNEMONIC_MOVSLDUP,  ZYDIS_MNEMONIC_MOVSS,     ZYDIS_MNEMONIC_MOVUPD,    ZYDIS_MNEMONIC_MOVUPS,
    ZYDIS_MNEMONIC_MPSADBW,   ZYDIS_MNEMONIC_MULPD,     ZYDIS_MNEMONIC_MULPS,     ZYDIS_MNEMONIC_MULSD,
    ZYDIS_MNEMONIC_MULSS,     ZYDIS_MNEMONIC_ORPD,      ZYDIS_MNEMONIC_ORPS,      ZYDIS_MNEMONIC_PABSB,
    ZYDIS_MNEMONIC_PABSD,     ZYDIS_MNEMONIC_PABSW,     ZYDIS_MNEMONIC_PACKSSDW,  ZYDIS_MNEMONIC_PACKSSWB,
    ZYDIS_MNEMONIC_PACKUSDW,  ZYDIS_MNEMONIC_PACKUSWB,  ZYDIS_MNEMONIC_PADDB,     ZYDIS_MNEMONIC_PADDD,
    ZYDIS_MNEMONIC_PADDQ,     ZYDIS_MNEMONIC_PADDSB,    ZYDIS_MNEMONIC_PADDSW,    ZYDIS_MNEMONIC_PADDUSB,
    ZYDIS_MNEMONIC_PADDUSW,   ZYDIS_MNEMONIC_PADDW,     ZYDIS_MNEMONIC_PALIGNR,   ZYDIS_MNEMONIC_PAND,
    ZYDIS_MNEMONIC_PANDN,     ZYDIS_MNEMONIC_PAVGB,     ZYDIS_MNEMONIC_PAVGW,     ZYDIS_MNEMONIC_PBLENDVB,
    ZYDIS_MNEMONIC_PBLENDW,   ZYDIS_MNEMONIC_PCMPEQB,   ZYDIS_MNEMONIC_PCMPEQD,   ZYDIS_MNEMONIC_PCMPEQQ,
    ZYDIS_MNEMONIC_PCMPEQW,   ZYDIS_MNEMONIC_PCMPESTRI, ZYDIS_MNEMONIC_PCMPESTRM, ZYDIS_MNEMONIC_PCMPGTB,
    ZYDIS_MNEMONIC_PCMPGTD,   ZYDIS_MNEMONIC_PCMPGTQ,   ZYDIS_MNEMONIC_PCMPGTW,   ZYDIS_MNEMONIC_PCMPISTRI,
    ZYDIS_MNEMONIC_PCMPISTRM, ZYDIS_MNEMONIC_PEXTRB,    ZYDIS_MNEMONIC_PEXTRD,    ZYDIS_MNEMONIC_PEXTRW,
    ZYDIS_MNEMONIC_PHADDD,    ZYDIS_MNEMONIC_PHADDSW,   ZYDIS_MNEMONIC_PHADDW,    ZYDIS_MNEMONIC_PHMINPOSUW,
    ZYDIS_MNEMONIC_PHSUBD,    ZYDIS_MNEMONIC_PHSUBSW,   ZYDIS_MNEMONIC_PHSUBW,    ZYDIS_MNEMONIC_PINSRB,
    ZYDIS_MNEMONIC_PINSRD,    ZYDIS_MNEMONIC_PINSRW,    ZYDIS_MNEMONIC_PMADDUBSW, ZYDIS_MNEMONIC_PMADDWD,
    ZYDIS_MNEMONIC_PMAXSB,    ZYDIS_MNEMONIC_PMAXSD,    ZYDIS_MNEMONIC_PMAXSW,    ZYDIS_MNEMONIC_PMAXUB,
    ZYDIS_MNEMONIC_PMAXUD,    ZYDIS_MNEMONIC_PMAXUW,    ZYDIS_MNEMONIC_PMINSB,    ZYDIS_MNEMONIC_PMINSD,
    ZYDIS_MNEMONIC_PMINSW,    ZYDIS_MNEMONIC_PMINUB,    ZYDIS_MNEMONIC_PMINUD,    ZYDIS_MNEMONIC_PMINUW,
    ZYDIS_MNEMONIC_PMOVMSKB,  ZYDIS_MNEMONIC_PMOVSXBD,  ZYDIS_MNEMONIC_PMOVSXBQ,  ZYDIS_MNEMONIC_PMOVSXBW,
    ZYDIS_MNEMONIC_PMOVSXDQ,  ZYDIS_MNEMONIC_PMOVSXWD,  ZYDIS_MNEMONIC_PMOVSXWQ,  ZYDIS_MNEMONIC_PMOVZXBD,
    ZYDIS_MNEMONIC_PMOVZXBQ,  ZYDIS_MNEMONIC_PMOVZXBW,  ZYDIS_MNEMONIC_PMOVZXDQ,  ZYDIS_MNEMONIC_PMOVZXWD,
    ZYDIS_MNEMONIC_PMOVZXWQ,  ZYDIS_MNEMONIC_PMULDQ,    ZYDIS_MNEMONIC_PMULHRSW,  ZYDIS_MNEMONIC_PMULHUW,
    ZYDIS_MNEMONIC_PMULHW,    ZYDIS_MNEMONIC_PMULLD,    ZYDIS_MNEMONIC_PMULLW,    ZYDIS_MNEMONIC_PMULUDQ,
    ZYDIS_MNEMONIC_POR,       ZYDIS_MNEMONIC_PSADBW,    ZYDIS_MNEMONIC_PSHUFB,    ZYDIS_MNEMONIC_PSHUFD,
    ZYDIS_MNEMONIC_PSHUFHW,   ZYDIS_MNEMONIC_PSHUFLW,   ZYDIS_MNEMONIC_PSHUFW,    ZYDIS_MNEMONIC_PSIGNB,
    ZYDIS_MNEMONIC_PSIGND,    ZYDIS_MNEMONIC_PSIGNW,    ZYDIS_MNEMONIC_PSLLD,     ZYDIS_MNEMONIC_PSLLDQ,
    ZYDIS_MNEMONIC_PSLLQ,     ZYDIS_MNEMONIC_PSLLW,     ZYDIS_MNEMONIC_PSRAD,     ZYDIS_MNEMONIC_PSRAW,
    ZYDIS_MNEMONIC_PSRLD,     ZYDIS_MNEMONIC_PSRLDQ,    ZYDIS_MNEMONIC_PSRLQ,     ZYDIS_MNEMONIC_PSRLW,
    ZYDIS_MNEMONIC_PSUBB,     ZYDIS_MNEMONIC_PSUBD,     ZYDIS_MNEMONIC_PSUBQ,     ZYDIS_MNEMONIC_PSUBSB,
    ZYDIS_MNEMONIC_PSUBSW,    ZYDIS_MNEMONIC_PSUBUSB,   ZYDIS_MNEMONIC_PSUBUSW,   ZYDIS_MNEMONIC_PSUBW,
    ZYDIS_MNEMONIC_PTEST,     ZYDIS_MNEMONIC_PUNPCKHBW, ZYDIS_MNEMONIC_PUNPCKHDQ, ZYDIS_MNEMONIC_PUNPCKHQDQ,
    ZYDIS_MNEMONIC_PUNPCKHWD, ZYDIS_MNEMONIC_PUNPCKLBW, ZYDIS_MNEMONIC_PUNPCKLDQ, ZYDIS_MNEMONIC_PUNPCKLQDQ,
    ZYDIS_MNEMONIC_PUNPCKLWD, ZYDIS_MNEMONIC_PXOR,      ZYDIS_MNEMONIC_RCPPS,     ZYDIS_MNEMONIC_RCPSS,
    ZYDIS_MNEMONIC_ROUNDPD,   ZYDIS_MNEMONIC_ROUNDPS,   ZYDIS_MNEMONIC_ROUNDSD,   ZYDIS_MNEMONIC_ROUNDSS,
    ZYDIS_MNEMONIC_RSQRTPS,   ZYDIS_MNEMONIC_RSQRTSS,   ZYDIS_MNEMONIC_SHUFPD,    ZYDIS_MNEMONIC_SHUFPS,
    ZYDIS_MNEMONIC_SQRTPD,    ZYDIS_MNEMONIC_SQRTPS,    ZYDIS_MNEMONIC_SQRTSD,    ZYDIS_MNEMONIC_SQRTSS,
    ZYDIS_MNEMONIC_SUBPD,     ZYDIS_MNEMONIC_SUBPS,     ZYDIS_MNEMONIC_SUBSD,     ZYDIS_MNEMONIC_SUBSS,
    ZYDIS_MNEMONIC_UCOMISD,   ZYDIS_MNEMONIC_UCOMISS,   ZYDIS_MNEMONIC_UNPCKHPD,  ZYDIS_MNEMONIC_UNPCKHPS,
    ZYDIS_MNEMONIC_UNPCKLPD,  ZYDIS_MNEMONIC_UNPCKLPS,  ZYDIS_MNEMONIC_XORPD,     ZYDIS_MNEMONIC_XORPS,
};

// Offered where the host has them (host_features.hpp). No floating point: MXCSR neither counts nor changes.
constexpr Mnemonic cryptographic[] = {
    ZYDIS_MNEMONIC_AESDEC,     ZYDIS_MNEMONIC_AESDECLAST,      ZYDIS_MNEMONIC_AESENC,    ZYDIS_MNEMONIC_AESENCLAST,
    ZYDIS_MNEMONIC_AESIMC,     ZYDIS_MNEMONIC_AESKEYGENASSIST, ZYDIS_MNEMONIC_PCLMULQDQ, ZYDIS_MNEMONIC_SHA1MSG1,
    ZYDIS_MNEMONIC_SHA1MSG2,   ZYDIS_MNEMONIC_SHA1NEXTE,       ZYDIS_MNEMONIC_SHA1RNDS4, ZYDIS_MNEMONIC_SHA256MSG1,
    ZYDIS_MNEMONIC_SHA256MSG2, ZYDIS_MNEMONIC_SHA256RNDS2,
};

constexpr InstructionRow state_rows[] = {
    {ZYDIS_MNEMONIC_FXSAVE, execute_fxsave, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_FXRSTOR, execute_fxrstor, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_LDMXCSR, execute_ldmxcsr, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_STMXCSR, execute_stmxcsr, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_MASKMOVQ, execute_maskmovq, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_MASKMOVDQU, execute_maskmovdqu, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_SFENCE, execute_fence, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_LFENCE, execute_fence, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_MFENCE, execute_fence, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_CLFLUSH, execute_clflush, TranslationClass::Ident},
};

constexpr auto rows = [] {
    std::array<InstructionRow, std::size(computing) + std::size(cryptographic) + std::size(state_rows)> all{};
    auto next = std::copy(std::begin(state_rows), std::end(state_rows), all.begin());
    for (Mnemonic m : computing) *next++ = {m, execute_simd, TranslationClass::Ident};
    for (Mnemonic m : cryptographic) *next++ = {m, execute_simd, TranslationClass::Ident};
    return all;
}();

constexpr InstructionRow scalar_double_rows[] = {
    {ZYDIS_MNEMONIC_MOVSD, execute_simd, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_CMPSD, execute_simd, TranslationClass::Ident},
};

}  // namespace

std::span<const InstructionRow> simd_rows() { return rows; }

const InstructionRow* simd_row_of_shared_name(const Instruction& in) {
    if (in.opcode_map == 0) return nullptr;
    for (const InstructionRow& row : scalar_double_rows)
        if (row.mnemonic == in.mnemonic) return &row;
    return nullptr;
}

}  // namespace vellum
