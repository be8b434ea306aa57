// The figures of `--stats`, as JSON. The names are a contract.
#pragma once

#include <optional>
#include <string>

#include "cpu/engine.hpp"
#include "machine/time_account.hpp"

namespace vellum {

struct RunStatistics {
    std::string engine;
    double wall_seconds = 0, cpu_seconds = 0, guest_seconds = 0;
    u64 peak_pss_bytes = 0;
    EngineStatistics of_engine;
    std::optional<u64> instructions_total;  // with --count
    std::optional<TimeUse> seconds;         // with --stats
};

std::string to_json(const RunStatistics& statistics);

}  // namespace vellum
