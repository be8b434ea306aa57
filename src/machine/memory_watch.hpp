// The process's largest memory use, sampled once a second.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "machine/host_process.hpp"

namespace vellum {

class MemoryWatch {
 public:
    explicit MemoryWatch(const ProcessMemory& memory) : memory_{memory}, thread_{[this] { run(); }} {}
    ~MemoryWatch() {
        {
            std::lock_guard lock{mutex_};
            stopping_ = true;
        }
        stop_.notify_one();
        thread_.join();
    }
    MemoryWatch(const MemoryWatch&) = delete;
    MemoryWatch& operator=(const MemoryWatch&) = delete;

    u64 peak() {  // bytes; samples once more
        sample();
        return peak_;
    }

 private:
    void sample() {
        u64 now = memory_.bytes(), before = peak_;
        while (now > before && !peak_.compare_exchange_weak(before, now)) {
        }
    }
    void run() {
        std::unique_lock lock{mutex_};
        while (!stop_.wait_for(lock, std::chrono::seconds{1}, [this] { return stopping_; })) sample();
    }

    const ProcessMemory& memory_;
    std::atomic<u64> peak_ = 0;
    std::mutex mutex_;
    std::condition_variable stop_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace vellum
