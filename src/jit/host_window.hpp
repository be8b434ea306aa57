// Host address ranges in which guest linear address spaces appear (docs/architecture.md). Knows nothing of page tables:
// pages of the guest's storage are put where it is told, everything else stays inaccessible.
#pragma once

#include "base/shared_memory.hpp"
#include "base/types.hpp"

namespace vellum {

enum class HostAccess : u8 { Read, ReadWrite };

// Windows on a stride of 8 GiB, with 4 GiB or more of inaccessible addresses on both sides of each:
//
//     | 4 GiB guard | window 0 | 4 GiB guard | window 1 | 4 GiB guard | ...
class HostWindows {
 public:
    static constexpr u64 window_bytes = u64{1} << 32, stride = u64{2} << 32;

    // Reserves address space for `wanted` windows, or for fewer where the host limits it (ulimit -v). Throws HostError
    // when there is no room even for two.
    HostWindows(const SharedMemory& storage, u32 wanted);
    ~HostWindows();
    HostWindows(const HostWindows&) = delete;
    HostWindows& operator=(const HostWindows&) = delete;

    u32 count() const { return count_; }
    u8* base(u32 window) const { return first_ + window * stride; }

    // When the host's page table entries are made: for few pages at once it is cheaper than a fault for each (5.1 us
    // against 3.5 + 1.2 us), for large stretches of which little will be touched it is not.
    enum class Populate : u8 { Now, OnTouch };

    // Ranges are in bytes, multiples of the page size, inside one window; the storage must reach as far. False: the
    // host has no more mappings or no memory for them, and nothing changed that matters.
    bool map(u8* at, u64 bytes, u64 storage_offset, HostAccess access, Populate populate);
    bool protect(u8* at, u64 bytes, HostAccess access);  // only where something is mapped
    bool unmap(u8* at, u64 bytes);                       // what was not mapped stays so

 private:
    int descriptor_;
    u8* reserved_ = nullptr;
    u64 reserved_bytes_ = 0;
    u8* first_ = nullptr;
    u32 count_ = 0;
};

// How many mappings a process may have: vm.max_map_count, or Linux' default where it cannot be read.
u32 host_map_limit();

}  // namespace vellum
