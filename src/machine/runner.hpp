// A machine in a thread of its own, with everything around it: frontend, serial lines, control socket, signals, time
// limit, statistics. One run of the program.
#pragma once

#include "machine/config.hpp"

namespace vellum {

// Returns the exit status. Throws UsageError before anything was changed, HostError when the host fails.
int run(const RunConfig& config);

}  // namespace vellum
