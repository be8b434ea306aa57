// `vellum watch`: shows the control socket's `times` of a running machine once a second.
#pragma once

#include <string>

namespace vellum {

// Until the machine ends (returns the exit status) or somebody interrupts it. Throws UsageError when nobody answers.
int watch_times(const std::string& socket_path);

}  // namespace vellum
