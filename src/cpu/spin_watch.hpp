// A guest that only waits says so by PAUSE (SDM 2B: "improves the performance of spin-wait loops"). One processor has
// nobody else to wait for: only time that passes, an interrupt or a device ends such a loop. After a while of it the
// machine may therefore sleep, and the host's processor is free for others.
//
// A loop is the same PAUSE again within `longest_gap`; what does real work in between is none. It may sleep once it has
// taken `patience`, each time for a quarter of what it has taken so far: so it ends late by no more than that quarter.
#pragma once

#include <utility>

#include "base/types.hpp"

namespace vellum {

class SpinWatch {
 public:
    static constexpr Nanoseconds patience = 50'000, longest_gap = 10'000;

    // Set where guest time is the host's: with a clock of instructions to sleep changes nothing.
    bool enabled = false;

    // PAUSE at `eip`. True: the loop may sleep now.
    bool note_pause(u32 eip, Nanoseconds guest_time) {
        if (eip != eip_ || guest_time - last_ > longest_gap) began_ = guest_time;
        eip_ = eip;
        last_ = guest_time;
        wish_ = last_ - began_ < patience ? 0 : (last_ - began_) / 4;
        return wish_ != 0;
    }

    // How long it may sleep from now on (0: not at all). Asked once for each wish.
    Nanoseconds take_wish() { return std::exchange(wish_, 0); }
    // It has slept, and goes on.
    void wake(Nanoseconds guest_time) { last_ = guest_time; }

 private:
    u32 eip_ = 0;
    Nanoseconds began_ = 0, last_ = 0, wish_ = 0;
};

}  // namespace vellum
