// Each form with new operands until the host has run it, and at least `draws` times.
#include "oracle/coverage.hpp"

#include <Zydis/Zydis.h>
#include <fmt/format.h>

#include "oracle/piece_rules.hpp"

namespace vellum::test {

namespace {

constexpr u32 most_draws = 40;

// Both code sizes at one level.
struct Judges {
    Judges(u8 cpl, HostOracle* host)
        : wide{OracleMode::Flat32, cpl, variants()[0], host},
          narrow{OracleMode::Segmented16, cpl, variants()[0], host} {}
    Judge& of(const Form& form) { return form.code32 ? wide : narrow; }
    Judge wide, narrow;
};

std::string name_of(const Form& form) {
    return fmt::format("{} {} {:02x}{}", form.code32 ? "32-bit" : "16-bit", ZydisMnemonicGetString(form.mnemonic),
                       form.modrm, ": " + hex(form.opening()));
}

}  // namespace

std::string Coverage::table() const {
    std::string text =
        fmt::format("{} forms, {} run by the translator, {} by the host, {} pieces\n", forms, on_bt, on_host, pieces);
    for (const auto& [reason, what] : left_out)
        text += fmt::format("  not by the host: {} ({} forms): {}\n", reason, what.first, fmt::join(what.second, " "));
    for (const std::string& form : missing) text += fmt::format("  missing: {}\n", form);
    return text;
}

Coverage cover_all_forms(bool all_pairs, u64 seed, u32 draws, HostOracle& host) {
    Coverage coverage;
    Judges user{3, &host}, system{0, nullptr};
    bool narrow_offered = host.offers(OracleMode::Segmented16);
    PieceMemory memory[2] = {RandomPieces{OracleMode::Segmented16, seed}.memory(),
                             RandomPieces{OracleMode::Flat32, seed}.memory()};
    auto judge_one = [&](Judge& judge, const Form& form, const Piece& piece) {
        Verdict verdict = judge.judge(piece, memory[form.code32]);
        ++coverage.pieces;
        if (!verdict.right() && coverage.examples.size() < most_examples)
            coverage.examples.push_back(name_of(form) + "\n" +
                                        judge.explain(judge.shrink(piece, memory[form.code32]), memory[form.code32]));
        return verdict;
    };
    for_each_form(all_pairs, [&](const Form& form) {
        u64 own = seed + ++coverage.forms * most_draws;
        bool for_host = form.left_out.empty() && (form.code32 || narrow_offered), on_host = false, on_bt = false;
        for (u32 n = 0; n < most_draws && (n < draws || !on_bt || (for_host && !on_host)); ++n) {
            Verdict verdict = judge_one(user.of(form), form, piece_of_form(form, 3, own + n));
            on_host |= verdict.on_host;
            on_bt |= verdict.on_bt;
        }
        judge_one(system.of(form), form, piece_of_form(form, 0, own));
        coverage.on_host += on_host;
        coverage.on_bt += on_bt;
        if (!for_host) {
            auto& [count, mnemonics] = coverage.left_out[std::string{form.left_out}];
            ++count;
            mnemonics.insert(ZydisMnemonicGetString(form.mnemonic));
        }
        if (!on_bt || (for_host && !on_host)) coverage.missing.push_back(name_of(form));
    });
    return coverage;
}

}  // namespace vellum::test
