// Integer types and guest address types. Addresses of different spaces do not convert into one another by accident.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vellum {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;

enum class Linear : u64 {};    // after segmentation, before paging
enum class Physical : u64 {};  // after paging and the A20 mask

constexpr u64 raw(Linear a) { return static_cast<u64>(a); }
constexpr u64 raw(Physical a) { return static_cast<u64>(a); }

constexpr u32 page_size = 4096;
constexpr u32 page_shift = 12;
constexpr u32 page_offset_mask = page_size - 1;

constexpr Linear operator+(Linear a, u64 n) { return static_cast<Linear>(raw(a) + n); }
constexpr Physical operator+(Physical a, u64 n) { return static_cast<Physical>(raw(a) + n); }
constexpr Linear page_of(Linear a) { return static_cast<Linear>(raw(a) & ~u64{page_offset_mask}); }
constexpr Physical page_of(Physical a) { return static_cast<Physical>(raw(a) & ~u64{page_offset_mask}); }
constexpr u32 offset_in_page(Linear a) { return static_cast<u32>(raw(a)) & page_offset_mask; }
constexpr u32 offset_in_page(Physical a) { return static_cast<u32>(raw(a)) & page_offset_mask; }

using Nanoseconds = u64;
constexpr Nanoseconds microsecond = 1000;
constexpr Nanoseconds millisecond = 1000 * microsecond;
constexpr Nanoseconds second = 1000 * millisecond;

}  // namespace vellum
