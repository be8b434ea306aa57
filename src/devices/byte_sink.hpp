// The far end of a serial line or a debug port: takes bytes, never blocks the machine for long.
#pragma once

#include <span>

#include "base/types.hpp"

namespace vellum {

class ByteSink {
public:
    virtual ~ByteSink() = default;
    virtual void put(std::span<const u8> bytes) = 0;
};

}  // namespace vellum
