// A stack that is not, or not yet, SS:ESP: transfers between privilege levels push and pop here, and commit when
// nothing can fault any more.
#pragma once

#include <cstring>

#include "cpu/memory_access.hpp"

namespace vellum {

class Stack {
 public:
    // The current one, seen at the current privilege. Faults of the segment are #SS(`error_code`).
    explicit Stack(Cpu& cpu, u16 error_code = 0);
    // Another one, seen at privilege `cpl`.
    Stack(Cpu& cpu, const Segment& ss, u32 esp, u8 cpl, u16 error_code);

    // `size` is 2 or 4 bytes.
    Fault push(u32 value, u8 size) {
        u32 below = merged(esp_ - size);
        u8* to = size == 4 && at_once(below & mask(), access_detail::MayWrite)
                     ? cpu_.mmu.write_page(page_of(linear(below)), privilege())
                     : nullptr;
        if (!to) [[unlikely]]
            return push_slowly(value, size);
        std::memcpy(to + offset_in_page(linear(below)), &value, 4);
        esp_ = below;
        return Fault::none();
    }
    OrFault<u32> pop(u8 size) {
        const u8* from = size == 4 && at_once(esp_ & mask(), access_detail::MayRead)
                             ? cpu_.mmu.read_page(page_of(linear(esp_)), privilege())
                             : nullptr;
        if (!from) [[unlikely]]
            return pop_slowly(size);
        u32 value;
        std::memcpy(&value, from + offset_in_page(linear(esp_)), 4);
        skip(4);
        return value;
    }
    void skip(u32 bytes) { esp_ = merged(esp_ + bytes); }

    void commit();  // to SS:ESP; does not change CPL

 private:
    u32 mask() const { return ss_.big() ? 0xFFFFFFFF : 0xFFFF; }
    u32 merged(u32 value) const { return (esp_ & ~mask()) | (value & mask()); }
    Privilege privilege() const { return cpl_ == 3 ? Privilege::User : Privilege::Supervisor; }
    Linear linear(u32 esp) const { return access_detail::linear_of(ss_, esp & mask()); }
    // Four bytes, aligned (so in one page, and no #AC), in an ordinary segment.
    bool at_once(u32 offset, access_detail::Right right) const {
        return access_detail::plain(ss_, offset, 4, right) && raw(access_detail::linear_of(ss_, offset)) % 4 == 0;
    }
    OrFault<Linear> place(u32 offset, u8 size, Access access) const;
    Fault push_slowly(u32 value, u8 size);
    OrFault<u32> pop_slowly(u8 size);

    Cpu& cpu_;
    Segment ss_;
    u32 esp_;
    u8 cpl_;
    u16 error_code_;
};

}  // namespace vellum
