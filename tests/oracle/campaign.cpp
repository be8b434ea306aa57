// Seeds to pieces to totals.
#include "oracle/campaign.hpp"

#include <fmt/format.h>

#include "oracle/piece_writer.hpp"

namespace vellum::test {

namespace {

constexpr u64 most_wrong = 20;  // of one stretch: something is very wrong
constexpr u64 pieces_of_one_memory = 64, pieces_of_one_world = 256;

// SplitMix64's mixing step: neighbours become strangers.
u64 mix(u64 value) {
    value += 0x9E3779B97F4A7C15;
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9;
    value = (value ^ value >> 27) * 0x94D049BB133111EB;
    return value ^ value >> 31;
}

}  // namespace

void Totals::add(const Totals& more) {
    pieces += more.pieces;
    on_host += more.on_host;
    on_bt += more.on_bt;
    instructions += more.instructions;
    wrong += more.wrong;
    for (auto [vector, count] : more.ends) ends[vector] += count;
}

std::string Totals::text() const {
    std::string by_vector;
    for (auto [vector, count] : ends) by_vector += fmt::format(" {}:{}", vector, count);
    return fmt::format("{} pieces, {} on bt, {} on the host, {} instructions, {} wrong; ends by vector:{}", pieces,
                       on_bt, on_host, instructions, wrong, by_vector);
}

const char* name_of(OracleMode mode) {
    constexpr const char* names[] = {"flat",        "segmented 32", "segmented 16", "limited data",
                                     "narrow code", "real mode",    "V86"};
    return names[static_cast<u8>(mode)];
}

Stretch stretch_of(u64 seed, u64 n) {
    static const std::vector<Variant> all = variants();
    constexpr OracleMode modes[] = {OracleMode::Flat32,      OracleMode::Segmented16, OracleMode::Flat32,
                                    OracleMode::LimitedData, OracleMode::Segmented32, OracleMode::Flat32,
                                    OracleMode::NarrowCode,  OracleMode::Real,        OracleMode::Flat32,
                                    OracleMode::V86};
    // Every second stretch is the translator as it is.
    const Variant& variant = n % 2 == 0 ? all[0] : all[n / 2 % all.size()];
    OracleMode mode = modes[n % std::size(modes)];
    u8 cpl = mode == OracleMode::Real || (n % 7 == 4 && mode != OracleMode::V86) ? 0 : 3;
    return {mode, cpl, variant, seed, n * stretch_pieces, stretch_pieces};
}

Findings run_stretch(const Stretch& stretch, HostOracle* host) {
    Findings findings;
    bool offered = host && stretch.cpl == 3 && host->offers(stretch.mode);
    Judge judge{stretch.mode, stretch.cpl, stretch.variant, offered ? host : nullptr};
    PieceMemory memory;
    for (u64 i = 0; i < stretch.pieces; ++i) {
        u64 number = stretch.first + i;
        if (i % pieces_of_one_memory == 0)
            memory = RandomPieces{stretch.mode, mix(mix(stretch.seed) + number / pieces_of_one_memory)}.memory();
        if (i % pieces_of_one_world == 0) judge.begin_again();
        Piece piece = PieceWriter{stretch.mode, stretch.cpl, mix(stretch.seed ^ mix(number))}.piece();
        Verdict verdict = judge.judge(piece, memory);
        Totals& totals = findings.totals;
        ++totals.pieces;
        totals.on_host += verdict.on_host;
        totals.on_bt += verdict.on_bt;
        totals.instructions += verdict.instructions;
        ++totals.ends[verdict.vector];
        if (verdict.right()) continue;
        ++totals.wrong;
        if (totals.wrong > most_wrong) break;
        if (findings.examples.size() >= most_examples) continue;
        std::string text = fmt::format("seed {} piece {}, {}, CPL {}, {}\n", stretch.seed, number,
                                       name_of(stretch.mode), stretch.cpl, stretch.variant.name);
        for (const auto& d : verdict.of_interp) text += fmt::format("  interp: {}\n", d);
        for (const auto& d : verdict.of_bt) text += fmt::format("  bt: {}\n", d);
        text += "  shortened:\n" + judge.explain(judge.shrink(piece, memory), memory);
        findings.examples.push_back(std::move(text));
        judge.begin_again();
    }
    return findings;
}

}  // namespace vellum::test
