// What a person is told about bad input: one line that says something.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace vellum::fuzz {

inline void expect_one_line(std::string_view message) {
    if (!message.empty() && message.find('\n') == std::string_view::npos) return;
    std::fprintf(stderr, "not one line: \"%.*s\"\n", static_cast<int>(message.size()), message.data());
    std::abort();
}

}  // namespace vellum::fuzz
