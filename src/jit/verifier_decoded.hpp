// One decoded host instruction, and its operands reduced to what the verifier's rules are about.
#pragma once

#include <Zydis/Zydis.h>

#include <array>
#include <span>
#include <utility>

#include "jit/verifier_list.hpp"
#include "jit/verifier_state.hpp"

namespace vellum {

// 0-15, or none for what is not a general register. Zydis looks through its lists at every call.
inline u8 number_of(ZydisRegister r) {
    static const auto numbers = [] {
        std::array<u8, ZYDIS_REGISTER_MAX_VALUE + 1> table;
        for (u32 i = 0; i < table.size(); ++i) {
            auto whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, static_cast<ZydisRegister>(i));
            bool general = whole >= ZYDIS_REGISTER_RAX && whole <= ZYDIS_REGISTER_R15;
            table[i] = general ? static_cast<u8>(whole - ZYDIS_REGISTER_RAX) : host_register::none;
        }
        return table;
    }();
    return numbers[r];
}

// Of ZydisDecodedInstruction what the rules ask for, by the names there: all of it is ten times as much, and a block
// has hundreds of instructions.
struct HostInstructionWords {
    ZydisMnemonic mnemonic = ZYDIS_MNEMONIC_INVALID;
    ZydisInstructionAttributes attributes = 0;
    ZydisBranchType branch_type = ZYDIS_BRANCH_TYPE_NONE;
    u8 length = 0, address_width = 0, operand_count = 0;
    bool has_immediate = false;  // among its bytes
};

struct HostInstruction {
    u32 offset = 0;
    HostClass kind = HostClass::Refused;
    HostInstructionWords z;
    const ZydisDecodedOperand* operands = nullptr;

    std::span<const ZydisDecodedOperand> all() const { return {operands, z.operand_count}; }
    bool is_register(u32 i, u16 bits) const {
        return i < z.operand_count && operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER && operands[i].size == bits &&
               number_of(operands[i].reg.value) != host_register::none;
    }
    u8 reg(u32 i) const { return number_of(operands[i].reg.value); }
    bool is_lea() const { return z.mnemonic == ZYDIS_MNEMONIC_LEA; }
    u32 end() const { return offset + z.length; }
    // Relative branches only.
    i64 target() const { return static_cast<i64>(end()) + operands[0].imm.value.s; }
    bool direct() const {
        return z.operand_count && operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && operands[0].imm.is_relative;
    }
};

// A memory operand's address, reduced to what rules are about.
struct HostAddress {
    u8 base = host_register::none, index = host_register::none;
    bool relative = false, scaled = false;
    i64 displacement = 0;
};

inline HostAddress address_of(const ZydisDecodedOperand& operand) {
    const auto& m = operand.mem;
    HostAddress a;
    a.displacement = m.disp.has_displacement ? m.disp.value : 0;
    a.relative = m.base == ZYDIS_REGISTER_RIP || m.base == ZYDIS_REGISTER_EIP;
    a.base = number_of(m.base);
    a.index = number_of(m.index);
    a.scaled = a.index != host_register::none && m.scale > 1;
    if (a.index == host_register::r13 && !a.scaled) std::swap(a.base, a.index);
    return a;
}

}  // namespace vellum
