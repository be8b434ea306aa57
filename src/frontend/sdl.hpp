// The guest's screen in a window, with keyboard and mouse.
#pragma once

#include <memory>

#include "frontend/frontend.hpp"

namespace vellum {

// Throws UsageError when SDL cannot open a display. To be made and run on the main thread.
std::unique_ptr<Frontend> make_sdl_frontend();

}  // namespace vellum
