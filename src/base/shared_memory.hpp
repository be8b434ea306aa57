// Host memory that can appear at several host addresses at once: what guest RAM, ROM and screen memory live in.
#pragma once

#include <span>
#include <vector>

#include "base/types.hpp"

namespace vellum {

// An anonymous file in memory (memfd), zero-filled, mapped once here for reading and writing.
class SharedMemory {
 public:
    explicit SharedMemory(u64 size);  // bytes, a multiple of the page size; throws HostError
    ~SharedMemory();
    SharedMemory(const SharedMemory&) = delete;
    SharedMemory& operator=(const SharedMemory&) = delete;

    std::span<u8> bytes() const { return {base_, size_}; }
    int descriptor() const { return descriptor_; }  // for further mappings of the same bytes

    // The parts that were ever written, in order and in whole pages. All others read as zeros, and looking at those
    // through bytes() would make the host find memory for them.
    struct Range {
        u64 first, end;
    };
    std::vector<Range> used_ranges() const;

 private:
    int descriptor_ = -1;
    u8* base_ = nullptr;
    u64 size_ = 0;
};

}  // namespace vellum
