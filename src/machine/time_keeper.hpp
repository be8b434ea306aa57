// Calls back when the host's clock reaches a moment: how a running engine is told that a guest timer is due.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "base/descriptor.hpp"
#include "base/types.hpp"

namespace vellum {

class TimeKeeper {
 public:
    static constexpr Nanoseconds never = ~Nanoseconds{0};

    // `on_time` is called on the keeper's own thread, once for each moment that is reached. Throws HostError.
    explicit TimeKeeper(std::function<void()> on_time);
    ~TimeKeeper();
    TimeKeeper(const TimeKeeper&) = delete;
    TimeKeeper& operator=(const TimeKeeper&) = delete;

    // In host_monotonic_time(). Replaces the moment before; the thread is not woken for that. One caller at a time.
    void set(Nanoseconds moment);

 private:
    void run();

    std::function<void()> on_time_;
    Descriptor timer_;
    Nanoseconds moment_ = never;
    std::atomic<bool> stopping_ = false;
    std::thread thread_;
};

}  // namespace vellum
