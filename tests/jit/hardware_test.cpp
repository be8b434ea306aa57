// The translator beside the interpreter and the real processor: random pieces of code, with fixed seeds and, when
// VELLUM_ORACLE_SEED is set, with that one. Millions of them are oracle_run's (tests/CMakeLists.txt).
#include <catch2/catch.hpp>

#include <cstdlib>

#include "oracle/coverage.hpp"

namespace vellum::test {

namespace {

void run_campaign(u64 seed, u64 first_stretch, u64 stretches) {
    HostOracle host;
    Totals totals;
    std::string examples;
    for (u64 n = first_stretch; n < first_stretch + stretches; ++n) {
        Findings findings = run_stretch(stretch_of(seed, n), &host);
        totals.add(findings.totals);
        for (const std::string& example : findings.examples) examples += example + "\n";
        if (examples.size() > 20'000) break;
    }
    INFO("seed " << seed << ": " << totals.text());
    CHECK(examples == "");
    CHECK(totals.wrong == 0);
    CHECK(totals.on_host > totals.pieces / 4);
    CHECK(totals.on_bt > totals.pieces / 2);
}

}  // namespace

TEST_CASE("hardware: random pieces do the same on the translator, the interpreter and the real processor", "[long]") {
    run_campaign(1, 0, 40);
    if (const char* seed = std::getenv("VELLUM_ORACLE_SEED")) run_campaign(std::strtoull(seed, nullptr, 0), 0, 280);
}

TEST_CASE("hardware: every opcode form that the decoder accepts has been run on the translator and the real processor",
          "[long]") {
    HostOracle host;
    Coverage coverage = cover_all_forms(false, 3, 1, host);
    std::string examples;
    for (const std::string& example : coverage.examples) examples += example + "\n";
    INFO(coverage.table());
    CHECK(examples == "");
    CHECK(coverage.missing == std::vector<std::string>{});
    CHECK(coverage.forms > 10'000);
}

}  // namespace vellum::test
