// Two engines over two machines that are given the same: after each stretch of instructions their states must be equal.
// Looks like an engine of the first machine; the second one (the shadow) runs on the interpreter behind it.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "cpu/engine.hpp"
#include "machine/machine.hpp"

namespace vellum {

// The engines disagree; the message shows both states side by side (exit status 8).
class LockstepDifference : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

class LockstepEngine final : public Engine {
 public:
    // `first` runs `board`; `shadow` has a board made from the same configuration. Instruction clock only.
    LockstepEngine(std::unique_ptr<Engine> first, Board& board, Machine& shadow);

    std::string_view name() const override { return "lockstep"; }
    Stop run() override;
    void state_replaced() override { first_->state_replaced(); }
    EngineStatistics statistics() const override { return first_->statistics(); }

 private:
    void follow();
    void compare();
    void compare_memory();

    std::unique_ptr<Engine> first_;
    Board& board_;
    Machine& shadow_;
    u64 last_equal_ = 0;  // instructions retired when the states were equal last
    u64 next_memory_check_;
};

// Registers of both states in two columns, with a star where they differ; empty when they are equal.
std::string describe_differences(const CpuState& first, const CpuState& second);

}  // namespace vellum
