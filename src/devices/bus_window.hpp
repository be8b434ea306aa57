// A range of a bus answered by two functions, for devices that sit at several places.
#pragma once

#include <functional>
#include <utility>

#include "devices/bus.hpp"

namespace vellum {

class BusWindow final : public BusTarget {
 public:
    using Read = std::function<u32(u32 offset, u8 size)>;
    using Write = std::function<void(u32 offset, u8 size, u32 value)>;
    BusWindow(Read read, Write write) : read_{std::move(read)}, write_{std::move(write)} {}

    u32 read(u32 offset, u8 size) override { return read_(offset, size); }
    void write(u32 offset, u8 size, u32 value) override { write_(offset, size, value); }

 private:
    Read read_;
    Write write_;
};

}  // namespace vellum
