// Near transfers of control: JMP, Jcc, CALL, RET, LOOP and JCXZ (SDM vol. 1, 7.3.8). Far ones are in the system
// chapter.
#include <vector>

#include "cpu/alu.hpp"
#include "cpu/rows.hpp"
#include "cpu/rows_integer.hpp"

namespace vellum {

namespace {

// A 16-bit operand size clears the upper half of EIP. A target beyond the limit of CS faults in the branch.
u32 masked(u32 target, u8 operand_size) { return operand_size == 2 ? target & 0xFFFF : target; }

OrFault<u32> checked(const Cpu& cpu, u32 target, u8 operand_size) {
    target = masked(target, operand_size);
    if (target > cpu.state.segment(Seg::Cs).limit) return Fault::exception(vector::gp);
    return target;
}

Fault jump_to(Cpu& cpu, u32 target, u8 operand_size) {
    auto checked_target = checked(cpu, target, operand_size);
    if (!checked_target) return checked_target.fault();
    cpu.state.eip = *checked_target;
    return Fault::retired();
}

u32 next_eip(const Cpu& cpu, const Instruction& in) { return static_cast<u32>(cpu.state.eip) + in.length; }
u32 relative_target(const Cpu& cpu, const Instruction& in) { return next_eip(cpu, in) + in.immediate; }

Fault jump_relative(Cpu& cpu, const Instruction& in) { return jump_to(cpu, relative_target(cpu, in), in.operand_size); }

OrFault<u32> indirect_target(Cpu& cpu, const Instruction& in) {
    if (in.operand_size == 4) return load<u32>(cpu, in, in.op[0]);
    auto target = load<u16>(cpu, in, in.op[0]);
    if (!target) return target.fault();
    return u32{*target};
}

Fault jump_indirect(Cpu& cpu, const Instruction& in) {
    auto target = indirect_target(cpu, in);
    return target ? jump_to(cpu, *target, in.operand_size) : target.fault();
}

Execute pick_jump(const Instruction& in) {
    return in.op[0].kind == Operand::Kind::Relative ? jump_relative : jump_indirect;
}

template <u8 code>
Fault jump_if(Cpu& cpu, const Instruction& in) {
    if (!alu::condition(code, cpu.state.eflags)) return Fault::none();
    return jump_relative(cpu, in);
}

Fault call_to(Cpu& cpu, const Instruction& in, u32 target) {
    auto checked_target = checked(cpu, target, in.operand_size);
    if (!checked_target) return checked_target.fault();
    if (Fault f = cpu.push(next_eip(cpu, in), in.operand_size)) return f;
    cpu.state.eip = *checked_target;
    return Fault::retired();
}

Fault call_relative(Cpu& cpu, const Instruction& in) { return call_to(cpu, in, relative_target(cpu, in)); }

Fault call_indirect(Cpu& cpu, const Instruction& in) {
    auto target = indirect_target(cpu, in);
    return target ? call_to(cpu, in, *target) : target.fault();
}

Execute pick_call(const Instruction& in) {
    return in.op[0].kind == Operand::Kind::Relative ? call_relative : call_indirect;
}

// C2 releases `immediate` bytes of arguments after the return address.
Fault return_near(Cpu& cpu, const Instruction& in) {
    u64 before = cpu.state.reg(Reg::Esp);
    auto target = cpu.pop(in.operand_size);
    if (!target) return target.fault();
    if (Fault f = jump_to(cpu, *target, in.operand_size); f.kind == Fault::Kind::Exception) {
        cpu.state.reg(Reg::Esp) = before;
        return f;
    }
    if (in.op[0].kind == Operand::Kind::Immediate) {
        u32 mask = cpu.state.stack32() ? 0xFFFFFFFF : 0xFFFF;
        auto esp = static_cast<u32>(cpu.state.reg(Reg::Esp));
        cpu.state.reg(Reg::Esp) = (esp & ~mask) | ((esp + (in.immediate & 0xFFFF)) & mask);
    }
    return Fault::retired();
}

// LOOP, LOOPE and LOOPNE count CX or ECX by the address size, and leave the flags alone.
enum class LoopWhile : u8 { Always, Zero, NotZero };

template <LoopWhile loop_while>
Fault loop(Cpu& cpu, const Instruction& in) {
    constexpr u8 ecx = 1;
    u32 count = cpu.get32(ecx) - 1;
    bool zero = cpu.state.eflags & eflags::zf;
    bool taken = (in.address_size == 2 ? count & 0xFFFF : count) != 0;
    if (loop_while == LoopWhile::Zero) taken = taken && zero;
    if (loop_while == LoopWhile::NotZero) taken = taken && !zero;
    Fault f = taken ? jump_relative(cpu, in) : Fault::none();
    if (f.kind == Fault::Kind::Exception) return f;
    if (in.address_size == 2)
        cpu.set16(ecx, static_cast<u16>(count));
    else
        cpu.set32(ecx, count);
    return f;
}

template <typename T>
Fault jump_if_count_zero(Cpu& cpu, const Instruction& in) {
    constexpr u8 ecx = 1;
    return get<T>(cpu, ecx) == 0 ? jump_relative(cpu, in) : Fault::none();
}

constexpr Specialisation specialisations[] = {
    {ZYDIS_MNEMONIC_JMP, pick_jump},
    {ZYDIS_MNEMONIC_CALL, pick_call},
};

constexpr InstructionRow rows[] = {
    {ZYDIS_MNEMONIC_JMP, picked<pick_jump>, TranslationClass::Control},
    {ZYDIS_MNEMONIC_CALL, picked<pick_call>, TranslationClass::Control},
    {ZYDIS_MNEMONIC_RET, return_near, TranslationClass::Control},
    {ZYDIS_MNEMONIC_JO, jump_if<0>, TranslationClass::Control},
    {ZYDIS_MNEMONIC_JNO, jump_if<1>, TranslationClass::Control},
    {ZYDIS_MNEMONIC_JB, jump_if<2>, TranslationClass::Control},
    {ZYDIS_MNEMONIC_JNB, jump_if<3>, TranslationClass::Control},
    {ZYDIS_MNEMONIC_JZ, jump_if<4>, TranslationClass::Control},
    {ZYDIS_MNEMONIC_JNZ, jump_if<5>, TranslationClass::Control},
    {ZYDIS_MNEMONIC_JBE, jump_if<6>, TranslationClass::Control},
    {ZYDIS_MNEMONIC_JNBE, jump_if<7>, TranslationClass::Control},
    {ZYDIS_MNEMONIC_JS, jump_if<8>, TranslationClass::Control},
    {ZYDIS_MNEMONIC_JNS, jump_if<9>, TranslationClass::Control},
    {ZYDIS_MNEMONIC_JP, jump_if<10>, TranslationClass::Control},
    {ZYDIS_MNEMONIC_JNP, jump_if<11>, TranslationClass::Control},
    {ZYDIS_MNEMONIC_JL, jump_if<12>, TranslationClass::Control},
    {ZYDIS_MNEMONIC_JNL, jump_if<13>, TranslationClass::Control},
    {ZYDIS_MNEMONIC_JLE, jump_if<14>, TranslationClass::Control},
    {ZYDIS_MNEMONIC_JNLE, jump_if<15>, TranslationClass::Control},
    {ZYDIS_MNEMONIC_LOOP, loop<LoopWhile::Always>, TranslationClass::Control},
    {ZYDIS_MNEMONIC_LOOPE, loop<LoopWhile::Zero>, TranslationClass::Control},
    {ZYDIS_MNEMONIC_LOOPNE, loop<LoopWhile::NotZero>, TranslationClass::Control},
    {ZYDIS_MNEMONIC_JCXZ, jump_if_count_zero<u16>, TranslationClass::Control},
    {ZYDIS_MNEMONIC_JECXZ, jump_if_count_zero<u32>, TranslationClass::Control},
};

}  // namespace

std::span<const InstructionRow> branch_rows() { return rows; }
std::span<const Specialisation> branch_specialisations() { return specialisations; }

std::span<const InstructionRow> control_rows() {
    static const std::vector<InstructionRow> joined = [] {
        std::vector<InstructionRow> all;
        for (auto part : {branch_rows(), stack_rows()}) all.insert(all.end(), part.begin(), part.end());
        return all;
    }();
    return joined;
}

}  // namespace vellum
