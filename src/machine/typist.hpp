// Who types faster than a keyboard can hold: a script's text, one key after the other as the guest reads them, and a
// person's keys (or what a person pastes), which wait only when the keyboard is full.
#pragma once

#include <bitset>
#include <deque>
#include <vector>

#include "base/scheduler.hpp"
#include "devices/input.hpp"
#include "machine/board.hpp"

namespace vellum {

class Typist {
 public:
    explicit Typist(Board& board) : board_{board}, next_{board.scheduler(), [this] { type_one(); }} {}

    static constexpr std::size_t most = 1 << 20;  // hours of typing

    // vCPU thread. False, and nothing is typed: too much waits already.
    bool type(const std::vector<KeyEvent>& events) {
        if (events_.size() + events.size() > most) return false;
        events_.insert(events_.end(), events.begin(), events.end());
        if (!next_.active()) next_.start_in(0);
        return true;
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

class KeyQueue {
 public:
    explicit KeyQueue(Board& board) : board_{board}, again_{board.scheduler(), [this] { feed(); }} {}

    // vCPU thread. A key that does not fit is lost together with its release; other releases are always kept, so that
    // no key stays down.
    void add(KeyEvent event) {
        bool was_lost = lost_[event.usage];
        lost_[event.usage] = event.down && events_.size() >= most;
        if (event.down ? lost_[event.usage] : was_lost) return;
        events_.push_back(event);
        feed();
    }
    std::size_t waiting() const { return events_.size(); }

 private:
    static constexpr std::size_t most = 16'384;
    static constexpr Nanoseconds patience = 2 * millisecond;

    void feed() {
        while (!events_.empty() && board_.keyboard_has_room()) {
            board_.key(events_.front());
            events_.pop_front();
        }
        if (!events_.empty() && !again_.active()) again_.start_in(patience);
    }

    Board& board_;
    Timer again_;
    std::deque<KeyEvent> events_;
    std::bitset<256> lost_;  // keys whose press did not fit
};

}  // namespace vellum
