// What a terminal sends when keys are pressed (ECMA-48 and xterm's control sequences), turned into keystrokes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "frontend/typing.hpp"

namespace vellum {

class TerminalKeys {
 public:
    struct Result {
        std::vector<KeyEvent> events;
        bool quit = false;  // Ctrl-]
    };

    // Takes the bytes of one read. A sequence cut off at the end waits for the next call.
    Result feed(std::string_view bytes);
    // Nothing more came for a while: what waits is an Escape key (and what was typed after it).
    Result timeout();
    bool waiting() const { return !pending_.empty(); }

 private:
    std::string pending_;
};

}  // namespace vellum
