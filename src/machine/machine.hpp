// A board with an engine: runs in slices until something needs the world outside. One thread at a time.
#pragma once

#include <memory>
#include <optional>

#include "cpu/engine.hpp"
#include "machine/board.hpp"
#include "machine/time_keeper.hpp"

namespace vellum {

class CodeObserver;
class LockstepEngine;
class Snapshot;

class Machine {
 public:
    // `shadow_parts`: for EngineKind::Lockstep, what the second board gets (its output goes nowhere).
    // `observer`: told of translated code, and lives longer.
    Machine(const MachineConfig& config, BoardParts parts, Log& log, std::optional<BoardParts> shadow_parts = {},
            CodeObserver* observer = nullptr);
    ~Machine();

    Board& board() { return *board_; }
    Engine& engine() { return *engine_; }

    struct Slice {
        enum class Kind : u8 {
            Stopped,  // Attention::Stop, or the instruction limit was reached: look around and call again
            Idle,     // halted: nothing happens before `until` (guest time) unless somebody does something
            Ahead,    // guest time is ahead of the host's, which would show `until` when it has caught up
            Ended,    // the machine is off: `exit_status`
            Debug,    // Cpu::debug tells why, or the processor shut down
        } kind;
        Nanoseconds until = 0;
        int exit_status = 0;
    };
    // Stops at the latest when `limit` instructions have retired in all (instruction clock only).
    Slice run_slice(u64 limit = ~u64{0});

    // A debugger wants to see a shutdown (triple fault) before it resets the machine or ends it: Slice::Kind::Debug
    // comes first, and what follows from the shutdown with the next slice.
    void show_shutdowns(bool wanted) { shows_shutdowns_ = wanted; }

    void press_reset();  // what a person does; vCPU thread
    // Both boards of a lockstep run. Throws UsageError that names the file; the machine is of no use then.
    void restore(const Snapshot& snapshot);
    // Throws LockstepDifference when the two boards of a lockstep run differ in anything at all.
    void compare_boards();
    // Guest time runs only between start and stop (host clock).
    void start() { board_->clock().start(); }
    void stop() { board_->clock().stop(); }

 private:
    void reset();
    void set_deadline();
    std::optional<int> handle_events();

    bool reboot_;
    bool shows_shutdowns_ = false, shutdown_shown_ = false;
    u64 limit_ = ~u64{0};
    std::unique_ptr<Board> second_board_;  // lockstep only
    std::unique_ptr<Board> board_;
    std::unique_ptr<Engine> engine_;
    LockstepEngine* lockstep_ = nullptr;  // engine_, if it is that one
    std::function<Nanoseconds()> host_time_;
    std::unique_ptr<TimeKeeper> keeper_;  // host clock only
};

}  // namespace vellum
