// TimeKeeper on Linux: a timer that a thread reads. To wake that thread only to tell it a later moment would cost more
// than most timer ticks of an idle guest.
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/check.hpp"
#include "base/host_error.hpp"
#include "machine/time_keeper.hpp"

namespace vellum {

namespace {

Descriptor make_timer() {
    Descriptor timer{timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)};
    if (!timer) throw HostError("the host has no timer left for the guest's clock");
    return timer;
}

void arm(const Descriptor& timer, Nanoseconds moment) {
    constexpr Nanoseconds second = 1'000'000'000;
    itimerspec when{};  // all zero: never
    if (moment != TimeKeeper::never) {
        moment = std::max<Nanoseconds>(moment, 1);
        when.it_value = {static_cast<time_t>(moment / second), static_cast<long>(moment % second)};
    }
    check(timerfd_settime(timer.number(), TFD_TIMER_ABSTIME, &when, nullptr) == 0, "a timer can be set");
}

}  // namespace

TimeKeeper::TimeKeeper(std::function<void()> on_time)
    : on_time_{std::move(on_time)}, timer_{make_timer()}, thread_{[this] { run(); }} {}

TimeKeeper::~TimeKeeper() {
    stopping_ = true;
    arm(timer_, 1);
    thread_.join();
}

void TimeKeeper::set(Nanoseconds moment) {
    if (moment == moment_) return;
    moment_ = moment;
    arm(timer_, moment);
}

void TimeKeeper::run() {
    while (true) {
        u64 expirations = 0;
        ssize_t got = read(timer_.number(), &expirations, sizeof expirations);
        if (stopping_) return;
        if (got == sizeof expirations)
            on_time_();
        else
            check(errno == EINTR, "a timer can be waited for");
    }
}

}  // namespace vellum
