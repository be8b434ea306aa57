// A run of many pieces: which seed gives which piece, totals, and failures in words.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "oracle/piece_judge.hpp"

namespace vellum::test {

struct Totals {
    u64 pieces = 0, on_host = 0, on_bt = 0, instructions = 0, wrong = 0, left_to_chance = 0;
    std::map<u8, u64> ends;  // by vector

    void add(const Totals& more);
    std::string text() const;
};

// A stretch of pieces with the same mode, level and variant. Piece `i` of a seed is always the same piece.
struct Stretch {
    OracleMode mode = OracleMode::Flat32;
    u8 cpl = 3;
    Variant variant;
    u64 seed = 0, first = 0, pieces = 0;
};

struct Findings {
    Totals totals;
    std::vector<std::string> examples;  // shrunk; not more than `most_examples`
};
constexpr u32 most_examples = 8;

Findings run_stretch(const Stretch& stretch, HostOracle* host);
Findings run_stretch(const Stretch& stretch, Judge& judge);

// All modes, levels and variants in turn; stretch number `n` of a campaign.
constexpr u64 stretch_pieces = 1024;
Stretch stretch_of(u64 seed, u64 n);
const char* name_of(OracleMode mode);

}  // namespace vellum::test
