// A stack that is not, or not yet, SS:ESP: transfers between privilege levels push and pop here, and commit when
// nothing can fault any more.
#pragma once

#include "cpu/cpu.hpp"

namespace vellum {

class Stack {
 public:
    // The current one, seen at the current privilege. Faults of the segment are #SS(`error_code`).
    explicit Stack(Cpu& cpu, u16 error_code = 0);
    // Another one, seen at privilege `cpl`.
    Stack(Cpu& cpu, const Segment& ss, u32 esp, u8 cpl, u16 error_code);

    // `size` is 2 or 4 bytes.
    Fault push(u32 value, u8 size);
    OrFault<u32> pop(u8 size);
    void skip(u32 bytes) { esp_ = merged(esp_ + bytes); }

    void commit();  // to SS:ESP; does not change CPL

 private:
    u32 mask() const { return ss_.big() ? 0xFFFFFFFF : 0xFFFF; }
    u32 merged(u32 value) const { return (esp_ & ~mask()) | (value & mask()); }
    OrFault<Linear> place(u32 offset, u8 size, Access access) const;

    Cpu& cpu_;
    Segment ss_;
    u32 esp_;
    u8 cpl_;
    u16 error_code_;
};

}  // namespace vellum
