// Guest physical memory as disks, DMA and loaders see it: the one door for writes that do not come from the CPU.
#pragma once

#include <span>

#include "base/types.hpp"

namespace vellum {

// The implementation tells whoever watches a written page. Bytes outside RAM read as ones and swallow writes.
class GuestBytes {
 public:
    virtual void read(Physical address, std::span<u8> bytes) const = 0;
    virtual void write(Physical address, std::span<const u8> bytes) = 0;

 protected:
    ~GuestBytes() = default;
};

}  // namespace vellum
