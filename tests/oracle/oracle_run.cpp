// oracle_run --seed S [--first N] [--pieces N] [--resume FILE]: the hardware oracle for as long as one likes. FILE gets
// a line of totals after each round and says where to go on. S may be `fresh`, which is another one each time.
// --unverified: emitted code is not checked, which takes a quarter of the time.
// --coverage: every opcode form instead, and the table.
#include <fmt/format.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <string>

#include "oracle/coverage.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

struct Options {
    u64 seed = 1, first = 0, pieces = 100'000;
    std::string resume;
    bool quiet = false, coverage = false, unverified = false;
};

bool take_options(int count, char** words, Options& options) {
    for (int i = 1; i < count; ++i) {
        std::string_view word = words[i];
        if (word == "--quiet") {
            options.quiet = true;
            continue;
        }
        if (word == "--coverage") {
            options.coverage = true;
            continue;
        }
        if (word == "--unverified") {
            options.unverified = true;
            continue;
        }
        if (i + 1 >= count) return false;
        const char* value = words[++i];
        if (word == "--seed")
            options.seed = value == std::string_view{"fresh"} ? std::random_device{}() : std::strtoull(value, nullptr, 0);
        else if (word == "--first")
            options.first = std::strtoull(value, nullptr, 0);
        else if (word == "--pieces")
            options.pieces = std::strtoull(value, nullptr, 0);
        else if (word == "--resume")
            options.resume = value;
        else
            return false;
    }
    return true;
}

// "seed S next N wrong W": the last such line counts.
void read_resume(Options& options, u64& wrong) {
    std::ifstream file{options.resume};
    for (std::string line; std::getline(file, line);) {
        unsigned long long seed = 0, next = 0, bad = 0;
        if (std::sscanf(line.c_str(), "seed %llu next %llu wrong %llu", &seed, &next, &bad) != 3) continue;
        options.seed = seed;
        options.first = next;
        wrong = bad;
    }
}

int print_coverage(u64 seed, HostOracle& host) {
    constexpr u32 draws = 4;
    Coverage coverage = cover_all_forms(true, seed, draws, host);
    for (const std::string& example : coverage.examples) fmt::print("{}\n", example);
    fmt::print("{}", coverage.table());
    return !coverage.examples.empty() || !coverage.missing.empty();
}

}  // namespace

int main(int count, char** words) {
    Options options;
    if (!take_options(count, words, options)) {
        fmt::print(stderr,
                   "usage: oracle_run [--seed S] [--first N] [--pieces N] [--resume FILE] [--quiet] [--unverified]"
                   " [--coverage]\n");
        return 2;
    }
    u64 wrong_before = 0;
    if (!options.resume.empty()) read_resume(options, wrong_before);
    HostOracle host;
    if (options.coverage) return print_coverage(options.seed, host);
    fmt::print("seed {}\n", options.seed);
    Totals totals;
    u64 n = options.first / stretch_pieces,
        end = (options.first + options.pieces + stretch_pieces - 1) / stretch_pieces;
    for (u64 round = 1; n < end; ++n, ++round) {
        Stretch stretch = stretch_of(options.seed, n);
        if (options.unverified) stretch.variant.config.verifier = nullptr;
        Findings findings = run_stretch(stretch, &host);
        totals.add(findings.totals);
        for (const std::string& example : findings.examples) fmt::print("{}\n", example);
        std::fflush(stdout);
        constexpr u64 rounds_between_lines = 64;
        bool last = n + 1 == end;
        if (last || round % rounds_between_lines == 0) {
            if (!options.quiet || last) fmt::print("{}\n", totals.text());
            if (!options.resume.empty())
                std::ofstream{options.resume, std::ios::app}
                    << fmt::format("seed {} next {} wrong {} # {}\n", options.seed, (n + 1) * stretch_pieces,
                                   wrong_before + totals.wrong, totals.text());
        }
    }
    return totals.wrong != 0;
}
