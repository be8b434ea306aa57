// The timer of a local APIC (SDM 3A, 11.5.4): a 32-bit down counter on a 1 GHz clock behind a divider, or a deadline
// in time-stamp counts.
#pragma once

#include <functional>

#include "base/scheduler.hpp"

namespace vellum {

class ApicTimer {
 public:
    enum class Mode : u8 { OneShot, Periodic, TscDeadline };
    // Guest time at which the time-stamp counter reaches a value; not before now.
    using TimeOfTsc = std::function<Nanoseconds(u64 tsc)>;

    // `on_expiry` is called only while interrupts are wanted. Without `time_of_tsc` there is no deadline mode.
    ApicTimer(Scheduler& scheduler, std::function<void()> on_expiry, TimeOfTsc time_of_tsc);
    void reset();
    void serialize(Archive& a);

    bool has_deadline_mode() const { return static_cast<bool>(time_of_tsc_); }
    void set_mode(Mode mode);
    void set_wanted(bool wanted);
    void set_initial_count(u32 count);
    void set_divide(u8 divide_register);  // bits 3, 1 and 0 as in the manual's figure 11-10
    void set_tsc_deadline(u64 tsc);       // 0 disarms; ignored outside of deadline mode

    u32 initial_count() const { return initial_; }
    u32 current_count() const;
    u8 divide() const { return divide_; }
    u64 tsc_deadline() const { return deadline_; }

 private:
    u64 divisor() const;          // nanoseconds per count
    Nanoseconds elapsed() const;  // since the counter held initial_
    void catch_up();
    void forget_passed();
    void on_event();
    void schedule();

    Scheduler& scheduler_;
    std::function<void()> on_expiry_;
    TimeOfTsc time_of_tsc_;
    Timer event_;
    Mode mode_ = Mode::OneShot;
    bool wanted_ = false;
    bool armed_ = false;  // a count was written that has not run out (one-shot), or is not 0 (periodic)
    u8 divide_ = 0;
    u32 initial_ = 0;
    u64 deadline_ = 0;
    Nanoseconds start_ = 0;  // when the counter held initial_
};

}  // namespace vellum
