// SharedMemory on Linux: memfd_create and mmap.
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "base/check.hpp"
#include "base/host_error.hpp"
#include "base/shared_memory.hpp"

namespace vellum {

SharedMemory::SharedMemory(u64 size) : size_{size} {
    check(size % page_size == 0, "shared memory is made of whole pages");
    descriptor_ = memfd_create("vellum-memory", MFD_CLOEXEC);
    if (descriptor_ < 0 || ftruncate(descriptor_, static_cast<off_t>(size)) != 0)
        throw HostError(fmt::format("cannot reserve {} MiB of memory: {}", size >> 20, std::strerror(errno)));
    void* at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, descriptor_, 0);
    if (at == MAP_FAILED)
        throw HostError(fmt::format("cannot map {} MiB of memory: {}", size >> 20, std::strerror(errno)));
    base_ = static_cast<u8*>(at);
}

SharedMemory::~SharedMemory() {
    if (base_) munmap(base_, size_);
    if (descriptor_ >= 0) close(descriptor_);
}

std::vector<SharedMemory::Range> SharedMemory::used_ranges() const {
    std::vector<Range> ranges;
    for (u64 at = 0; at < size_;) {
        off_t first = lseek(descriptor_, static_cast<off_t>(at), SEEK_DATA);
        if (first < 0) break;  // ENXIO: holes up to the end
        off_t end = lseek(descriptor_, first, SEEK_HOLE);
        at = end < 0 ? size_ : static_cast<u64>(end);
        ranges.push_back({static_cast<u64>(first), at});
    }
    return ranges;
}

}  // namespace vellum
