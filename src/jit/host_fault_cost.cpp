// Faults on an address where nothing ever is, answered by another address.
#include "jit/host_fault_cost.hpp"

#include <time.h>

#include "jit/host_faults.hpp"
#include "jit/registers.hpp"

namespace vellum {

namespace {

constexpr u32 rounds = 200;
constexpr u64 nowhere = 16;

class OtherAddress final : public HostFaultSink {
 public:
    bool on_host_fault(HostFault& fault) override {
        if (fault.kind != HostFault::Kind::Page || fault.address != nowhere) return false;
        fault.registers[rdi] = reinterpret_cast<u64>(&somewhere_);
        return true;
    }

 private:
    u64 somewhere_ = 0;
};

void load(u64 address) {
    u64 value;
    asm volatile("movq (%1), %0" : "=r"(value), "+D"(address) : : "memory");
}

Nanoseconds cpu_time() {
    timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<u64>(now.tv_sec) * second + static_cast<u64>(now.tv_nsec);
}

}  // namespace

Nanoseconds measure_host_fault() {
    OtherAddress sink;
    HostFaultScope scope{sink};
    load(nowhere);  // the first one finds everything cold
    Nanoseconds start = cpu_time();
    for (u32 i = 0; i < rounds; ++i) load(nowhere);
    return (cpu_time() - start) / rounds;
}

}  // namespace vellum
