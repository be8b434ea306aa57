// A whole sector of a data CD around its 2048 bytes of user data (ECMA-130, clauses 14 and annexes A and B; mode 1),
// and what the subchannels say beside it (clause 22).
#pragma once

#include <array>
#include <span>

#include "base/types.hpp"

namespace vellum::cd {

constexpr u32 user_size = 2048;

// Where the parts of a mode 1 sector lie.
struct Part {
    u32 first, size;
};
constexpr Part sync{0, 12}, header{12, 4}, user{16, user_size}, checks{2064, 288};
constexpr u32 sector_size = checks.first + checks.size;

using Sector = std::array<u8, sector_size>;

// Minute, second and frame of a block, in BCD; block 0 lies two seconds behind the beginning of the disc.
std::array<u8, 3> bcd_address(u32 lba);

// Fills in all but the user data, which is there already.
void complete_mode_1(Sector& sector, u32 lba);

// The Q subchannel of a block in the only track: control and ADR, track, index, relative and absolute address, CRC.
std::array<u8, 12> q_subchannel(u32 lba);

}  // namespace vellum::cd
