// Memory for emitted code: mapped twice, so that no page is writable and executable at one address (W^X).
#pragma once

#include "base/types.hpp"

namespace vellum {

// Just below the executable view lies a page of ordinary data, which code reaches RIP-relative.
class HostCodeMemory {
 public:
    HostCodeMemory(u64 code_bytes, u64 data_bytes);  // throws HostError
    ~HostCodeMemory();
    HostCodeMemory(const HostCodeMemory&) = delete;
    HostCodeMemory& operator=(const HostCodeMemory&) = delete;

    u8* data() const { return data_; }
    u8* writable() const { return writable_; }
    u64 executable() const { return reinterpret_cast<u64>(executable_); }
    u64 size() const { return code_bytes_; }

 private:
    u64 code_bytes_, data_bytes_;
    u8* data_ = nullptr;
    u8* executable_ = nullptr;
    u8* writable_ = nullptr;
};

// Zero-filled memory that costs nothing until it is touched.
class HostSparseMemory {
 public:
    explicit HostSparseMemory(u64 bytes, u64 guard_bytes = 0);  // inaccessible stretches on both sides; HostError
    ~HostSparseMemory();
    HostSparseMemory(const HostSparseMemory&) = delete;
    HostSparseMemory& operator=(const HostSparseMemory&) = delete;

    u8* bytes() const { return base_ + guard_; }
    u64 size() const { return bytes_; }
    void clear();

 private:
    u64 bytes_, guard_;
    u8* base_ = nullptr;
};

// Nothing that was fetched before runs behind this: code that was written through another mapping than it runs in must
// wait for it (SDM 3A 8.1.3, 11.6).
void host_serialize();

// Makes gs.base the window, for gs: operands of emitted code.
void host_set_gs_base(u64 base);
bool host_has_wrgsbase();

}  // namespace vellum
