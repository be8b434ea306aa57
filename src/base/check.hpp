// Our own broken assumptions stop the program with a sentence. Nothing a guest or a user does may reach one.
#pragma once

#include <source_location>

namespace vellum {

[[noreturn]] void check_failed(const char* sentence, const std::source_location& where);

// Always on, in release too: one predictable branch.
inline void check(bool holds, const char* sentence,
                  const std::source_location where = std::source_location::current()) {
    if (!holds) [[unlikely]]
        check_failed(sentence, where);
}

}  // namespace vellum
