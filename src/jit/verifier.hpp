// The proof of isolation: decodes what was emitted, as the host will, and refuses what breaks a rule of DESIGN
// section 3.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "base/types.hpp"

namespace vellum {

struct EmittedCode {
    std::span<const u8> bytes;
    u64 address = 0;  // host address at which the bytes will run
    // May code here branch or call out of `bytes` to that address? (Block entries, runtime stubs.)
    std::function<bool(u64 target)> may_reach;
    // RIP-relative operands may lie in [data_first, data_first + data_bytes): the runtime's own words (JitContext).
    u64 data_first = 0, data_bytes = 0;
};

// nullopt: sound. Otherwise one line: offset, instruction, the rule that it breaks.
std::optional<std::string> verify(const EmittedCode& code);

}  // namespace vellum
