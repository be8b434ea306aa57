// Many small pieces of output on their way to a sink: kept until there are enough of them, or some have waited for a
// second. Time is only looked at when a piece comes.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/types.hpp"
#include "devices/byte_sink.hpp"

namespace vellum {

class DelayedOutput {
 public:
    static constexpr std::size_t enough = 64 * 1024;
    static constexpr Nanoseconds longest_delay = second;

    explicit DelayedOutput(std::unique_ptr<ByteSink> sink) : sink_{std::move(sink)} {}
    ~DelayedOutput() { flush(); }
    DelayedOutput(const DelayedOutput&) = delete;
    DelayedOutput& operator=(const DelayedOutput&) = delete;

    void put(const void* bytes, std::size_t count) {
        const u8* first = static_cast<const u8*>(bytes);
        waiting_.insert(waiting_.end(), first, first + count);
    }
    // Behind a piece that is complete: what waits reaches the sink in whole pieces only.
    void piece_ends(Nanoseconds now) {
        if (waiting_.size() < enough && now - flushed_at_ < longest_delay) return;
        flush();
        flushed_at_ = now;
    }
    void flush() {
        if (!waiting_.empty()) sink_->put(waiting_);
        waiting_.clear();
    }

 private:
    std::unique_ptr<ByteSink> sink_;
    std::vector<u8> waiting_;
    Nanoseconds flushed_at_ = 0;
};

}  // namespace vellum
