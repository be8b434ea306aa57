// Host faults (SIGSEGV, SIGBUS, SIGFPE, SIGILL) raised by translated code, handed to whoever runs it on this thread.
#pragma once

#include <memory>

#include "base/types.hpp"

namespace vellum {

// The machine at the fault; what the sink changes is what the thread continues with.
struct HostFault {
    enum class Kind : u8 { Page, Protection, Arithmetic, Other };
    Kind kind = Kind::Other;  // Page: `address` is known; Protection: #GP, no address
    bool write = false;
    u64 address = 0;
    u64 rip = 0;
    u64 registers[16] = {};  // by HostReg
    u64 flags = 0;
};

class HostFaultSink {
 public:
    // True: ours, continue. False: the handler that was there before is asked. On an alternate stack; no locks.
    virtual bool on_host_fault(HostFault& fault) = 0;

 protected:
    ~HostFaultSink() = default;
};

// While it lives, faults of this thread go to the sink. Scopes nest.
class HostFaultScope {
 public:
    explicit HostFaultScope(HostFaultSink& sink);
    ~HostFaultScope();
    HostFaultScope(const HostFaultScope&) = delete;
    HostFaultScope& operator=(const HostFaultScope&) = delete;

 private:
    HostFaultSink* outer_;
};

}  // namespace vellum
