// How often clients (scripts, debuggers) may interrupt a machine: one request at a time, and between two of them the
// guest gets as long as the last one took. However many clients ask however fast, half of the time is the guest's.
#pragma once

#include <algorithm>
#include <atomic>
#include <optional>

#include "base/types.hpp"

namespace vellum {

class ClientPace {
 public:
    // Interrupting the guest costs something beside the request; and after a long one (a snapshot) a person is still
    // heard soon.
    static constexpr Nanoseconds shortest_rest = 100 * microsecond, longest_rest = 100 * millisecond;

    enum class Who : u8 { Script, Debugger };

    // When the next request may begin; nothing while one is under way. Who was the last comes a little later, so that
    // the other one is not always behind.
    std::optional<Nanoseconds> next(Who who) const {
        if (busy_) return std::nullopt;
        return rest_until_ + (who == last_ ? shortest_rest : 0);
    }
    bool may_begin(Who who, Nanoseconds now) const { return next(who).value_or(now + 1) <= now; }
    void begin(Who who, Nanoseconds now) {
        last_ = who;
        began_ = now;
        busy_ = true;
    }
    void end(Nanoseconds now) {  // any thread
        rest_until_ = now + std::clamp(now - began_, shortest_rest, longest_rest);
        busy_ = false;
    }

 private:
    Who last_ = Who::Script;  // of those who ask: one thread
    std::atomic<bool> busy_ = false;
    std::atomic<Nanoseconds> began_ = 0, rest_until_ = 0;
};

}  // namespace vellum
