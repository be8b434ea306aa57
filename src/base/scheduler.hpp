// Events in guest time, ordered by (deadline, order of creation), so that runs repeat exactly.
#pragma once

#include <functional>
#include <set>
#include <utility>

#include "base/archive.hpp"
#include "base/types.hpp"

namespace vellum {

class Scheduler;

// No machine gets this old: later times in a snapshot are damage.
constexpr Nanoseconds end_of_time = u64{100 * 365} * 24 * 3600 * second;

// A device owns its timers as members. While one fires, time stands at its deadline, so a periodic device simply
// starts it again and never drifts. A timer carries its own deadline through `serialize`; the queue is never saved.
class Timer {
 public:
    Timer(Scheduler& scheduler, std::function<void()> fire);
    ~Timer() { stop(); }
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    void start_at(Nanoseconds deadline);
    void start_in(Nanoseconds delay);
    void stop();
    bool active() const { return active_; }
    Nanoseconds deadline() const { return deadline_; }
    void serialize(Archive&);

 private:
    friend class Scheduler;
    Scheduler& scheduler_;
    std::function<void()> fire_;
    Nanoseconds deadline_ = 0;
    u32 number_ = 0;  // order of construction: breaks ties
    bool active_ = false;
};

// Where guest time comes from between events: the host's clock, or retired instructions.
class TimeSource {
 public:
    virtual Nanoseconds guest_time() = 0;

 protected:
    ~TimeSource() = default;
};

class Scheduler {
 public:
    // Guest time now. Outside of a firing timer it is what the time source says, and never runs backwards.
    Nanoseconds now() const;
    Nanoseconds next_deadline() const;  // ~0 when nothing is due ever
    void advance_to(Nanoseconds time);  // fires everything due, in order
    void set_time_source(TimeSource* source) { source_ = source; }
    // `ended` is asked now and then while much is due; what is left then stays due.
    void set_ended(std::function<bool()> ended) { ended_ = std::move(ended); }
    void serialize(Archive& a);

 private:
    friend class Timer;
    Nanoseconds not_without_end(Nanoseconds deadline);
    struct Earlier {
        bool operator()(const Timer* a, const Timer* b) const;
    };
    std::set<Timer*, Earlier> queue_;
    mutable Nanoseconds now_ = 0;
    TimeSource* source_ = nullptr;
    std::function<bool()> ended_;
    bool firing_ = false;
    u32 timers_made_ = 0, restarted_at_once_ = 0;
};

}  // namespace vellum
