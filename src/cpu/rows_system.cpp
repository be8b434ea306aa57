// All rows of the system chapter, and the system forms of mnemonics that other chapters own.
#include <vector>

#include "cpu/rows.hpp"
#include "cpu/system.hpp"

namespace vellum {

namespace {

bool has_operand(const Instruction& in, Operand::Kind kind) { return in.op[0].kind == kind || in.op[1].kind == kind; }

// FF /3 and /5, and the direct forms with a pointer.
bool is_far(const Instruction& in) {
    u8 group = (in.modrm >> 3) & 7;
    return has_operand(in, Operand::Kind::FarPointer) || (in.opcode == 0xFF && (group == 3 || group == 5));
}

}  // namespace

Execute system_form(const Instruction& in) {
    switch (in.mnemonic) {
        case ZYDIS_MNEMONIC_MOV:
            if (has_operand(in, Operand::Kind::Segment)) return mov_segment;
            if (has_operand(in, Operand::Kind::Control)) return mov_control;
            return has_operand(in, Operand::Kind::Debug) ? mov_debug : nullptr;
        case ZYDIS_MNEMONIC_PUSH: return has_operand(in, Operand::Kind::Segment) ? push_segment : nullptr;
        case ZYDIS_MNEMONIC_POP: return has_operand(in, Operand::Kind::Segment) ? pop_segment : nullptr;
        case ZYDIS_MNEMONIC_JMP: return is_far(in) ? jmp_far : nullptr;
        case ZYDIS_MNEMONIC_CALL: return is_far(in) ? call_far : nullptr;
        case ZYDIS_MNEMONIC_RET: return in.opcode == 0xCA || in.opcode == 0xCB ? ret_far : nullptr;
        default: return nullptr;
    }
}

std::span<const InstructionRow> system_rows() {
    static const std::vector<InstructionRow> all = [] {
        std::vector<InstructionRow> rows;
        for (auto part : {segment_rows(), interrupt_rows(), machine_rows()})
            rows.insert(rows.end(), part.begin(), part.end());
        return rows;
    }();
    return all;
}

}  // namespace vellum
