// Operands of integer instructions: registers by encoding, one memory operand, immediates; and the choice of an Execute
// that is compiled for the size and the form of its operands, so that nothing is decided again when it runs.
#pragma once

#include "cpu/cpu.hpp"
#include "cpu/memory_access.hpp"

namespace vellum {

template <typename T>
T get(const Cpu& cpu, u8 reg) {
    if constexpr (sizeof(T) == 1)
        return cpu.get8(reg);
    else
        return static_cast<T>(cpu.state.gpr[reg]);
}

template <typename T>
void set(Cpu& cpu, u8 reg, T value) {
    if constexpr (sizeof(T) == 1)
        cpu.set8(reg, value);
    else if constexpr (sizeof(T) == 2)
        cpu.set16(reg, value);
    else
        cpu.set32(reg, value);
}

// A register or memory operand that is read once.
template <typename T>
OrFault<T> load(Cpu& cpu, const Instruction& in, const Operand& operand) {
    if (operand.kind == Operand::Kind::Immediate) return static_cast<T>(in.immediate);
    if (operand.kind == Operand::Kind::Gpr) return get<T>(cpu, operand.reg);
    return cpu.read<T>(in.memory.segment, cpu.effective_address(in));
}

template <typename T>
Fault store(Cpu& cpu, const Instruction& in, const Operand& operand, T value) {
    if (operand.kind != Operand::Kind::Gpr) return cpu.write<T>(in.memory.segment, cpu.effective_address(in), value);
    set<T>(cpu, operand.reg, value);
    return Fault::none();
}

// Reads a destination, lets `change` make the new value of it, writes it back. Nothing has changed when it faults:
// `change` runs after the read and cannot fail, and the write of a place that was read for update cannot fault.
template <typename T, bool in_memory, typename Change>
Fault update(Cpu& cpu, const Instruction& in, const Operand& operand, Change change) {
    if constexpr (in_memory) {
        u32 address = cpu.effective_address(in);
        auto old = cpu.read_for_update<T>(in.memory.segment, address);
        if (!old) return old.fault();
        return cpu.write<T>(in.memory.segment, address, change(*old));
    } else {
        set<T>(cpu, operand.reg, change(get<T>(cpu, operand.reg)));
        return Fault::none();
    }
}

// 0, 1, 2 for operands of 1, 2, 4 bytes: the index in tables of functions by size.
constexpr u8 size_index(u8 bytes) { return bytes == 4 ? 2 : bytes == 2 ? 1 : 0; }
inline bool in_memory(const Operand& operand) { return operand.kind == Operand::Kind::Memory; }

// Destination and source of a two-operand instruction.
enum class Form : u8 { RegReg, RegMem, RegImm, MemReg, MemImm };

inline Form form_of(const Instruction& in) {
    if (in_memory(in.op[0])) return in.op[1].kind == Operand::Kind::Immediate ? Form::MemImm : Form::MemReg;
    if (in_memory(in.op[1])) return Form::RegMem;
    return in.op[1].kind == Operand::Kind::Immediate ? Form::RegImm : Form::RegReg;
}

// The source operand of a form; T may be narrower than the destination (MOVZX).
template <typename T, Form form>
OrFault<T> source(Cpu& cpu, const Instruction& in) {
    if constexpr (form == Form::RegImm || form == Form::MemImm)
        return static_cast<T>(in.immediate);
    else if constexpr (form == Form::RegMem)
        return cpu.read<T>(in.memory.segment, cpu.effective_address(in));
    else
        return get<T>(cpu, in.op[1].reg);
}

// Picks an Execute compiled for this very size and form. A row's own `execute` may be the slow road: pick, then run.
using Specialise = Execute (*)(const Instruction&);

template <Specialise pick>
Fault picked(Cpu& cpu, const Instruction& in) {
    return pick(in)(cpu, in);
}

struct Specialisation {
    Mnemonic mnemonic;
    Specialise pick;
};

}  // namespace vellum
