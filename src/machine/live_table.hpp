// The live view's table: where time went between two moments, and how often the usual causes came, as plain text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cpu/engine.hpp"
#include "machine/time_account.hpp"

namespace vellum {

struct LiveMoment {
    Nanoseconds at = 0;  // host_monotonic_time()
    TimeUse use;         // delivery not moved
    EngineStatistics of_engine;
    std::optional<u64> instructions;  // retired, if they are counted
};

// `fault_cost`: of measure_host_fault().
std::string live_table(std::string_view engine, const LiveMoment& before, const LiveMoment& now,
                       Nanoseconds fault_cost);

}  // namespace vellum
