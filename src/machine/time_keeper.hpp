// Calls back when the host's clock reaches a moment: how a running engine is told that a guest timer is due.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/types.hpp"

namespace vellum {

class TimeKeeper {
 public:
    // `on_time` is called on the keeper's own thread, once for each moment set.
    explicit TimeKeeper(std::function<void()> on_time) : on_time_{std::move(on_time)}, thread_{[this] { run(); }} {}
    ~TimeKeeper() {
        {
            std::lock_guard lock{mutex_};
            stopping_ = true;
        }
        changed_.notify_one();
        thread_.join();
    }
    TimeKeeper(const TimeKeeper&) = delete;
    TimeKeeper& operator=(const TimeKeeper&) = delete;

    // In host_monotonic_time(); ~0 is never. Replaces the moment before. The thread is woken only to sleep shorter.
    void set(Nanoseconds moment) {
        std::lock_guard lock{mutex_};
        bool earlier = moment < sleeping_until_;
        moment_ = moment;
        if (earlier) changed_.notify_one();
    }

 private:
    using Clock = std::chrono::steady_clock;
    static constexpr Nanoseconds never = ~Nanoseconds{0};

    void run() {
        std::unique_lock lock{mutex_};
        while (!stopping_) {
            auto now = static_cast<Nanoseconds>(Clock::now().time_since_epoch().count());
            if (moment_ <= now) {
                moment_ = never;
                on_time_();
                continue;
            }
            sleeping_until_ = moment_;
            if (moment_ == never)
                changed_.wait(lock);
            else
                changed_.wait_until(lock, Clock::time_point{std::chrono::nanoseconds{moment_}});
            sleeping_until_ = 0;  // a moment set while we look at the clock is seen by the loop itself
        }
    }

    std::function<void()> on_time_;
    std::mutex mutex_;
    std::condition_variable changed_;
    Nanoseconds moment_ = never, sleeping_until_ = 0;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace vellum
