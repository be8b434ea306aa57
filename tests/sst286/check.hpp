// What the suite must come to, on each engine.
#pragma once

#include <catch2/catch.hpp>

#include <fmt/format.h>

#include "sst286/suite.hpp"

namespace vellum::test {

// nullopt: the suite is not there.
inline std::optional<Sst286Result> check_sst286(const EngineFactory& make) {
    auto result = run_sst286(make);
    if (!result) {
        WARN("skipped: no sst286 in ../shared/suites or in VELLUM_SUITES");
        return result;
    }
    for (const auto& [reason, count] : result->excluded) UNSCOPED_INFO(fmt::format("{} excluded: {}", count, reason));
    UNSCOPED_INFO(fmt::format("{} with another prefix in the place of LOCK", result->with_other_prefix));
    CHECK(result->tests > 38'900);
    for (const auto& failure : result->failures) UNSCOPED_INFO(failure);
    CHECK(result->failures.size() == 0);
    return result;
}

}  // namespace vellum::test
