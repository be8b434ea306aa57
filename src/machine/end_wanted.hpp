// That the machine is to end, and with which status: said by any thread, and looked at by everything that may take
// long, so that nobody has to wait for what the vCPU thread is doing.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <utility>

namespace vellum {

// Whether the end is wanted, for who need not know more.
using Ending = std::function<bool()>;

class EndWanted {
 public:
    EndWanted() = default;
    // `on_first` is called once, by the thread that was the first to ask.
    explicit EndWanted(std::function<void()> on_first) : on_first_{std::move(on_first)} {}
    EndWanted(const EndWanted&) = delete;
    EndWanted& operator=(const EndWanted&) = delete;

    // The first status given counts. Whether it was this one. Any thread.
    bool ask(int exit_status) {
        int expected = none;
        if (!status_.compare_exchange_strong(expected, exit_status)) return false;
        if (on_first_) on_first_();
        return true;
    }
    bool asked() const { return status_ != none; }
    std::optional<int> status() const {
        int status = status_;
        return status == none ? std::nullopt : std::optional{status};
    }

 private:
    static constexpr int none = -1;
    std::function<void()> on_first_;
    std::atomic<int> status_ = none;
};

}  // namespace vellum
