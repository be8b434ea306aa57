// A guest that only waits says so by PAUSE (SDM 2B, PAUSE: "improves the performance of spin-wait loops"), and most wait
// for time to pass: kernels delay so, microsecond by microsecond. Once such a loop has taken a while, PAUSE takes
// `pause_time` of guest time, and the host's processor sleeps for it, many of them at once: guest time is a little ahead
// of the host's meanwhile.
#pragma once

#include "base/types.hpp"

namespace vellum {

class SpinWatch {
 public:
    // A loop is the same PAUSE again within `longest_gap`: what does real work in between is none.
    static constexpr Nanoseconds patience = 50'000, longest_gap = 10'000, pause_time = 1'000;
    // Guest time may be ahead by so much, and timers late by so much in guest time: some five times what a short sleep
    // takes longer than it was to.
    static constexpr Nanoseconds most_ahead = 250'000;

    // PAUSE at `eip`. Does it take time?
    bool note_pause(u32 eip, Nanoseconds guest_time) {
        if (eip != eip_ || guest_time - last_ > longest_gap) began_ = guest_time;
        eip_ = eip;
        last_ = guest_time;
        return last_ - began_ >= patience;
    }
    // The host has slept, and the loop goes on.
    void wake(Nanoseconds guest_time) { last_ = guest_time; }

 private:
    u32 eip_ = 0;
    Nanoseconds began_ = 0, last_ = 0;
};

}  // namespace vellum
