// The wire between the keyboard controller and a keyboard or mouse: bytes both ways, one at a time.
#pragma once

#include <array>
#include <functional>

#include "base/archive.hpp"
#include "base/types.hpp"

namespace vellum {

// A bounded queue of bytes.
template <u32 most>
class ByteQueue {
 public:
    static constexpr u32 capacity() { return most; }
    bool empty() const { return count_ == 0; }
    u32 room() const { return most - count_; }
    void clear() {
        bytes_ = {};  // so that equal queues are equal in a saved state
        first_ = count_ = 0;
    }
    // A byte that does not fit is lost.
    void push(u8 byte) {
        if (count_ < most) bytes_[(first_ + count_++) % most] = byte;
    }
    u8 pop() {
        if (empty()) return 0;
        u8 byte = bytes_[first_];
        first_ = (first_ + 1) % most;
        --count_;
        return byte;
    }
    void serialize(Archive& a) {
        a(bytes_, first_, count_);
        if (first_ >= most || count_ > most) {
            first_ = count_ = 0;
            a.refuse();
        }
    }

 private:
    std::array<u8, most> bytes_{};
    u32 first_ = 0, count_ = 0;
};

class Ps2Device {
 public:
    virtual bool has_byte() const = 0;
    virtual u8 take_byte() = 0;         // only when has_byte()
    virtual void command(u8 byte) = 0;  // the host sends a byte
    // Called when has_byte() may have become true.
    void on_byte(std::function<void()> call) { on_byte_ = std::move(call); }

 protected:
    ~Ps2Device() = default;
    void announce() {
        if (on_byte_ && has_byte()) on_byte_();
    }

 private:
    std::function<void()> on_byte_;
};

constexpr u8 ps2_acknowledge = 0xFA, ps2_resend = 0xFE, ps2_self_test_passed = 0xAA;

}  // namespace vellum
