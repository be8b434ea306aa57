// The table of all chapters by mnemonic.
#include "cpu/specialise.hpp"

#include <array>

#include "cpu/interpreter.hpp"
#include "cpu/rows.hpp"
#include "cpu/rows_integer.hpp"
#include "cpu/system.hpp"

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

// Forms whose mnemonic belongs to another chapter: those that system_form() chooses.
constexpr InstructionRow rows_of_system_forms[] = {
    {ZYDIS_MNEMONIC_MOV, mov_segment, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_MOV, mov_control, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_MOV, mov_debug, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_PUSH, push_segment, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_POP, pop_segment, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_JMP, jmp_far, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_CALL, call_far, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_RET, ret_far, TranslationClass::Callout},
};

const InstructionRow* row_of_system_form(const Instruction& in) {
    Execute execute = system_form(in);
    if (!execute) return nullptr;
    for (const InstructionRow& row : rows_of_system_forms)
        if (row.execute == execute) return &row;
    return nullptr;
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
    if (const InstructionRow* row = row_of_system_form(in)) return row;
    return general_rows()[in.mnemonic];
}

Execute specialised(const Instruction& in) {
    // A row of another chapter with the same mnemonic is executed as it says.
    Specialise pick = in.row == find_row(in.mnemonic) ? specialisers()[in.mnemonic] : nullptr;
    return pick ? pick(in) : in.row->execute;
}

}  // namespace vellum
