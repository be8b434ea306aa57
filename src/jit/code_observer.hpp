// Somebody who is told where emitted code lies and what it is called: who names it to a profiler of the host.
#pragma once

#include <span>
#include <string_view>

#include "base/types.hpp"

namespace vellum {

struct NamedCode {
    std::string_view name;      // without blanks
    u64 address = 0;            // of the host, where it runs
    std::span<const u8> bytes;  // as emitted; links and invalidation patch them later
};

class CodeObserver {
 public:
    virtual ~CodeObserver() = default;
    // Before it runs for the first time. Code that lay there before does not exist any more.
    virtual void code_added(const NamedCode& code) = 0;
};

}  // namespace vellum
