// Names of emitted code as perf reads them from /tmp/perf-PID.map (tools/perf/Documentation/jit-interface.txt in
// Linux): lines of address, size and name. Time is not in it: an address that was used twice has two lines.
#pragma once

#include "jit/code_observer.hpp"
#include "machine/delayed_output.hpp"

namespace vellum {

class PerfMap final : public CodeObserver {
 public:
    PerfMap(std::unique_ptr<ByteSink> file, std::function<Nanoseconds()> now);
    void code_added(const NamedCode& code) override;

 private:
    std::function<Nanoseconds()> now_;
    DelayedOutput output_;
};

}  // namespace vellum
