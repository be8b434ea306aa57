// No display at all.
#pragma once

#include <memory>

#include "frontend/frontend.hpp"

namespace vellum {

std::unique_ptr<Frontend> make_headless_frontend();

}  // namespace vellum
