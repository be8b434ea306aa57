// The codes of a sector, by what they are for: a reader checks that syndromes are zero.
#include "devices/cd_sector.hpp"

#include <catch2/catch.hpp>

using namespace vellum;

namespace {

cd::Sector sector_of(u32 seed) {
    cd::Sector sector{};
    for (u32 i = 0; i < cd::user_size; ++i) {
        seed = seed * 1664525 + 1013904223;
        sector[cd::user.first + i] = static_cast<u8>(seed >> 24);
    }
    return sector;
}

// GF(2^8) over x^8 + x^4 + x^3 + x^2 + 1, digit by digit.
u8 product(u8 a, u8 b) {
    u32 sum = 0;
    for (u32 i = 0; i < 8; ++i)
        if (b >> i & 1) sum ^= u32{a} << i;
    for (u32 i = 15; i >= 8; --i)
        if (sum >> i & 1) sum ^= 0x11Du << (i - 8);
    return static_cast<u8>(sum);
}

// Both syndromes of `count` bytes at the places that `place` says (ECMA-130, annex A.3).
template <typename Place>
bool vector_is_right(const cd::Sector& sector, u32 count, Place place) {
    u8 plain = 0, weighted = 0, power = 1;
    for (u32 i = count; i-- > 0;) {
        u8 byte = sector[cd::header.first + place(i)];
        plain ^= byte;
        weighted ^= product(byte, power);
        power = product(power, 2);
    }
    return plain == 0 && weighted == 0;
}

}  // namespace

TEST_CASE("cd sector: both Reed-Solomon codes hold for each vector of each plane", "[devices][cd]") {
    cd::Sector sector = sector_of(1);
    cd::complete_mode_1(sector, 1234);
    for (u32 plane : {0, 1}) {
        for (u32 column = 0; column < 43; ++column)
            CHECK(vector_is_right(sector, 26, [=](u32 i) { return 2 * (43 * i + column) + plane; }));
        for (u32 diagonal = 0; diagonal < 26; ++diagonal)
            CHECK(vector_is_right(sector, 45, [=](u32 i) {
                return 2 * (i < 43 ? (44 * i + 43 * diagonal) % 1118 : 1118 + 26 * (i - 43) + diagonal) + plane;
            }));
    }
}

// The remainder of the whole sector with its EDC is zero, by division from the most significant digit on
// (ECMA-130, 14.3: (x^16 + x^15 + x^2 + 1)(x^16 + x^2 + x + 1)).
TEST_CASE("cd sector: the error detection code divides the sector", "[devices][cd]") {
    cd::Sector sector = sector_of(2);
    cd::complete_mode_1(sector, 0);
    u64 rest = 0;
    for (u32 i = 0; i < cd::checks.first + 4; ++i)
        for (u32 bit = 0; bit < 8; ++bit) {
            rest = rest << 1 | (sector[i] >> bit & 1);
            if (rest >> 32) rest ^= 0x1'8001'801Bull;
        }
    CHECK(rest == 0);
}

TEST_CASE("cd sector: addresses are BCD and begin two seconds into the disc", "[devices][cd]") {
    CHECK(cd::bcd_address(0) == std::array<u8, 3>{0x00, 0x02, 0x00});
    CHECK(cd::bcd_address(332'849) == std::array<u8, 3>{0x73, 0x59, 0x74});
}
