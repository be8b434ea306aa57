// The machine's state in a few words, for titles and status lines.
#pragma once

#include <string>

#include "frontend/frontend.hpp"

namespace vellum {

// "Vellum - running (bt) 1234 MIPS"; without a number while that is not known. ASCII only: Xlib drops titles that the
// C library's locale does not have.
std::string status_text(const MachineStatus& status);

}  // namespace vellum
