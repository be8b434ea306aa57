// Names and bytes of emitted code, with the time from which they are there, in the jitdump format, version 1
// (tools/perf/Documentation/jitdump-specification.txt in Linux). `perf inject --jit` makes files of them that perf can
// look into.
#pragma once

#include "jit/code_observer.hpp"
#include "machine/delayed_output.hpp"

namespace vellum {

// The host as the format wants it described.
struct JitdumpHost {
    u32 process = 0;
    std::function<u32()> thread;       // the caller's
    std::function<Nanoseconds()> now;  // CLOCK_MONOTONIC, which is what `perf record -k mono` notes
};

class Jitdump final : public CodeObserver {
 public:
    Jitdump(std::unique_ptr<ByteSink> file, JitdumpHost host);
    ~Jitdump() override;
    void code_added(const NamedCode& code) override;

 private:
    template <typename Record>
    void put(const Record& record) {
        output_.put(&record, sizeof record);
    }

    JitdumpHost host_;
    u64 pieces_ = 0;
    DelayedOutput output_;
};

}  // namespace vellum
