// Several engines behind one face, so that each test runs on all of them and lockstep can compare them.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/types.hpp"

namespace vellum {

enum class Stop : u8 {
    Attention,         // Attention::Stop was raised (and is left raised: the machine clears it)
    Halted,            // CpuState::activity is Halted and nothing wakes it yet
    InstructionLimit,  // CpuState::instructions reached CpuState::instruction_limit, exactly
    TripleFault,       // CpuState::activity is Shutdown
    Debug,             // Cpu::debug tells why
};

// What `--stats` prints of an engine (the names there are a contract).
struct EngineStatistics {
    u64 blocks_translated = 0, blocks_invalidated = 0, blocks_evicted = 0, blocks_moved = 0;
    double translate_seconds = 0;
    u64 code_bytes = 0;
    std::map<std::string, u64> callouts;  // by reason
    u64 window_fills = 0, mmio_faults = 0, guest_page_faults = 0, code_write_faults = 0;
    u64 interpreted_instructions = 0;
    u64 host_faults = 0;     // of translated code, whatever for; not printed
    u64 entries = 0;         // into translated code, from C++; not printed
    u64 blocks_refused = 0;  // by the verifier; not printed
};

class Engine {
 public:
    virtual ~Engine() = default;
    virtual std::string_view name() const = 0;
    // Runs until one of the reasons above. Interrupts that the Outside offers are taken on the way.
    virtual Stop run() = 0;
    // The CPU state, RAM or the physical map were replaced from outside (reset, snapshot, A20): forget all that was
    // derived from them.
    virtual void state_replaced() = 0;
    virtual EngineStatistics statistics() const = 0;
};

}  // namespace vellum
