// Operands as system instructions have them: selectors in a word of memory or in a register, far pointers, ports.
#pragma once

#include "cpu/memory_access.hpp"

namespace vellum::system_operands {

constexpr Fault gp0 = Fault::exception(vector::gp);

inline u32 next_eip(const Cpu& cpu, const Instruction& in) { return static_cast<u32>(cpu.state.eip + in.length); }

// For instructions after which the mode or the mapping may differ: they retire themselves, and so end a block.
inline Fault retire(Cpu& cpu, const Instruction& in) {
    cpu.state.eip = next_eip(cpu, in);
    return Fault::retired();
}

inline void write_register(Cpu& cpu, u8 reg, u8 size, u32 value) {
    if (size == 2)
        cpu.set16(reg, static_cast<u16>(value));
    else
        cpu.set32(reg, value);
}

// A word from memory or the low word of a register.
inline OrFault<u16> read_word_operand(Cpu& cpu, const Instruction& in, u8 number) {
    const Operand& operand = in.op[number];
    if (operand.kind == Operand::Kind::Memory) return cpu.read<u16>(in.memory.segment, cpu.effective_address(in));
    return cpu.get16(operand.reg);
}

// To operand 0: memory takes a word whatever the operand size, a 32-bit register all of `value`.
inline Fault write_word_operand(Cpu& cpu, const Instruction& in, u32 value) {
    const Operand& operand = in.op[0];
    if (operand.kind == Operand::Kind::Memory)
        return cpu.write<u16>(in.memory.segment, cpu.effective_address(in), static_cast<u16>(value));
    write_register(cpu, operand.reg, operand.size, value);
    return Fault::none();
}

struct FarPointer {
    u32 offset = 0;
    u16 selector = 0;
};

// m16:16 or m16:32 at the memory operand.
inline OrFault<FarPointer> read_far_pointer(Cpu& cpu, const Instruction& in) {
    u8 bytes[6] = {};
    Seg segment = in.memory.segment;
    u32 offset = cpu.effective_address(in);
    std::span<u8> used{bytes, in.operand_size + std::size_t{2}};
    if (Fault f = cpu.check_alignment(segment, offset, in.operand_size + 2u, in.operand_size, Access::Read)) return f;
    if (Fault f = cpu.read_bytes(segment, offset, used)) return f;
    FarPointer p;
    std::memcpy(&p.offset, bytes, in.operand_size);
    std::memcpy(&p.selector, bytes + in.operand_size, sizeof p.selector);
    return p;
}

}  // namespace vellum::system_operands
