// A thread that waits for host descriptors (serial input, clients of the control socket and the debugger's port) and
// hands over what arrives.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/types.hpp"

namespace vellum {

// What a watcher waits for just now.
struct Interest {
    Interest(bool wants_input = true) : input{wants_input} {}  // most watchers say no more

    bool input;
    bool output = false;
    std::optional<Nanoseconds> at;  // host_monotonic_time(): comes to it then at the latest
};

class EventLoop {
 public:
    EventLoop();
    ~EventLoop();  // stops the thread
    // Without a thread: whoever has made it calls turn(), which hands over what has come, and waits for nothing but a
    // time that a watcher has named.
    struct ByHand {};
    explicit EventLoop(ByHand);
    void turn();
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;

    // Calls `ready` on the loop's thread whenever what `interest` (input, if not given) names has come. False from it:
    // watch no longer. `interest` is asked before each wait; look_again() makes the loop ask it anew. A descriptor of
    // which nothing is wanted is left alone, also when the other end is gone.
    void watch(int descriptor, std::function<bool()> ready, std::function<Interest()> interest = {});
    void look_again();

 private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace vellum
