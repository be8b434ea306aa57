// Single instructions as a real 80286 executed them (SingleStepTests/80286), replayed in real mode on any engine.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "support/test_machine.hpp"

namespace vellum::test {

struct Sst286Result {
    u32 tests = 0;                        // that ran
    u32 with_other_prefix = 0;            // ... with another prefix in the place of LOCK (or were excluded then)
    std::map<std::string, u32> excluded;  // by reason
    std::vector<std::string> failures;    // one line each
    EngineStatistics engine;
};

// From VELLUM_SUITES, or beside the checkout. nullopt: it is not there.
std::optional<Sst286Result> run_sst286(const EngineFactory& make);

}  // namespace vellum::test
