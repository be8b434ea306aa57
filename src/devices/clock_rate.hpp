// Conversion between guest nanoseconds and the ticks of a crystal. Always from time zero, so that nothing drifts.
#pragma once

#include "base/types.hpp"

namespace vellum {

struct ClockRate {
    u64 hertz;  // at most 1 GHz

    constexpr u64 ticks_at(Nanoseconds time) const { return static_cast<u64>(Wide{time} * hertz / second); }

    // The first nanosecond at which `ticks_at` gives `tick`; the largest number when it lies past the end of time.
    constexpr Nanoseconds time_of(u64 tick) const {
        Wide time = (Wide{tick} * second + hertz - 1) / hertz;
        return time > ~u64{0} ? ~u64{0} : static_cast<u64>(time);
    }

 private:
    using Wide = unsigned __int128;
};

// A periodic interrupt faster than this is delivered as one for several periods: no guest could serve them one by
// one, and the host must not drown in events.
constexpr Nanoseconds shortest_interrupt_period = 10 * microsecond;

}  // namespace vellum
