// Results and flags of alu.hpp against the formulas of the manual, for all operands of 8 bits and corners of 16 and 32.
#include "cpu/alu.hpp"

#include <bit>
#include <catch2/catch.hpp>
#include <vector>

using namespace vellum;
using alu::Binary;
using alu::Shift;
using alu::Unary;

namespace {

constexpr u32 other_flags = eflags::fixed | eflags::if_ | eflags::df | eflags::iopl;

template <typename T>
constexpr T sign_bit = T{1} << (sizeof(T) * 8 - 1);

template <typename T>
u32 sign_zero_parity(T result) {
    return (result & sign_bit<T> ? eflags::sf : 0) | (result == 0 ? eflags::zf : 0) |
           (std::popcount(static_cast<u8>(result)) % 2 == 0 ? eflags::pf : 0);
}

// a + b + carry as the manual defines all six flags.
template <typename T>
T add_by_formula(T a, T b, bool carry, u32& flags) {
    u64 wide = u64{a} + b + carry;
    T result = static_cast<T>(wide);
    flags = other_flags | sign_zero_parity(result) | (wide >> (sizeof(T) * 8) & 1 ? eflags::cf : 0) |
            ((a ^ b ^ result) & 0x10 ? eflags::af : 0) | ((a ^ result) & (b ^ result) & sign_bit<T> ? eflags::of : 0);
    return result;
}

template <typename T>
T subtract_by_formula(T a, T b, bool borrow, u32& flags) {
    T result = static_cast<T>(a - b - borrow);
    flags = other_flags | sign_zero_parity(result) | (u64{a} < u64{b} + borrow ? eflags::cf : 0) |
            ((a ^ b ^ result) & 0x10 ? eflags::af : 0) | ((a ^ b) & (a ^ result) & sign_bit<T> ? eflags::of : 0);
    return result;
}

// Counts the operand pairs for which result or flags differ from the formula.
template <Binary operation, typename T, typename Formula>
int differences(const std::vector<T>& values, Formula formula, u32 compared = ~0u) {
    int count = 0;
    for (T a : values)
        for (T b : values)
            for (bool carry : {false, true}) {
                u32 flags = other_flags | (carry ? eflags::cf : 0), expected_flags = 0;
                T result = alu::binary<operation, T>(a, b, flags);
                T expected = formula(a, b, carry, expected_flags);
                count += result != expected || (flags & compared) != (expected_flags & compared);
            }
    return count;
}

std::vector<u8> all_bytes() {
    std::vector<u8> values(256);
    for (u32 i = 0; i < 256; ++i) values[i] = static_cast<u8>(i);
    return values;
}
const std::vector<u16> words = {0, 1, 0xF, 0x10, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0x8001, 0xFFFE, 0xFFFF};
const std::vector<u32> doubles = {0,      1,          0xF,        0x10,       0xFF,       0x8000,
                                  0xFFFF, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFE, 0xFFFFFFFF};

template <typename T>
int add_and_subtract_differences(const std::vector<T>& values) {
    auto add = [](T a, T b, bool, u32& f) { return add_by_formula<T>(a, b, false, f); };
    auto adc = [](T a, T b, bool c, u32& f) { return add_by_formula<T>(a, b, c, f); };
    auto sub = [](T a, T b, bool, u32& f) { return subtract_by_formula<T>(a, b, false, f); };
    auto sbb = [](T a, T b, bool c, u32& f) { return subtract_by_formula<T>(a, b, c, f); };
    auto cmp = [](T a, T b, bool, u32& f) { return subtract_by_formula<T>(a, b, false, f), a; };
    return differences<Binary::Add, T>(values, add) + differences<Binary::Adc, T>(values, adc) +
           differences<Binary::Sub, T>(values, sub) + differences<Binary::Sbb, T>(values, sbb) +
           differences<Binary::Cmp, T>(values, cmp);
}

// AF is undefined after the logical ones.
template <typename T>
int logic_differences(const std::vector<T>& values) {
    constexpr u32 compared = ~eflags::af;
    auto logic = [](auto combine) {
        return [combine](T a, T b, bool, u32& flags) {
            T result = static_cast<T>(combine(a, b));
            flags = other_flags | sign_zero_parity(result);
            return result;
        };
    };
    auto test = [](T a, T b, bool, u32& flags) {
        flags = other_flags | sign_zero_parity(static_cast<T>(a & b));
        return a;
    };
    return differences<Binary::And, T>(values, logic([](T a, T b) { return a & b; }), compared) +
           differences<Binary::Or, T>(values, logic([](T a, T b) { return a | b; }), compared) +
           differences<Binary::Xor, T>(values, logic([](T a, T b) { return a ^ b; }), compared) +
           differences<Binary::Test, T>(values, test, compared);
}

// One rotation through carry by one place, the definition that RCL by n repeats.
template <typename T>
T rotate_left_through_carry(T a, u32 count, bool& carry) {
    for (; count; --count) {
        bool out = a & sign_bit<T>;
        a = static_cast<T>(a << 1 | (carry ? 1 : 0));
        carry = out;
    }
    return a;
}

}  // namespace

TEST_CASE("alu: addition and subtraction of all bytes set result and six flags by the manual's formulas") {
    CHECK(add_and_subtract_differences(all_bytes()) == 0);
}

TEST_CASE("alu: addition and subtraction of words and doubles do so at their corners") {
    CHECK(add_and_subtract_differences(words) == 0);
    CHECK(add_and_subtract_differences(doubles) == 0);
}

TEST_CASE("alu: logical operations clear CF and OF") {
    CHECK(logic_differences(all_bytes()) == 0);
    CHECK(logic_differences(words) == 0);
    CHECK(logic_differences(doubles) == 0);
}

TEST_CASE("alu: INC and DEC leave CF alone") {
    int wrong = 0;
    for (u32 a = 0; a < 256; ++a)
        for (u32 carry : {0u, eflags::cf}) {
            u32 flags = other_flags | carry, expected = 0;
            u8 result = alu::unary<Unary::Inc, u8>(static_cast<u8>(a), flags);
            wrong += result != add_by_formula<u8>(static_cast<u8>(a), 1, false, expected);
            wrong += flags != ((expected & ~eflags::cf) | carry);
            flags = other_flags | carry;
            result = alu::unary<Unary::Dec, u8>(static_cast<u8>(a), flags);
            wrong += result != subtract_by_formula<u8>(static_cast<u8>(a), 1, false, expected);
            wrong += flags != ((expected & ~eflags::cf) | carry);
        }
    CHECK(wrong == 0);
}

TEST_CASE("alu: NEG is subtraction from zero and NOT touches no flag") {
    u32 flags = other_flags | eflags::arithmetic;
    CHECK(alu::unary<Unary::Not, u16>(0x00F0, flags) == 0xFF0F);
    CHECK(flags == (other_flags | eflags::arithmetic));
    int wrong = 0;
    for (u32 a = 0; a < 256; ++a) {
        u32 expected = 0;
        u8 result = alu::unary<Unary::Neg, u8>(static_cast<u8>(a), flags);
        wrong += result != subtract_by_formula<u8>(0, static_cast<u8>(a), false, expected) || flags != expected;
    }
    CHECK(wrong == 0);
}

TEST_CASE("alu: a shift or rotate by zero changes neither result nor flags") {
    for (u32 before : {other_flags, other_flags | eflags::arithmetic}) {
        u32 flags = before;
        CHECK(alu::shift<Shift::Shl, u32>(0x80000001, 0, flags) == 0x80000001);
        CHECK(alu::shift<Shift::Rcr, u8>(0x81, 32, flags) == 0x81);  // the count is masked to five bits
        CHECK(alu::shift<Shift::Sar, u16>(0x8001, 64, flags) == 0x8001);
        CHECK(flags == before);
    }
}

TEST_CASE("alu: RCL of a byte goes through nine bits") {
    int wrong = 0;
    for (u32 a = 0; a < 256; ++a)
        for (u8 count = 1; count < 32; ++count)
            for (bool carry : {false, true}) {
                u32 flags = other_flags | (carry ? eflags::cf : 0);
                bool expected_carry = carry;
                u8 expected = rotate_left_through_carry<u8>(static_cast<u8>(a), count, expected_carry);
                u8 result = alu::shift<Shift::Rcl, u8>(static_cast<u8>(a), count, flags);
                wrong += result != expected || static_cast<bool>(flags & eflags::cf) != expected_carry;
            }
    CHECK(wrong == 0);
}

TEST_CASE("alu: rotates change CF and OF only") {
    u32 flags = other_flags | eflags::zf | eflags::pf;
    CHECK(alu::shift<Shift::Rol, u8>(0x81, 1, flags) == 0x03);
    CHECK(flags == (other_flags | eflags::zf | eflags::pf | eflags::cf | eflags::of));
    flags = other_flags | eflags::sf | eflags::af;
    CHECK(alu::shift<Shift::Ror, u16>(0x0001, 1, flags) == 0x8000);
    CHECK(flags == (other_flags | eflags::sf | eflags::af | eflags::cf | eflags::of));
}

TEST_CASE("alu: SHLD takes bits from the top of the second operand, SHRD from the bottom") {
    u32 flags = other_flags;
    CHECK(alu::double_shift<true, u32>(0x12345678, 0x9ABCDEF0, 8, flags) == 0x3456789A);
    CHECK(alu::double_shift<false, u32>(0x12345678, 0x9ABCDEF0, 8, flags) == 0xF0123456);
    CHECK(alu::double_shift<true, u16>(0x1234, 0xABCD, 4, flags) == 0x234A);
    CHECK((flags & eflags::cf) == eflags::cf);  // the last bit out was bit 12
}

TEST_CASE("alu: MUL sets CF and OF when the upper half is needed") {
    u32 flags = other_flags;
    auto small = alu::multiply<false, u8>(15, 17, flags);
    CHECK((small.low == 255 && small.high == 0));
    CHECK((flags & (eflags::cf | eflags::of)) == 0);
    auto large = alu::multiply<false, u32>(0xFFFFFFFF, 0xFFFFFFFF, flags);
    CHECK((large.low == 1 && large.high == 0xFFFFFFFE));
    CHECK((flags & (eflags::cf | eflags::of)) == (eflags::cf | eflags::of));
    auto negative = alu::multiply<true, u16>(0xFFFF, 0xFFFF, flags);
    CHECK((negative.low == 1 && negative.high == 0));
    CHECK((flags & (eflags::cf | eflags::of)) == 0);
    CHECK((flags & other_flags) == other_flags);
}

TEST_CASE("alu: division gives quotient and remainder of the double width") {
    u32 flags = other_flags;
    auto byte = alu::divide<false, u8>({0x34, 0x12}, 0x56, flags);  // 4660 = 54 * 86 + 16
    CHECK((byte.low == 54 && byte.high == 16));
    auto word = alu::divide<true, u16>({0xFFF9, 0xFFFF}, 2, flags);  // -7 = -3 * 2 - 1
    CHECK((word.low == 0xFFFD && word.high == 0xFFFF));
    auto wide = alu::divide<false, u32>({0, 1}, 0x10, flags);
    CHECK((wide.low == 0x10000000 && wide.high == 0));
    CHECK((flags & other_flags) == other_flags);
}

TEST_CASE("alu: bit operations take the index modulo the width") {
    u32 flags = other_flags;
    CHECK(alu::bit<alu::Bit::Set, u16>(0, 17, flags) == 2);
    CHECK((flags & eflags::cf) == 0);
    CHECK(alu::bit<alu::Bit::Reset, u32>(0xFFFFFFFF, 63, flags) == 0x7FFFFFFF);
    CHECK((flags & eflags::cf) == eflags::cf);
    CHECK(alu::bit<alu::Bit::Complement, u32>(1, 0, flags) == 0);
    CHECK(alu::bit<alu::Bit::Test, u32>(4, 2, flags) == 4);
    CHECK((flags & eflags::cf) == eflags::cf);
}

TEST_CASE("alu: a bit scan of zero sets ZF and keeps the destination") {
    u32 flags = other_flags;
    CHECK(alu::bit_scan<true, u32>(0x1234, 0, flags) == 0x1234);
    CHECK((flags & eflags::zf) == eflags::zf);
    CHECK(alu::bit_scan<true, u32>(0, 0x28, flags) == 3);
    CHECK(alu::bit_scan<false, u16>(0, 0x28, flags) == 5);
    CHECK((flags & eflags::zf) == 0);
}

TEST_CASE("alu: the sixteen conditions are those of the manual") {
    int wrong = 0;
    for (u32 bits = 0; bits < 32; ++bits) {
        bool c = bits & 1, z = bits & 2, s = bits & 4, o = bits & 8, p = bits & 16;
        u32 flags = (c ? eflags::cf : 0) | (z ? eflags::zf : 0) | (s ? eflags::sf : 0) | (o ? eflags::of : 0) |
                    (p ? eflags::pf : 0);
        bool expected[] = {o, !o, c, !c, z,      !z,     c || z,      !(c || z),
                           s, !s, p, !p, s != o, s == o, z || s != o, !z && s == o};
        for (u8 code = 0; code < 16; ++code) wrong += alu::condition(code, flags) != expected[code];
    }
    CHECK(wrong == 0);
}
