// HostWindows on Linux: mmap and mprotect.
#include "jit/host_window.hpp"

#include <sys/mman.h>

#include <fstream>

#include "base/check.hpp"
#include "base/host_error.hpp"

namespace vellum {

namespace {

constexpr int reserve_flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

int protection(HostAccess access) { return access == HostAccess::Read ? PROT_READ : PROT_READ | PROT_WRITE; }

}  // namespace

HostWindows::HostWindows(const SharedMemory& storage, u32 wanted) : descriptor_{storage.descriptor()} {
    for (count_ = wanted; count_ >= 2; count_ /= 2) {
        // One guard more than windows, and up to a window lost to alignment.
        reserved_bytes_ = count_ * stride + 2 * window_bytes;
        void* at = mmap(nullptr, reserved_bytes_, PROT_NONE, reserve_flags, -1, 0);
        if (at == MAP_FAILED) continue;
        reserved_ = static_cast<u8*>(at);
        u64 past_guard = reinterpret_cast<u64>(at) + window_bytes;
        first_ = reinterpret_cast<u8*>((past_guard + window_bytes - 1) & ~(window_bytes - 1));
        return;
    }
    throw HostError(
        "cannot reserve 24 GiB of addresses for the translator; raise the limit on virtual memory "
        "(ulimit -v unlimited)");
}

HostWindows::~HostWindows() {
    if (reserved_) munmap(reserved_, reserved_bytes_);
}

bool HostWindows::map(u8* at, u64 bytes, u64 storage_offset, HostAccess access, Populate populate) {
    check(at >= first_ && at + bytes <= first_ + count_ * stride, "windows are mapped inside their reservation");
    int flags = MAP_SHARED | MAP_FIXED | (populate == Populate::Now ? MAP_POPULATE : 0);
    return mmap(at, bytes, protection(access), flags, descriptor_, static_cast<off_t>(storage_offset)) != MAP_FAILED;
}

bool HostWindows::protect(u8* at, u64 bytes, HostAccess access) { return mprotect(at, bytes, protection(access)) == 0; }

bool HostWindows::unmap(u8* at, u64 bytes) {
    check(at >= first_ && at + bytes <= first_ + count_ * stride, "windows are unmapped inside their reservation");
    return mmap(at, bytes, PROT_NONE, reserve_flags | MAP_FIXED, -1, 0) != MAP_FAILED;
}

u32 host_map_limit() {
    constexpr u32 linux_default = 65530;
    std::ifstream file{"/proc/sys/vm/max_map_count"};
    u32 limit = 0;
    return file >> limit && limit >= 1024 ? limit : linux_default;
}

}  // namespace vellum
