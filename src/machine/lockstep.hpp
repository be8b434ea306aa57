// Two engines over two boards that are given the same: after each stretch of instructions their states must be equal.
// Looks like an engine of the first board; the second board runs on the interpreter behind it.
#pragma once

#include <memory>
#include <stdexcept>

#include "cpu/engine.hpp"
#include "cpu/interpreter.hpp"
#include "machine/board.hpp"

namespace vellum {

// The engines disagree; the message shows both states side by side (exit status 8).
class LockstepDifference : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

class LockstepEngine final : public Engine {
 public:
    // `engine` runs `first`; `follower` was made from the same configuration. Instruction clock only. What ends the
    // machine or resets it is left in both boards for the machine to handle.
    LockstepEngine(std::unique_ptr<Engine> engine, Board& first, Board& follower);

    std::string_view name() const override { return "lockstep"; }
    // One stretch of instructions.
    Stop run() override;
    void state_replaced() override;
    EngineStatistics statistics() const override { return engine_->statistics(); }

    // Everything now: registers, chips, memory, disk writes kept apart. Throws LockstepDifference.
    void compare_all();

 private:
    Stop run_first();
    void follow();
    void set_limit_of_second(u64 target);
    void compare_processors();
    void compare_chips();
    void compare_memory();
    void compare_disks();
    [[noreturn]] void differ(const std::string& what) const;

    std::unique_ptr<Engine> engine_;
    Board &first_, &second_;
    Interpreter interpreter_;
    u64 target_ = 0;      // where the second one is going
    u64 last_equal_ = 0;  // instructions retired when the processors were equal last
    u64 next_long_comparison_ = 0;
};

}  // namespace vellum
