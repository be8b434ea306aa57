// Which face a person gets when none was asked for.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "frontend/frontend.hpp"

namespace vellum {

enum class Display : u8 { Sdl, Terminal, None };

// "sdl", "terminal", "none".
std::optional<Display> display_of_name(std::string_view name);

// Throws UsageError when that display cannot be had.
std::unique_ptr<Frontend> make_frontend(Display display);

// The window when there is a display that opens, else the terminal when standard input and output are one and
// `terminal_is_free` (no serial line uses it), else none. Never throws UsageError.
std::unique_ptr<Frontend> make_automatic_frontend(bool terminal_is_free);

}  // namespace vellum
