// Everything on the board: it can be reset, saved and named. Buses, lines and timers come in by its constructor.
#pragma once

#include <string_view>

#include "base/archive.hpp"

namespace vellum {

class Device {
public:
    virtual ~Device() = default;
    virtual std::string_view name() const = 0;
    virtual void reset() = 0;
    virtual void serialize(Archive&) = 0;
};

}  // namespace vellum
