// PAM registers of the host bridge.
#include "devices/i440fx.hpp"

namespace vellum {

namespace {

constexpr PciIdentity identity{0x8086, 0x1237, 2, 0x060000, 0x1AF4, 0x1100};
constexpr u8 first_pam = 0x59, last_pam = 0x5F, smram = 0x72;

struct Segment {
    u8 pam, shift;  // register, and position of the segment's four bits in it
    u32 first, size;
};
constexpr std::array<Segment, 13> segments{{
    {0x59, 4, 0xF0000, 0x10000},
    {0x5A, 0, 0xC0000, 0x4000},
    {0x5A, 4, 0xC4000, 0x4000},
    {0x5B, 0, 0xC8000, 0x4000},
    {0x5B, 4, 0xCC000, 0x4000},
    {0x5C, 0, 0xD0000, 0x4000},
    {0x5C, 4, 0xD4000, 0x4000},
    {0x5D, 0, 0xD8000, 0x4000},
    {0x5D, 4, 0xDC000, 0x4000},
    {0x5E, 0, 0xE0000, 0x4000},
    {0x5E, 4, 0xE4000, 0x4000},
    {0x5F, 0, 0xE8000, 0x4000},
    {0x5F, 4, 0xEC000, 0x4000},
}};

}  // namespace

I440fx::I440fx(OnShadow on_shadow) : PciDevice{identity, {}}, on_shadow_{std::move(on_shadow)} {
    define(0x04, 2, 0x0006, 0x0100);  // memory and master are always on
    define(0x06, 2, 0x0280);
    define(0x50, 2, 0, 0xFFFF);  // PMC configuration
    define(0x57, 1, 0, 0xFF);    // DRAM control
    for (u8 pam = first_pam; pam <= last_pam; ++pam) define(pam, 1, 0, 0x33);
    for (u8 row = 0x60; row <= 0x67; ++row) define(row, 1, 0, 0xFF);  // DRAM row boundaries
    define(smram, 1, 0x02, 0x78);
}

void I440fx::config_written(u8 offset, u8 size) {
    if (offset <= last_pam && offset + size > first_pam) announce_segments(false);
}

void I440fx::announce_segments(bool all) {
    for (std::size_t i = 0; i < segments.size(); ++i) {
        const Segment& s = segments[i];
        u8 now = (config(s.pam, 1) >> s.shift) & 3;
        if (now == announced_[i] && !all) continue;
        announced_[i] = now;
        on_shadow_(s.first, s.size, now & 1, now & 2);
    }
}

}  // namespace vellum
