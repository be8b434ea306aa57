// How the vCPU is stopped or told of an interrupt: by any thread, without signals and without races.
//
// Reasons accumulate in CpuState::attention. While there is one, CpuState::poll is 0, and the load that translated code
// does through it at block boundaries faults; the interpreter compares it. An engine that cannot act on a reason yet
// (INTR while IF is clear) disarms the poll, keeps the reason, and arms again when IF becomes set.
#pragma once

#include <atomic>

#include "cpu/state.hpp"

namespace vellum {

class Attention {
 public:
    enum Reason : u32 {
        Stop = 1,       // run() must return to the machine: a timer is due, a command waits, the person quits
        Interrupt = 2,  // the INTR line is up
        Nmi = 4,        // an NMI edge arrived; taken once
    };

    explicit Attention(CpuState& state) : state_{state} { disarm(); }

    void raise(Reason reason) {
        std::atomic_ref{state_.attention}.fetch_or(reason);
        std::atomic_ref{state_.poll}.store(0);
    }
    void clear(Reason reason) {  // vCPU thread only; leaves the poll armed if other reasons remain
        if ((std::atomic_ref{state_.attention}.fetch_and(~reason) & ~reason) == 0) disarm();
    }
    u32 reasons() const { return std::atomic_ref{state_.attention}.load(); }
    // Could any of them be served at the next boundary? An interrupt may wait behind IF for long.
    bool due() const {
        u32 asked = reasons();
        return asked & ~u32{Interrupt} || (asked && state_.eflags & eflags::if_);
    }
    bool raised() const { return std::atomic_ref{state_.poll}.load(std::memory_order_relaxed) == 0; }

    // vCPU thread only. A Stop raised meanwhile by another thread arms it again.
    void disarm() {
        std::atomic_ref{state_.poll}.store(idle_address());
        if (reasons() & Stop) arm();
    }
    void arm() { std::atomic_ref{state_.poll}.store(0); }
    void arm_if_pending() {
        if (reasons()) arm();
    }

 private:
    u64 idle_address() const { return reinterpret_cast<u64>(&state_); }
    CpuState& state_;
};

}  // namespace vellum
