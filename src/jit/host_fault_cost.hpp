// What one host fault of translated code costs on this host, whatever it is then answered with.
#pragma once

#include "base/types.hpp"

namespace vellum {

// The CPU time of the host's way to our handler and back, measured by some hundreds of faults of the calling thread.
// Under a millisecond.
Nanoseconds measure_host_fault();

}  // namespace vellum
