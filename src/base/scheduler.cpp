// The event queue.
#include "base/scheduler.hpp"

#include <algorithm>
#include <tuple>

namespace vellum {

namespace {
// How many timers may be started in a row without a step of time, and how far ahead they come to lie behind that.
constexpr u32 most_at_once = 1000;
constexpr Nanoseconds put_off = millisecond;
constexpr Nanoseconds longest_delay = 10 * second;  // of a vCPU thread between two looks at the clock, with much room
constexpr u32 fired_between_looks = 1000;           // more than are ever due unless there is much to catch up with
}  // namespace

Timer::Timer(Scheduler& scheduler, std::function<void()> fire)
    : scheduler_{scheduler}, fire_{std::move(fire)}, number_{scheduler.timers_made_++} {}

void Timer::start_at(Nanoseconds deadline) {
    stop();
    deadline_ = scheduler_.not_without_end(deadline);
    active_ = true;
    scheduler_.queue_.insert(this);
}

void Timer::start_in(Nanoseconds delay) { start_at(scheduler_.now() + delay); }

void Timer::stop() {
    if (active_) scheduler_.queue_.erase(this);
    active_ = false;
}

void Timer::serialize(Archive& a) {
    bool active = active_;
    Nanoseconds deadline = active_ ? deadline_ : 0;  // of a stopped timer it says nothing
    a(active, deadline);
    if (active && deadline > end_of_time) return a.refuse();
    if (!a.loading()) return;
    // One that is long overdue would fire for ages when it is a periodic one's.
    if (active && deadline + longest_delay < scheduler_.now()) return a.refuse();
    stop();
    if (active) start_at(deadline);
}

bool Scheduler::Earlier::operator()(const Timer* a, const Timer* b) const {
    return std::tie(a->deadline_, a->number_) < std::tie(b->deadline_, b->number_);
}

Nanoseconds Scheduler::now() const {
    if (source_ && !firing_) now_ = std::max(now_, source_->guest_time());
    return now_;
}

void Scheduler::serialize(Archive& a) {
    Nanoseconds time = now();
    a(time);
    if (time > end_of_time) return a.refuse();
    if (a.loading()) now_ = time;
}

Nanoseconds Scheduler::next_deadline() const { return queue_.empty() ? ~Nanoseconds{0} : (*queue_.begin())->deadline_; }

// Whoever starts a timer again at or before the deadline that is being served, and does so each time, would hold guest
// time where it is. Devices do not; a state from a file may make one. It goes on a little later then.
Nanoseconds Scheduler::not_without_end(Nanoseconds deadline) {
    if (!firing_ || deadline > now_) return deadline;
    return ++restarted_at_once_ <= most_at_once ? deadline : now_ + put_off;
}

void Scheduler::advance_to(Nanoseconds time) {
    firing_ = true;
    restarted_at_once_ = 0;
    for (u32 fired = 1; next_deadline() <= time; ++fired) {
        Timer* timer = *queue_.begin();
        timer->stop();
        if (timer->deadline_ > now_) restarted_at_once_ = 0;
        // The source may already have been read past this deadline; for the timer, time stands at its deadline.
        now_ = timer->deadline_;
        timer->fire_();
        if (fired % fired_between_looks != 0 || !ended_ || !ended_()) continue;
        firing_ = false;
        return;
    }
    firing_ = false;
    now_ = std::max(now_, time);
}

}  // namespace vellum
