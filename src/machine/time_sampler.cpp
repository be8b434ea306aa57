// The sampler's thread.
#include "machine/time_sampler.hpp"

#include <algorithm>
#include <chrono>

namespace vellum {

namespace {
constexpr u64 shares = 100;    // of which one is ours
constexpr u64 smoothing = 16;  // samples
}  // namespace

Nanoseconds SamplingPace::next_pause(Nanoseconds own_cpu) {
    cost_ = (cost_ * (smoothing - 1) + (own_cpu - used_)) / smoothing;
    used_ = own_cpu;
    random_ = random_ * 1664525 + 1013904223;
    Nanoseconds average = std::clamp(cost_ * shares, shortest, longest);
    return average / 2 + average * (random_ >> 16) / 0xFFFF;
}

TimeSampler::TimeSampler(const Occupation& occupation, Nanoseconds until) : occupation_{occupation}, until_{until} {
    start();
    thread_ = std::thread{[this] { run(); }};
}

void TimeSampler::start() { account_.start(clock_.now(), host_monotonic_time()); }

void TimeSampler::run() {
    ThreadClock own;
    std::unique_lock lock{mutex_};
    while (!stopping_) {
        if (host_monotonic_time() >= until_) {
            looking_ = false;
            changed_.wait(lock, [this] { return stopping_ || looking_; });
            continue;
        }
        if (changed_.wait_for(lock, std::chrono::nanoseconds{pace_.next_pause(own.now())},
                              [this] { return stopping_; }))
            break;
        // What it does first: the reading of clocks takes longer.
        Occupation::Doing doing = occupation_.doing();
        account_.sample(doing, clock_.now(), host_monotonic_time());
    }
}

bool TimeSampler::want(Nanoseconds until) {
    std::lock_guard lock{mutex_};
    until_ = std::max(until_, until);
    bool looked = looking_ && !stopping_;
    if (!looked && !stopping_) {
        start();
        looking_ = true;
        changed_.notify_one();
    }
    return looked;
}

TimeUse TimeSampler::use() {
    std::lock_guard lock{mutex_};
    return account_.use();
}

void TimeSampler::stop() {
    {
        std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable()) thread_.join();
}

}  // namespace vellum
