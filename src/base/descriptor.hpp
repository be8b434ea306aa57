// An open file of the host, closed when its owner goes.
#pragma once

#include <utility>

namespace vellum {

class Descriptor {
 public:
    static constexpr int none = -1;

    Descriptor() = default;
    explicit Descriptor(int number) : number_{number} {}
    Descriptor(Descriptor&& other) noexcept : number_{std::exchange(other.number_, none)} {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~Descriptor();  // host_descriptor.cpp

    int number() const { return number_; }
    explicit operator bool() const { return number_ >= 0; }

 private:
    int number_ = none;
};

}  // namespace vellum
