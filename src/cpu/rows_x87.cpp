// The x87 instructions (SDM vol. 1, chapter 8). Arithmetic, moves and comparisons run on the host's unit over a copy of
// the guest's state, which is taken over only when nothing faulted; control instructions are done here.
#include <algorithm>
#include <array>
#include <cstring>

#include "cpu/fpu.hpp"
#include "cpu/memory_access.hpp"
#include "cpu/rows.hpp"
#include "cpu/simd_state.hpp"

namespace vellum {

namespace {

constexpr u64 no_unit = cr0::em | cr0::ts;

const Operand* memory_operand(const Instruction& in) {
    auto found =
        std::find_if(in.op.begin(), in.op.end(), [](const Operand& o) { return o.kind == Operand::Kind::Memory; });
    return found == in.op.end() ? nullptr : &*found;
}

bool uses_eflags(Mnemonic m) {
    switch (m) {
        case ZYDIS_MNEMONIC_FCOMI:
        case ZYDIS_MNEMONIC_FCOMIP:
        case ZYDIS_MNEMONIC_FUCOMI:
        case ZYDIS_MNEMONIC_FUCOMIP: return true;
        default: return false;
    }
}

struct MemoryAccess {
    Seg segment;
    u32 offset;
    u8 bytes;
};

// A store into memory that raises an unmasked exception other than precision is not done (SDM vol. 1, 8.5). AMD's
// processors check the address all the same, Intel's do not. Those write the first eight of ten bytes before the others
// may fault, but for an operand over the end of 4 GiB: of that, both pages are looked at before anything is written.
Fault store_result(Cpu& cpu, const MemoryAccess& to, const HostOperands& operands) {
    bool done = !(x87::pending(operands.fpu) & ~x87::precision);
    if (!done && !host_is_amds()) return Fault::none();
    if (Fault fault = check_natural_alignment(cpu, to.segment, to.offset, to.bytes, Access::Write)) return fault;
    if (!done) return cpu.probe(to.segment, to.offset, to.bytes, Access::Write);
    std::span<const u8> bytes{operands.memory, to.bytes};
    constexpr u8 first = 8;
    bool over_the_end = to.offset + to.bytes - 1 < to.offset;
    if (to.bytes <= first || over_the_end || host_is_amds()) return cpu.write_bytes(to.segment, to.offset, bytes);
    if (Fault fault = cpu.write_bytes(to.segment, to.offset, bytes.first(first))) return fault;
    return cpu.write_bytes(to.segment, to.offset + first, bytes.subspan(first));
}

// Everything that works on the register stack.
Fault execute_arithmetic(Cpu& cpu, const Instruction& in) {
    CpuState& state = cpu.state;
    if (state.cr0 & no_unit) return Fault::exception(vector::nm);
    if (Fault fault = x87::check_pending(cpu)) return fault;
    HostStubs::Code code = cpu.host_stubs.find(in);
    if (!code) return Fault::exception(vector::ud);

    HostOperands operands;
    operands.fpu = state.fpu;
    x87::PendingSetAside earlier{operands.fpu};
    operands.fpu.mxcsr = FxImage{}.mxcsr;
    operands.flags = state.eflags;
    const Operand* memory = memory_operand(in);
    MemoryAccess at{};
    if (memory) {
        at = {in.memory.segment, cpu.effective_address(in), memory->size};
        if (memory->access & Operand::Read) {
            if (Fault fault = check_natural_alignment(cpu, at.segment, at.offset, at.bytes, Access::Read)) return fault;
            if (Fault fault = cpu.read_bytes(at.segment, at.offset, {operands.memory, at.bytes})) return fault;
        }
    }
    HostStubs::run_all(operands, code);
    if (memory && memory->access & Operand::Write)
        if (Fault fault = store_result(cpu, at, operands)) return fault;

    const u32 eip = static_cast<u32>(state.eip);
    x87::Pointers pointers{.instruction_offset = eip, .instruction_selector = state.segment(Seg::Cs).selector};
    if (x87::pending(operands.fpu)) pointers = x87::pointers_of(state, in, eip, at.offset);
    earlier.put_back(operands.fpu);
    x87::take_over(state.fpu, operands.fpu);
    x87::set_pointers(state.fpu, pointers);
    if (uses_eflags(in.mnemonic))
        state.eflags = (state.eflags & ~eflags::arithmetic) | (static_cast<u32>(operands.flags) & eflags::arithmetic);
    return Fault::none();
}

Fault execute_fldcw(Cpu& cpu, const Instruction& in) {
    if (cpu.state.cr0 & no_unit) return Fault::exception(vector::nm);
    if (Fault fault = x87::check_pending(cpu)) return fault;
    OrFault<u16> value = cpu.read<u16>(in.memory.segment, cpu.effective_address(in));
    if (!value) return value.fault();
    cpu.state.fpu.control = x87::control_word(*value);
    x87::update_summary(cpu.state.fpu);
    x87::update_ferr(cpu);
    return Fault::none();
}

x87::EnvironmentForm environment_form(Cpu& cpu, const Instruction& in) {
    return {in.operand_size, cpu.state.real_or_v86()};
}

// The image's words are aligned by the operand size (SDM 3A table 6-7), as the first of them finds out.
Fault check_image_alignment(const Cpu& cpu, const Instruction& in, Access access) {
    return cpu.check_alignment(in.memory.segment, cpu.effective_address(in), in.operand_size, in.operand_size, access);
}

Fault execute_fninit(Cpu& cpu, const Instruction&) {
    if (cpu.state.cr0 & no_unit) return Fault::exception(vector::nm);
    x87::initialize(cpu.state.fpu);
    x87::update_ferr(cpu);
    return Fault::none();
}

Fault execute_fnclex(Cpu& cpu, const Instruction&) {
    if (cpu.state.cr0 & no_unit) return Fault::exception(vector::nm);
    x87::clear_exceptions(cpu.state.fpu);
    x87::update_ferr(cpu);
    return Fault::none();
}

Fault execute_fnstsw(Cpu& cpu, const Instruction& in) {
    if (cpu.state.cr0 & no_unit) return Fault::exception(vector::nm);
    if (in.has_memory) return cpu.write<u16>(in.memory.segment, cpu.effective_address(in), cpu.state.fpu.status);
    cpu.set16(0, cpu.state.fpu.status);
    return Fault::none();
}

Fault execute_fnstcw(Cpu& cpu, const Instruction& in) {
    if (cpu.state.cr0 & no_unit) return Fault::exception(vector::nm);
    return cpu.write<u16>(in.memory.segment, cpu.effective_address(in), cpu.state.fpu.control);
}

// After the store every exception is masked, so none is pending any more.
Fault execute_fnstenv(Cpu& cpu, const Instruction& in) {
    if (cpu.state.cr0 & no_unit) return Fault::exception(vector::nm);
    auto form = environment_form(cpu, in);
    u8 bytes[28];
    x87::store_environment(cpu.state.fpu, form, bytes);
    if (Fault fault = check_image_alignment(cpu, in, Access::Write)) return fault;
    if (Fault fault = cpu.write_bytes(in.memory.segment, cpu.effective_address(in), {bytes, form.bytes()}))
        return fault;
    cpu.state.fpu.control |= x87::exceptions;
    x87::update_summary(cpu.state.fpu);
    x87::update_ferr(cpu);
    return Fault::none();
}

Fault execute_fldenv(Cpu& cpu, const Instruction& in) {
    if (cpu.state.cr0 & no_unit) return Fault::exception(vector::nm);
    if (Fault fault = x87::check_pending(cpu)) return fault;
    auto form = environment_form(cpu, in);
    u8 bytes[28];
    if (Fault fault = check_image_alignment(cpu, in, Access::Read)) return fault;
    if (Fault fault = cpu.read_bytes(in.memory.segment, cpu.effective_address(in), {bytes, form.bytes()})) return fault;
    x87::load_environment(cpu.state.fpu, form, bytes);
    x87::update_ferr(cpu);
    return Fault::none();
}

constexpr u32 register_bytes = 10;

Fault execute_fnsave(Cpu& cpu, const Instruction& in) {
    if (cpu.state.cr0 & no_unit) return Fault::exception(vector::nm);
    auto form = environment_form(cpu, in);
    u8 bytes[28 + 8 * register_bytes];
    x87::store_environment(cpu.state.fpu, form, bytes);
    u32 size = form.bytes();
    for (const auto& value : cpu.state.fpu.st) std::memcpy(&bytes[size], value, register_bytes), size += register_bytes;
    if (Fault fault = check_image_alignment(cpu, in, Access::Write)) return fault;
    if (Fault fault = cpu.write_bytes(in.memory.segment, cpu.effective_address(in), {bytes, size})) return fault;
    x87::initialize(cpu.state.fpu);
    x87::update_ferr(cpu);
    return Fault::none();
}

Fault execute_frstor(Cpu& cpu, const Instruction& in) {
    if (cpu.state.cr0 & no_unit) return Fault::exception(vector::nm);
    if (Fault fault = x87::check_pending(cpu)) return fault;
    auto form = environment_form(cpu, in);
    u8 bytes[28 + 8 * register_bytes];
    u32 size = form.bytes();
    if (Fault fault = check_image_alignment(cpu, in, Access::Read)) return fault;
    if (Fault fault = cpu.read_bytes(in.memory.segment, cpu.effective_address(in), {bytes, size + 8 * register_bytes}))
        return fault;
    x87::load_environment(cpu.state.fpu, form, bytes);
    for (auto& value : cpu.state.fpu.st) std::memcpy(value, &bytes[size], register_bytes), size += register_bytes;
    x87::update_ferr(cpu);
    return Fault::none();
}

// WAIT looks at TS only together with MP (SDM 3A 2.5).
Fault execute_fwait(Cpu& cpu, const Instruction&) {
    constexpr u64 both = cr0::mp | cr0::ts;
    if ((cpu.state.cr0 & both) == both) return Fault::exception(vector::nm);
    return x87::check_pending(cpu);
}

// FENI, FDISI and FSETPM: instructions of the 8087 and 80287 that do nothing and do not wait.
Fault execute_nothing(Cpu& cpu, const Instruction&) {
    return cpu.state.cr0 & no_unit ? Fault::exception(vector::nm) : Fault::none();
}

constexpr Mnemonic arithmetic[] = {
    ZYDIS_MNEMONIC_F2XM1,   ZYDIS_MNEMONIC_FABS,    ZYDIS_MNEMONIC_FADD,    ZYDIS_MNEMONIC_FADDP,
    ZYDIS_MNEMONIC_FBLD,    ZYDIS_MNEMONIC_FBSTP,   ZYDIS_MNEMONIC_FCHS,    ZYDIS_MNEMONIC_FCMOVB,
    ZYDIS_MNEMONIC_FCMOVBE, ZYDIS_MNEMONIC_FCMOVE,  ZYDIS_MNEMONIC_FCMOVNB, ZYDIS_MNEMONIC_FCMOVNBE,
    ZYDIS_MNEMONIC_FCMOVNE, ZYDIS_MNEMONIC_FCMOVNU, ZYDIS_MNEMONIC_FCMOVU,  ZYDIS_MNEMONIC_FCOM,
    ZYDIS_MNEMONIC_FCOMI,   ZYDIS_MNEMONIC_FCOMIP,  ZYDIS_MNEMONIC_FCOMP,   ZYDIS_MNEMONIC_FCOMPP,
    ZYDIS_MNEMONIC_FCOS,    ZYDIS_MNEMONIC_FDECSTP, ZYDIS_MNEMONIC_FDIV,    ZYDIS_MNEMONIC_FDIVP,
    ZYDIS_MNEMONIC_FDIVR,   ZYDIS_MNEMONIC_FDIVRP,  ZYDIS_MNEMONIC_FFREE,   ZYDIS_MNEMONIC_FFREEP,
    ZYDIS_MNEMONIC_FIADD,   ZYDIS_MNEMONIC_FICOM,   ZYDIS_MNEMONIC_FICOMP,  ZYDIS_MNEMONIC_FIDIV,
    ZYDIS_MNEMONIC_FIDIVR,  ZYDIS_MNEMONIC_FILD,    ZYDIS_MNEMONIC_FIMUL,   ZYDIS_MNEMONIC_FINCSTP,
    ZYDIS_MNEMONIC_FIST,    ZYDIS_MNEMONIC_FISTP,   ZYDIS_MNEMONIC_FISTTP,  ZYDIS_MNEMONIC_FISUB,
    ZYDIS_MNEMONIC_FISUBR,  ZYDIS_MNEMONIC_FLD,     ZYDIS_MNEMONIC_FLD1,    ZYDIS_MNEMONIC_FLDL2E,
    ZYDIS_MNEMONIC_FLDL2T,  ZYDIS_MNEMONIC_FLDLG2,  ZYDIS_MNEMONIC_FLDLN2,  ZYDIS_MNEMONIC_FLDPI,
    ZYDIS_MNEMONIC_FLDZ,    ZYDIS_MNEMONIC_FMUL,    ZYDIS_MNEMONIC_FMULP,   ZYDIS_MNEMONIC_FNOP,
    ZYDIS_MNEMONIC_FPATAN,  ZYDIS_MNEMONIC_FPREM,   ZYDIS_MNEMONIC_FPREM1,  ZYDIS_MNEMONIC_FPTAN,
    ZYDIS_MNEMONIC_FRNDINT, ZYDIS_MNEMONIC_FSCALE,  ZYDIS_MNEMONIC_FSIN,    ZYDIS_MNEMONIC_FSINCOS,
    ZYDIS_MNEMONIC_FSQRT,   ZYDIS_MNEMONIC_FST,     ZYDIS_MNEMONIC_FSTP,    ZYDIS_MNEMONIC_FSTPNCE,
    ZYDIS_MNEMONIC_FSUB,    ZYDIS_MNEMONIC_FSUBP,   ZYDIS_MNEMONIC_FSUBR,   ZYDIS_MNEMONIC_FSUBRP,
    ZYDIS_MNEMONIC_FTST,    ZYDIS_MNEMONIC_FUCOM,   ZYDIS_MNEMONIC_FUCOMI,  ZYDIS_MNEMONIC_FUCOMIP,
    ZYDIS_MNEMONIC_FUCOMP,  ZYDIS_MNEMONIC_FUCOMPP, ZYDIS_MNEMONIC_FXAM,    ZYDIS_MNEMONIC_FXCH,
    ZYDIS_MNEMONIC_FXTRACT, ZYDIS_MNEMONIC_FYL2X,   ZYDIS_MNEMONIC_FYL2XP1,
};

constexpr InstructionRow control[] = {
    {ZYDIS_MNEMONIC_FNINIT, execute_fninit, TranslationClass::Interpret},  // FERR# goes with the exceptions
    {ZYDIS_MNEMONIC_FNCLEX, execute_fnclex, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_FNSTSW, execute_fnstsw, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_FNSTCW, execute_fnstcw, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_FWAIT, execute_fwait, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_FNSTENV, execute_fnstenv, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_FLDCW, execute_fldcw, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_FLDENV, execute_fldenv, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_FNSAVE, execute_fnsave, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_FRSTOR, execute_frstor, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_FENI8087_NOP, execute_nothing, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_FDISI8087_NOP, execute_nothing, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_FSETPM287_NOP, execute_nothing, TranslationClass::Ident},
};

constexpr auto rows = [] {
    std::array<InstructionRow, std::size(arithmetic) + std::size(control)> all{};
    auto next = std::copy(std::begin(control), std::end(control), all.begin());
    for (Mnemonic m : arithmetic) *next++ = {m, execute_arithmetic, TranslationClass::Ident};
    return all;
}();

}  // namespace

std::span<const InstructionRow> x87_rows() { return rows; }

bool x87::is_remembered(const Instruction& in) {
    return is_x87(in) && std::find(std::begin(arithmetic), std::end(arithmetic), in.mnemonic) != std::end(arithmetic);
}

}  // namespace vellum
