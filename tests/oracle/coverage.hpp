// The table of coverage: how many opcode forms there are, which the host and the translator ran, and why not the rest.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "oracle/campaign.hpp"
#include "oracle/forms.hpp"

namespace vellum::test {

struct Coverage {
    u64 forms = 0, on_host = 0, on_bt = 0, pieces = 0;
    std::map<std::string, std::pair<u64, std::set<std::string>>> left_out;  // reason: forms, mnemonics
    std::vector<std::string> missing;                                       // should have run and did not
    std::vector<std::string> examples;                                      // of differences

    std::string table() const;
};

// Every form `draws` times at CPL 3 and once at CPL 0.
Coverage cover_all_forms(bool all_pairs, u64 seed, u32 draws, HostOracle& host);

}  // namespace vellum::test
