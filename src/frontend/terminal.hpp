// The guest's text screen in the terminal that the program was started in.
#pragma once

#include <memory>

#include "frontend/frontend.hpp"

namespace vellum {

// Throws UsageError when standard input or output is not a terminal. The terminal is raw only inside run().
std::unique_ptr<Frontend> make_terminal_frontend();

}  // namespace vellum
