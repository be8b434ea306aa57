// Stops an engine that does not come back by itself: a mistake of the translator may be an endless loop.
#pragma once

#include <chrono>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <thread>
#include <utility>

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
        started_ = std::clock();
    }
    bool end() {
        std::lock_guard lock{mutex_};
        running_ = false;
        return std::exchange(bitten_, false);
    }

 private:
    void watch() {
        // Of the process's time, so that it does not matter what else the host has to do.
        constexpr std::clock_t patience = 30 * CLOCKS_PER_SEC;  // sanitizers and code that overwrites itself take seconds
        std::unique_lock lock{mutex_};
        while (!over_) {
            changed_.wait_for(lock, std::chrono::seconds{2}, [this] { return over_; });
            if (over_ || !running_ || std::clock() - started_ < patience) continue;
            bitten_ = true;
            attention_.raise(Attention::Stop);
        }
    }

    Attention& attention_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::clock_t started_ = 0;
    bool running_ = false, bitten_ = false, over_ = false;
    std::thread thread_;  // last: it uses the others
};

}  // namespace vellum::test
