// EDC, the two Reed-Solomon codes, and addresses.
#include "devices/cd_sector.hpp"

#include <algorithm>

namespace vellum::cd {

namespace {

constexpr u8 to_bcd(u32 value) { return static_cast<u8>(value / 10 % 10 << 4 | value % 10); }

std::array<u8, 3> bcd_frames(u32 frames) {
    return {to_bcd(frames / (75 * 60)), to_bcd(frames / 75 % 60), to_bcd(frames % 75)};
}

// EDC: x^32 + x^31 + x^16 + x^15 + x^4 + x^3 + x + 1, least significant bit first (14.3).
u32 error_detection_code(std::span<const u8> bytes) {
    constexpr u32 polynomial = 0xD8018001;
    u32 rest = 0;
    for (u8 byte : bytes) {
        rest ^= byte;
        for (u32 i = 0; i < 8; ++i) rest = rest >> 1 ^ (rest & 1 ? polynomial : 0);
    }
    return rest;
}

// The field of annex A: GF(2^8) over x^8 + x^4 + x^3 + x^2 + 1, whose primitive element is x.
constexpr u8 times_x(u8 value) { return static_cast<u8>(value << 1 ^ (value & 0x80 ? 0x1D : 0)); }

// What each value gives when it is divided by x + 1.
constexpr std::array<u8, 256> make_quotients() {
    std::array<u8, 256> quotients{};
    for (u32 i = 0; i < 256; ++i) quotients[times_x(static_cast<u8>(i)) ^ i] = static_cast<u8>(i);
    return quotients;
}
constexpr std::array<u8, 256> over_x_plus_1 = make_quotients();

// One of the two product codes: vectors of `data` bytes and two parity bytes behind them. All lie in the bytes from the
// header on, as two interleaved planes: even and odd bytes (annex A.4: the most and the least significant bytes).
struct Code {
    u32 vectors, data;     // in each plane
    u32 start_step, step;  // from vector to vector and from byte to byte, in bytes of one plane
    u32 parity;            // where the parity begins, in bytes of one plane; the second byte lies `vectors` further on
};
constexpr Code p_code{43, 24, 1, 43, 1032}, q_code{26, 43, 43, 44, 1118};

// Both syndromes of a vector must be zero: the sum of its bytes, and their sum weighted with powers of x. That gives
// two equations for the two bytes of parity.
void add_parity(std::span<u8> bytes, const Code& code, u32 plane) {
    for (u32 vector = 0; vector < code.vectors; ++vector) {
        u8 sum = 0, weighted = 0;
        u32 at = vector * code.start_step;
        for (u32 i = 0; i < code.data; ++i) {
            u8 byte = bytes[2 * (at % code.parity) + plane];
            at += code.step;
            sum ^= byte;
            weighted = times_x(weighted) ^ byte;
        }
        u8 first = over_x_plus_1[times_x(times_x(weighted)) ^ sum];
        bytes[2 * (code.parity + vector) + plane] = first;
        bytes[2 * (code.parity + code.vectors + vector) + plane] = first ^ sum;
    }
}

}  // namespace

std::array<u8, 3> bcd_address(u32 lba) { return bcd_frames(lba + 150); }

void complete_mode_1(Sector& sector, u32 lba) {
    std::fill_n(sector.begin(), sync.size, u8{0xFF});
    sector[0] = sector[sync.size - 1] = 0;
    std::ranges::copy(bcd_address(lba), sector.begin() + header.first);
    sector[header.first + 3] = 1;  // mode
    u32 edc = error_detection_code(std::span{sector}.first(checks.first));
    for (u32 i = 0; i < 4; ++i) sector[checks.first + i] = static_cast<u8>(edc >> 8 * i);
    std::fill_n(sector.begin() + checks.first + 4, 8, u8{0});
    std::span<u8> covered = std::span{sector}.subspan(header.first);
    for (const Code& code : {p_code, q_code})
        for (u32 plane : {0, 1}) add_parity(covered, code, plane);
}

std::array<u8, 12> q_subchannel(u32 lba) {
    constexpr u8 data_track = 0x41;  // control: data, ADR 1: position
    auto relative = bcd_frames(lba), absolute = bcd_address(lba);
    std::array<u8, 12> q{data_track,  1, 1,           relative[0], relative[1],
                         relative[2], 0, absolute[0], absolute[1], absolute[2]};
    u32 crc = 0;  // x^16 + x^12 + x^5 + 1, inverted on the disc (22.3.6)
    for (u32 i = 0; i < 10; ++i) {
        crc ^= u32{q[i]} << 8;
        for (u32 bit = 0; bit < 8; ++bit) crc = (crc << 1 ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xFFFF;
    }
    q[10] = static_cast<u8>(~crc >> 8);
    q[11] = static_cast<u8>(~crc);
    return q;
}

}  // namespace vellum::cd
