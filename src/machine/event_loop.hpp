// A thread that waits for host descriptors (serial input, control connections) and hands over what arrives.
#pragma once

#include <functional>
#include <memory>

#include "base/types.hpp"

namespace vellum {

class EventLoop {
 public:
    EventLoop();
    ~EventLoop();  // stops the thread
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;

    // Calls `ready` on the loop's thread whenever `descriptor` can be read. False from it: watch no longer. While
    // `wanted` (if given) says false, the descriptor is left alone; look_again() makes the loop ask it anew.
    void watch(int descriptor, std::function<bool()> ready, std::function<bool()> wanted = {});
    void look_again();

 private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace vellum
