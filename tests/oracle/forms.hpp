// Every opcode form that the decoder accepts, and a piece for each.
#pragma once

#include <functional>
#include <string_view>

#include "oracle/piece.hpp"

namespace vellum::test {

// Prefix, map, opcode and ModRM byte; memory forms through [ebx] or [bx]. Instructions without a ModRM byte have one
// form for each prefix.
struct Form {
    bool code32 = true;
    u8 prefix = 0;  // 66, F2, F3 or none
    u8 opcode_map = 0, opcode = 0, modrm = 0;
    Mnemonic mnemonic = ZYDIS_MNEMONIC_INVALID;
    std::string_view left_out;  // why the host does not run it; empty: it does

    std::vector<u8> opening() const;  // all bytes but displacement and immediate
};

// `all_pairs`: of registers; otherwise two of each eight, ESP always among them.
void for_each_form(bool all_pairs, const std::function<void(const Form&)>& visit);

// That instruction between two that make and read flags, with operands drawn anew for each seed.
Piece piece_of_form(const Form& form, u8 cpl, u64 seed);

// Why no piece with this instruction runs on the host, in a few words; empty: it may.
std::string_view left_out_because(const Instruction& in);

}  // namespace vellum::test
