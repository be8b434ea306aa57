// Stops an engine that does not come back by itself: a mistake of the translator may be an endless loop.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "cpu/attention.hpp"

namespace vellum::test {

class Watchdog {
 public:
    explicit Watchdog(Attention& attention) : attention_{attention}, thread_{[this] { watch(); }} {}
    ~Watchdog() {
        {
            std::lock_guard lock{mutex_};
            over_ = true;
        }
        changed_.notify_one();
        thread_.join();
    }

    // Around each run. end() is true when the engine had to be stopped.
    void begin() {
        std::lock_guard lock{mutex_};
        running_ = true;
        ++runs_;
    }
    bool end() {
        std::lock_guard lock{mutex_};
        running_ = false;
        return std::exchange(bitten_, false);
    }

 private:
    void watch() {
        constexpr auto patience = std::chrono::seconds{2};
        std::unique_lock lock{mutex_};
        while (!over_) {
            u64 run = runs_;
            changed_.wait_for(lock, patience, [this] { return over_; });
            if (over_ || !running_ || runs_ != run) continue;
            bitten_ = true;
            attention_.raise(Attention::Stop);
        }
    }

    Attention& attention_;
    std::mutex mutex_;
    std::condition_variable changed_;
    u64 runs_ = 0;
    bool running_ = false, bitten_ = false, over_ = false;
    std::thread thread_;  // last: it uses the others
};

}  // namespace vellum::test
