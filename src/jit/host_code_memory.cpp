// HostCodeMemory on Linux: shared memory mapped for writing and for execution; gs.base by WRGSBASE or arch_prctl.
#include "jit/host_code_memory.hpp"

#include <asm/prctl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "base/host_error.hpp"

namespace vellum {

namespace {

u8* map_or_throw(u64 bytes, int protection, int flags) {
    void* mapped = mmap(nullptr, bytes, protection, flags | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED)
        throw HostError(fmt::format("cannot map {} KiB for translated code: {}", bytes >> 10, std::strerror(errno)));
    return static_cast<u8*>(mapped);
}

}  // namespace

// Without a file: perf uses the names of a perf map for anonymous memory alone. An old size of 0 makes a second mapping
// of the same memory (mremap(2)).
HostCodeMemory::HostCodeMemory(u64 code_bytes, u64 data_bytes) : code_bytes_{code_bytes}, data_bytes_{data_bytes} {
    writable_ = map_or_throw(code_bytes, PROT_READ | PROT_WRITE, MAP_SHARED);
    data_ = map_or_throw(data_bytes + code_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    executable_ = data_ + data_bytes;
    if (mremap(writable_, 0, code_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, executable_) == MAP_FAILED ||
        mprotect(executable_, code_bytes, PROT_READ | PROT_EXEC) != 0)
        throw HostError(fmt::format("cannot map translated code for execution: {}", std::strerror(errno)));
}

HostCodeMemory::~HostCodeMemory() {
    munmap(data_, data_bytes_ + code_bytes_);
    munmap(writable_, code_bytes_);
}

HostSparseMemory::HostSparseMemory(u64 bytes, u64 guard_bytes) : bytes_{bytes}, guard_{guard_bytes} {
    base_ = map_or_throw(bytes + 2 * guard_bytes, PROT_NONE, MAP_PRIVATE);
    if (mprotect(base_ + guard_, bytes, PROT_READ | PROT_WRITE) != 0)
        throw HostError(fmt::format("cannot reserve memory: {}", std::strerror(errno)));
}

HostSparseMemory::~HostSparseMemory() { munmap(base_, bytes_ + 2 * guard_); }

void HostSparseMemory::clear() { madvise(base_ + guard_, bytes_, MADV_DONTNEED); }

bool host_has_wrgsbase() { return getauxval(AT_HWCAP2) & 2; }  // HWCAP2_FSGSBASE

// IRET is the one serializing instruction that neither leaves for a hypervisor nor is missing on any processor.
void host_serialize() {
    u64 scratch;
    asm volatile(
        "lea -128(%%rsp), %%rsp\n\t"  // the red zone
        "mov %%ss, %k0\n\t"
        "push %q0\n\t"
        "push %%rsp\n\t"
        "addq $8, (%%rsp)\n\t"
        "pushfq\n\t"
        "mov %%cs, %k0\n\t"
        "push %q0\n\t"
        "lea 1f(%%rip), %q0\n\t"
        "push %q0\n\t"
        "iretq\n"
        "1:\n\t"
        "lea 128(%%rsp), %%rsp"
        : "=&r"(scratch)
        :
        : "memory", "cc");
}

void host_set_gs_base(u64 base) {
    static const bool has_wrgsbase = host_has_wrgsbase();
    if (has_wrgsbase)
        asm volatile(".byte 0xf3, 0x48, 0x0f, 0xae, 0xd8" : : "a"(base));  // wrgsbase rax
    else
        syscall(SYS_arch_prctl, ARCH_SET_GS, base);
}

}  // namespace vellum
