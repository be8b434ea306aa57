// Looks at what the vCPU thread is doing, from a thread of its own, while somebody wants to know: 1,000 times a second,
// or as often as a hundredth of one processor allows. The vCPU thread itself reads no clock for it.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "machine/host_process.hpp"
#include "machine/time_account.hpp"

namespace vellum {

// How long to wait before looking again. Looking takes 5 us of a processor, and 30 to 60 us of a virtual one, whose
// timer and whose wake-up are each a way out to its host and back.
class SamplingPace {
 public:
    static constexpr Nanoseconds shortest = millisecond, longest = 10 * millisecond;  // on average

    // `own_cpu`: what the thread that looks has used so far. Half to one and a half of the average, evenly: a steady
    // step would always or never meet what a guest does at each tick of its timer.
    Nanoseconds next_pause(Nanoseconds own_cpu);

 private:
    Nanoseconds used_ = 0, cost_ = 20 * microsecond;  // of looking once, on average
    u32 random_ = 1;
};

class TimeSampler {
 public:
    static constexpr Nanoseconds for_ever = ~Nanoseconds{0};

    // Of the calling thread, whose end it must not outlive: stop() is called by then. Looks until `until`
    // (host_monotonic_time()).
    TimeSampler(const Occupation& occupation, Nanoseconds until);
    ~TimeSampler() { stop(); }
    TimeSampler(const TimeSampler&) = delete;
    TimeSampler& operator=(const TimeSampler&) = delete;

    // Looks on, or again, until then. False: it had stopped looking, and missed some time.
    bool want(Nanoseconds until);
    TimeUse use();  // so far
    void stop();    // no more; `use` still answers

 private:
    void run();
    void start();

    const Occupation& occupation_;
    ThreadClock clock_;
    std::mutex mutex_;  // all below
    std::condition_variable changed_;
    TimeAccount account_;
    Nanoseconds until_;
    bool looking_ = true, stopping_ = false;
    SamplingPace pace_;
    std::thread thread_;
};

}  // namespace vellum
