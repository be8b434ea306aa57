// A guest exception is an ordinary value: never a host error and never a C++ exception.
#pragma once

#include "base/types.hpp"

namespace vellum {

// Exception vectors (SDM 3A table 6-1).
namespace vector {
constexpr u8 de = 0, db = 1, nmi = 2, bp = 3, of = 4, br = 5, ud = 6, nm = 7, df = 8, ts = 10, np = 11, ss = 12,
             gp = 13, pf = 14, mf = 16, ac = 17, mc = 18, xm = 19;
}

// How an instruction ended. Eight bytes, so that an OrFault of a word comes back in registers. Default-made: "none",
// the instruction retired and EIP advances by its length.
struct Fault {
    enum class Kind : u8 {
        None,
        Exception,  // deliver `vector` (with an error code for vectors that have one)
        Retired,    // not a fault: retired, but it set EIP (or a mode that ends a block) itself; do not advance EIP
        Halt,       // HLT: retires, EIP advances, then the CPU halts
        Shutdown,   // triple fault
    };
    u32 cr2 = 0;
    u16 error_code = 0;
    u8 vector = 0;
    Kind kind = Kind::None;

    constexpr explicit operator bool() const { return kind != Kind::None; }
    static constexpr Fault none() { return {}; }
    static constexpr Fault exception(u8 vector, u16 error_code = 0) { return {0, error_code, vector, Kind::Exception}; }
    static constexpr Fault page(u32 cr2, u16 error_code) { return {cr2, error_code, vector::pf, Kind::Exception}; }
    static constexpr Fault retired() { return {0, 0, 0, Kind::Retired}; }
    static constexpr Fault halt() { return {0, 0, 0, Kind::Halt}; }
    static constexpr Fault shutdown() { return {0, 0, 0, Kind::Shutdown}; }
    constexpr bool operator==(const Fault&) const = default;
};
static_assert(sizeof(Fault) == 8);

template <typename T>
class [[nodiscard]] OrFault {
 public:
    constexpr OrFault(T value) : value_{value} {}
    constexpr OrFault(Fault fault) : fault_{fault}, value_{} {}
    constexpr explicit operator bool() const { return !fault_; }
    constexpr T operator*() const { return value_; }
    constexpr Fault fault() const { return fault_; }

 private:
    Fault fault_{};
    T value_;
};

}  // namespace vellum
