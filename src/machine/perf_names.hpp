// --perf: the file in which perf finds the names of translated code.
#pragma once

#include <memory>

#include "jit/code_observer.hpp"
#include "machine/config.hpp"

namespace vellum {

// Makes the file anew, and for jitdump the mapping by which `perf record` notices it: nothing behind this needs more
// than write() and the clock. A file that cannot be written any more is told on standard error, once, and left as it
// is. Throws UsageError naming --perf and the file.
std::unique_ptr<CodeObserver> open_perf_names(const PerfNames& names);

}  // namespace vellum
