// Counting and expiry of the APIC timer.
#include "devices/apic_timer.hpp"

#include "devices/clock_rate.hpp"

namespace vellum {

ApicTimer::ApicTimer(Scheduler& scheduler, std::function<void()> on_expiry, TimeOfTsc time_of_tsc)
    : scheduler_{scheduler},
      on_expiry_{std::move(on_expiry)},
      time_of_tsc_{std::move(time_of_tsc)},
      event_{scheduler, [this] { on_event(); }} {}

void ApicTimer::reset() {
    mode_ = Mode::OneShot;
    wanted_ = false;
    armed_ = false;
    divide_ = 0;
    initial_ = 0;
    deadline_ = 0;
    event_.stop();
}

void ApicTimer::serialize(Archive& a) {
    a(mode_, wanted_, armed_, divide_, initial_, deadline_, start_, event_);
    const bool divisor_missing = armed_ && initial_ == 0;
    const bool starts_later = static_cast<i64>(scheduler_.now() - start_) < 0;
    if (a.loading() && (divisor_missing || starts_later || mode_ > Mode::TscDeadline ||
                        (mode_ == Mode::TscDeadline && !has_deadline_mode()))) {
        a.refuse();
        reset();
    }
}

// After a change of pace start_ may lie before time zero, which wraps; the difference is right all the same.
Nanoseconds ApicTimer::elapsed() const {
    const Nanoseconds since = scheduler_.now() - start_;
    return static_cast<i64>(since) < 0 ? 0 : since;
}

u64 ApicTimer::divisor() const {
    const u32 code = (divide_ & 3) | ((divide_ >> 1) & 4);
    return code == 7 ? 1 : u64{2} << code;
}

u32 ApicTimer::current_count() const {
    if (initial_ == 0 || mode_ == Mode::TscDeadline) return 0;
    const u64 counted = elapsed() / divisor();
    if (mode_ == Mode::Periodic) return initial_ - static_cast<u32>(counted % initial_);
    return counted < initial_ ? initial_ - static_cast<u32>(counted) : 0;
}

void ApicTimer::set_mode(Mode mode) {
    if (mode == mode_) return;
    catch_up();
    // Going to or from deadline mode disarms the timer (SDM 3A, 11.5.4.1).
    if (mode == Mode::TscDeadline || mode_ == Mode::TscDeadline) initial_ = 0, deadline_ = 0, armed_ = false;
    mode_ = mode;
    forget_passed();
    schedule();
}

void ApicTimer::set_wanted(bool wanted) {
    if (wanted == wanted_) return;
    catch_up();
    wanted_ = wanted;
    forget_passed();
    schedule();
}

void ApicTimer::set_initial_count(u32 count) {
    if (mode_ == Mode::TscDeadline) return;
    catch_up();
    initial_ = count;
    start_ = scheduler_.now();
    armed_ = count != 0;
    schedule();
}

void ApicTimer::set_divide(u8 divide_register) {
    catch_up();
    // The count reached so far stays; only its pace changes.
    const u64 counted = initial_ - u64{current_count()};
    divide_ = divide_register & 0x0B;
    start_ = scheduler_.now() - counted * divisor();
    schedule();
}

void ApicTimer::set_tsc_deadline(u64 tsc) {
    if (mode_ != Mode::TscDeadline) return;
    catch_up();
    deadline_ = tsc;
    schedule();
}

// An expiry that is due must not be lost to the write that comes now.
void ApicTimer::catch_up() {
    if (event_.active() && event_.deadline() <= scheduler_.now()) {
        event_.stop();
        on_event();
    }
}

// One that ran out while nobody wanted it does not interrupt later.
void ApicTimer::forget_passed() {
    if (mode_ == Mode::OneShot && elapsed() >= initial_ * divisor()) armed_ = false;
}

void ApicTimer::on_event() {
    deadline_ = 0;
    if (mode_ == Mode::OneShot) armed_ = false;
    on_expiry_();
    if (mode_ == Mode::Periodic) schedule();
}

void ApicTimer::schedule() {
    event_.stop();
    if (!wanted_) return;
    if (mode_ == Mode::TscDeadline) {
        if (deadline_ != 0) event_.start_at(time_of_tsc_(deadline_));
        return;
    }
    if (!armed_) return;
    const Nanoseconds period = initial_ * divisor();
    if (mode_ == Mode::OneShot) {
        event_.start_at(start_ + period);
        return;
    }
    const u64 expired = elapsed() / period;
    const u64 merged = period < shortest_interrupt_period ? shortest_interrupt_period / period : 0;
    event_.start_at(start_ + (expired + 1 + merged) * period);
}

}  // namespace vellum
