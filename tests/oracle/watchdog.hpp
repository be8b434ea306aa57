// Stops an engine that does not come back by itself: a mistake of the translator may be an endless loop.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <ctime>
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
    void begin() { run_.fetch_add(1); }
    bool end() {
        if (!(run_.fetch_add(1) & bitten)) [[likely]]
            return false;
        std::lock_guard lock{mutex_};  // the engine has surely been told
        run_ = 0;
        return true;
    }

 private:
    static constexpr u64 bitten = u64{1} << 63;

    // The same run after so much of the process's time: it does not matter what else the host has to do. Most runs are
    // over before anybody looks, and cost no look at the clock.
    void watch() {
        constexpr std::clock_t patience =
            30 * CLOCKS_PER_SEC;  // sanitizers and code that overwrites itself take seconds
        u64 seen = 0;
        std::clock_t since = 0;
        std::unique_lock lock{mutex_};
        while (!over_) {
            changed_.wait_for(lock, std::chrono::seconds{2}, [this] { return over_; });
            u64 now = run_;
            if (now != seen) since = std::clock();
            seen = now;
            bool running = now % 2 != 0 && !(now & bitten);
            if (over_ || !running || std::clock() - since < patience) continue;
            if (run_.compare_exchange_strong(now, now | bitten)) attention_.raise(Attention::Stop);
        }
    }

    Attention& attention_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::atomic<u64> run_ = 0;  // counts beginnings and ends: odd while a run is under way
    bool over_ = false;
    std::thread thread_;  // last: it uses the others
};

}  // namespace vellum::test
