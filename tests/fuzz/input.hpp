// What libFuzzer gives, taken from the front as numbers; zeros once it is used up, so that every input means something.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/types.hpp"

namespace vellum::fuzz {

class Input {
 public:
    Input(const u8* data, std::size_t size) : left_{data, size} {}

    bool empty() const { return left_.empty(); }
    std::size_t left() const { return left_.size(); }

    template <typename T>
    requires std::is_integral_v<T> T take() {
        T value{};
        std::size_t count = std::min(sizeof value, left_.size());
        if (count) std::memcpy(&value, left_.data(), count);
        left_ = left_.subspan(count);
        return value;
    }
    u8 byte() { return take<u8>(); }
    // Fewer than `count` when no more are left.
    std::span<const u8> bytes(std::size_t count) {
        auto taken = left_.first(std::min(count, left_.size()));
        left_ = left_.subspan(taken.size());
        return taken;
    }
    std::span<const u8> rest() { return bytes(left_.size()); }

 private:
    std::span<const u8> left_;
};

// The other direction: seeds are written as what the reader takes.
class Output {
 public:
    template <typename T>
    requires std::is_integral_v<T> Output& put(T value) {
        const auto* first = reinterpret_cast<const u8*>(&value);
        bytes_.insert(bytes_.end(), first, first + sizeof value);
        return *this;
    }
    Output& bytes(std::span<const u8> more) {
        bytes_.insert(bytes_.end(), more.begin(), more.end());
        return *this;
    }
    const std::vector<u8>& all() const { return bytes_; }

 private:
    std::vector<u8> bytes_;
};

// A seed has a reason: why the fuzzer would take long to find this by itself.
struct Seed {
    std::string name, reason;
    std::vector<u8> bytes;
};

}  // namespace vellum::fuzz
