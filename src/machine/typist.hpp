// Types for a script: key events one after the other, as fast as the guest reads them.
#pragma once

#include <deque>
#include <vector>

#include "base/scheduler.hpp"
#include "devices/input.hpp"
#include "machine/board.hpp"

namespace vellum {

class Typist {
 public:
    explicit Typist(Board& board) : board_{board}, next_{board.scheduler(), [this] { type_one(); }} {}

    void type(const std::vector<KeyEvent>& events) {  // vCPU thread
        events_.insert(events_.end(), events.begin(), events.end());
        if (!next_.active()) next_.start_in(0);
    }

 private:
    static constexpr Nanoseconds pace = 8 * millisecond, patience = 2 * millisecond;

    void type_one() {
        if (events_.empty()) return;
        if (!board_.keyboard_idle()) return next_.start_in(patience);
        board_.key(events_.front());
        events_.pop_front();
        if (!events_.empty()) next_.start_in(pace);
    }

    Board& board_;
    Timer next_;
    std::deque<KeyEvent> events_;
};

}  // namespace vellum
