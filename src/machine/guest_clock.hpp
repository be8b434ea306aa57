// Guest time: the host's monotonic clock while the machine runs, or one nanosecond for each retired instruction.
//
// A process that was stopped (SIGSTOP, a debugger, a host without a processor to spare) finds that the host's clock has
// gone on. While the guest runs or is idle, the machine asks for the time at least once a second, so that a longer step
// than `longest_step` is such a stop: guest time goes on from there, for a guest that caught up with all its timers would
// be busy for minutes.
#pragma once

#include <algorithm>
#include <functional>

#include "base/archive.hpp"
#include "base/scheduler.hpp"
#include "cpu/state.hpp"
#include "machine/config.hpp"

namespace vellum {

class GuestClock final : public TimeSource {
 public:
    // `host_time` is asked only in host mode.
    GuestClock(ClockKind kind, const CpuState& state, std::function<Nanoseconds()> host_time)
        : kind_{kind}, state_{state}, host_time_{std::move(host_time)} {}

    static constexpr Nanoseconds longest_step = 3 * second;

    ClockKind kind() const { return kind_; }

    Nanoseconds guest_time() override {
        if (kind_ == ClockKind::Instructions) return state_.instructions + offset_;
        if (stopped_) return stopped_at_;
        Nanoseconds now = host_time_() - offset_;
        if (now > seen_ && now - seen_ > longest_step) {
            offset_ += now - seen_ - longest_step;
            now = seen_ + longest_step;
        }
        return seen_ = now;
    }

    // Instruction mode: an idle processor jumps to the next event.
    void skip_to(Nanoseconds time) {
        if (time > guest_time()) offset_ += time - guest_time();
    }
    // Host mode: the clock stands still while the machine is paused.
    void stop() {
        if (stopped_) return;
        stopped_at_ = guest_time();
        stopped_ = true;
    }
    void start() {
        if (!stopped_) return;
        if (kind_ == ClockKind::Host) offset_ = host_time_() - stopped_at_;
        seen_ = stopped_at_;
        stopped_ = false;
        ahead_ = 0;
    }
    // Host mode: guest time jumps ahead of the host's, and goes back by as much of it as the host has slept: nobody may
    // have asked for the time meanwhile.
    void run_ahead(Nanoseconds by) {
        offset_ -= by;
        seen_ += by;
        ahead_ += by;
    }
    Nanoseconds ahead() const { return ahead_; }
    void catch_up(Nanoseconds slept) {
        Nanoseconds by = std::min(slept, ahead_);
        offset_ += by;
        ahead_ -= by;
    }
    // The instruction count at which guest time will be `time`.
    u64 instructions_at(Nanoseconds time) const {
        u64 count = time - offset_;
        return static_cast<i64>(count) > 0 ? count : 0;
    }

    void serialize(Archive& archive) {
        Nanoseconds time = guest_time();
        archive(time);
        if (!archive.loading()) return;
        if (time > end_of_time || state_.instructions > end_of_time) return archive.refuse();
        if (kind_ == ClockKind::Instructions) {
            offset_ = time - state_.instructions;
        } else {
            stopped_ = true;
            stopped_at_ = time;
        }
    }

 private:
    ClockKind kind_;
    const CpuState& state_;
    std::function<Nanoseconds()> host_time_;
    // Host mode: subtracted. Instruction mode: added (idle time); it is negative, modulo 2^64, when a snapshot of a
    // machine in host mode that was faster than 1000 million instructions a second goes on in instruction mode.
    u64 offset_ = 0;
    bool stopped_ = true;
    Nanoseconds stopped_at_ = 0;
    Nanoseconds seen_ = 0;  // when somebody asked last
    Nanoseconds ahead_ = 0;
};

}  // namespace vellum
