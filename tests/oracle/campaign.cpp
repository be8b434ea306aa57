// Seeds to pieces to totals.
#include "oracle/campaign.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

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
    left_to_chance += more.left_to_chance;
    for (auto [vector, count] : more.ends) ends[vector] += count;
}

std::string Totals::text() const {
    std::string by_vector;
    for (auto [vector, count] : ends) by_vector += fmt::format(" {}:{}", vector, count);
    return fmt::format(
        "{} pieces, {} on bt, {} on the host, {} instructions, {} left to chance, {} wrong; ends by vector:{}", pieces,
        on_bt, on_host, instructions, left_to_chance, wrong, by_vector);
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

namespace {

// Pieces that follow one another in the same two machines, which are new at the beginning of each world; pieces that
// need new machines come last.
class WorldRun {
 public:
    WorldRun(const Stretch& stretch, Judge& judge) : stretch_{stretch}, judge_{judge} {
        for (auto& [number, memory] : memories_) number = ~u64{0};
    }

    // False: something differs, perhaps by the doing of an earlier piece.
    bool quickly_right(u64 first, u64 pieces, Findings& findings);
    // Behind quickly_right(): lays it to a piece.
    void with_care(u64 first, u64 pieces, Findings& findings);

 private:
    // Until `visit(number, piece)` says false.
    void for_each_piece(u64 first, u64 pieces, const std::function<bool(u64, const Piece&)>& visit);
    Verdict judge(u64 number, const Piece& piece, Judge::Compared compared, Totals& totals);
    const PieceMemory& memory_of(u64 number);
    std::string differences(u64 number, const Piece& piece, const Verdict& verdict);

    const Stretch& stretch_;
    Judge& judge_;
    std::array<std::pair<u64, PieceMemory>, pieces_of_one_world / pieces_of_one_memory> memories_;  // by number
    std::string seen_quickly_;  // for what depends on the moment at which the host interrupts a piece
};

void WorldRun::for_each_piece(u64 first, u64 pieces, const std::function<bool(u64, const Piece&)>& visit) {
    std::vector<std::pair<u64, Piece>> last;
    for (u64 number = first; number < first + pieces; ++number) {
        Piece piece = PieceWriter{stretch_.mode, stretch_.cpl, mix(stretch_.seed ^ mix(number))}.piece();
        if (!piece.for_host)
            last.emplace_back(number, std::move(piece));
        else if (!visit(number, piece))
            return;
    }
    for (const auto& [number, piece] : last)
        if (!visit(number, piece)) return;
}

const PieceMemory& WorldRun::memory_of(u64 number) {
    u64 n = number / pieces_of_one_memory;
    auto& [known, memory] = memories_[n % memories_.size()];
    if (known != n) memory = RandomPieces{stretch_.mode, mix(mix(stretch_.seed) + n)}.memory();
    known = n;
    return memory;
}

Verdict WorldRun::judge(u64 number, const Piece& piece, Judge::Compared compared, Totals& totals) {
    Verdict verdict = judge_.judge(piece, memory_of(number), compared);
    ++totals.pieces;
    totals.on_host += verdict.on_host;
    totals.on_bt += verdict.on_bt;
    totals.left_to_chance += verdict.left_to_chance;
    totals.instructions += verdict.instructions;
    ++totals.ends[verdict.vector];
    return verdict;
}

bool WorldRun::quickly_right(u64 first, u64 pieces, Findings& findings) {
    Totals totals;
    judge_.strayed();
    bool right = true;
    for_each_piece(first, pieces, [&](u64 number, const Piece& piece) {
        Verdict verdict = judge(number, piece, Judge::Compared::Mapped, totals);
        right = verdict.right();
        if (!right) seen_quickly_ = differences(number, piece, verdict) + judge_.words(piece, verdict);
        return right;
    });
    if (!right) return false;
    seen_quickly_ = "a page changed that no mapping leads to";
    if (judge_.strayed()) return false;
    findings.totals.add(totals);
    return true;
}

void WorldRun::with_care(u64 first, u64 pieces, Findings& findings) {
    judge_.strayed();
    u64 wrong_before = findings.totals.wrong;
    for_each_piece(first, pieces, [&](u64 number, const Piece& piece) {
        Verdict verdict = judge(number, piece, Judge::Compared::All, findings.totals);
        if (verdict.right()) return true;
        ++findings.totals.wrong;
        if (findings.examples.size() < most_examples) {
            const PieceMemory& memory = memory_of(number);
            findings.examples.push_back(differences(number, piece, verdict) + "  shortened:\n" +
                                        judge_.explain(judge_.shrink(piece, memory), memory));
            judge_.begin_again();
        }
        return findings.totals.wrong <= most_wrong;
    });
    if (findings.totals.wrong != wrong_before) return;
    ++findings.totals.wrong;
    findings.examples.push_back(fmt::format("seed {} pieces {} to {}: not when they ran again: {}\n", stretch_.seed,
                                            first, first + pieces - 1, seen_quickly_));
}

std::string WorldRun::differences(u64 number, const Piece& piece, const Verdict& verdict) {
    std::string text = fmt::format("seed {} piece {}, {}, CPL {}, {}\n", stretch_.seed, number, name_of(piece.mode),
                                   piece.cpl, stretch_.variant.name);
    for (const auto& d : verdict.of_interp) text += fmt::format("  interp: {}\n", d);
    for (const auto& d : verdict.of_bt) text += fmt::format("  bt: {}\n", d);
    return text;
}

}  // namespace

Findings run_stretch(const Stretch& stretch, HostOracle* host) {
    bool offered = host && stretch.cpl == 3 && host->offers(stretch.mode);
    Judge judge{stretch.mode, stretch.cpl, stretch.variant, offered ? host : nullptr};
    return run_stretch(stretch, judge);
}

Findings run_stretch(const Stretch& stretch, Judge& judge) {
    Findings findings;
    WorldRun run{stretch, judge};
    for (u64 i = 0; i < stretch.pieces && findings.totals.wrong <= most_wrong; i += pieces_of_one_world) {
        u64 pieces = std::min(pieces_of_one_world, stretch.pieces - i);
        if (!run.quickly_right(stretch.first + i, pieces, findings)) run.with_care(stretch.first + i, pieces, findings);
    }
    return findings;
}

}  // namespace vellum::test
