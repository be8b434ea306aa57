// The table of all chapters by mnemonic.
#include "cpu/specialise.hpp"

#include <algorithm>
#include <array>

#include "cpu/interpreter.hpp"
#include "cpu/rows.hpp"
#include "cpu/rows_integer.hpp"

namespace vellum {

namespace {

template <typename T>
using ByMnemonic = std::array<T, ZYDIS_MNEMONIC_MAX_VALUE + 1>;

// Earlier chapters win.
ByMnemonic<const InstructionRow*> index_rows(std::initializer_list<std::span<const InstructionRow>> chapters) {
    ByMnemonic<const InstructionRow*> rows{};
    for (auto chapter : chapters)
        for (const InstructionRow& row : chapter)
            if (auto& place = rows[row.mnemonic]; !place) place = &row;
    return rows;
}

const ByMnemonic<const InstructionRow*>& general_rows() {
    static const auto rows =
        index_rows({integer_rows(), control_rows(), string_rows(), system_rows(), x87_rows(), simd_rows()});
    return rows;
}

const ByMnemonic<const InstructionRow*>& rows_of_system() {
    static const auto rows = index_rows({system_rows()});
    return rows;
}

bool is_far(const Instruction& in) {
    if (in.opcode_map != 0) return false;
    u8 extension = in.modrm >> 3 & 7;
    return in.opcode == 0xCA || in.opcode == 0xCB || (in.opcode == 0xFF && (extension == 3 || extension == 5));
}

bool of_system(const Instruction& in) {
    return is_far(in) || std::any_of(in.op.begin(), in.op.end(), [](const Operand& o) {
               using Kind = Operand::Kind;
               return o.kind == Kind::Segment || o.kind == Kind::Control || o.kind == Kind::Debug ||
                      o.kind == Kind::FarPointer;
           });
}

const ByMnemonic<Specialise>& specialisers() {
    static const auto table = [] {
        ByMnemonic<Specialise> all{};
        for (auto subject : {arithmetic_specialisations(), move_specialisations(), shift_specialisations(),
                             branch_specialisations(), stack_specialisations()})
            for (const Specialisation& s : subject) all[s.mnemonic] = s.pick;
        return all;
    }();
    return table;
}

}  // namespace

const InstructionRow* find_row(Mnemonic mnemonic) { return general_rows()[mnemonic]; }

const InstructionRow* find_row(const Instruction& in) {
    if (const InstructionRow* row = simd_row_of_shared_name(in)) return row;
    return of_system(in) ? rows_of_system()[in.mnemonic] : general_rows()[in.mnemonic];
}

Execute specialised(const Instruction& in) {
    Specialise pick = of_system(in) ? nullptr : specialisers()[in.mnemonic];
    return pick ? pick(in) : in.row->execute;
}

}  // namespace vellum
