// Prefixes, ModRM and SIB bytes (SDM vol. 2, 2.1 and 2.2).
#include "jit/encoder.hpp"

namespace vellum {

void Encoder::prefixes(const HostOpcode& o, u8 rex) {
    if (o.lock) byte(0xF0);
    if (o.p66) byte(0x66);
    if (o.pF2) byte(0xF2);
    if (o.pF3) byte(0xF3);
    rex |= o.w ? 8 : 0;
    if (rex || o.force_rex) byte(0x40 | rex);
    if (o.map >= 1) byte(0x0F);
    if (o.map == 2) byte(0x38);
    if (o.map == 3) byte(0x3A);
    byte(o.code);
}

// SDM 2, 2.3.5: three bytes, of which R, X, B and vvvv are inverted.
void Encoder::vex(const HostOpcode& o, u8 reg, u8 vvvv, u8 rm) {
    u8 rxb = static_cast<u8>((reg >> 3 & 1) << 7 | (rm >> 3 & 1) << 5);
    u8 prefix = o.p66 ? 1 : o.pF3 ? 2 : o.pF2 ? 3 : 0;
    byte(0xC4);
    byte(static_cast<u8>((rxb ^ 0xE0) | o.map));
    byte(static_cast<u8>(o.w << 7 | (vvvv ^ 15) << 3 | prefix));
    byte(o.code);
    byte(static_cast<u8>(0xC0 | (reg & 7) << 3 | (rm & 7)));
}

void Encoder::op(const HostOpcode& o, u8 reg, u8 rm) {
    prefixes(o, static_cast<u8>((reg >> 3 & 1) << 2 | (rm >> 3 & 1)));
    byte(static_cast<u8>(0xC0 | (reg & 7) << 3 | (rm & 7)));
}

void Encoder::op(const HostOpcode& o, u8 reg, const HostMem& m) {
    if (m.window) {
        byte(0x65);
        byte(0x67);
    }
    u8 rex = static_cast<u8>((reg >> 3 & 1) << 2);
    if (m.base != no_reg) rex |= m.base >> 3 & 1;
    if (m.index != no_reg) rex |= (m.index >> 3 & 1) << 1;
    prefixes(o, rex);
    u8 reg_bits = static_cast<u8>((reg & 7) << 3);
    if (m.relative) {
        byte(reg_bits | 5);
        value(static_cast<u32>(m.target - (here() + 4 + o.immediate_bytes)));
        return;
    }
    u8 mod = 0;
    if (m.base != no_reg && (m.disp != 0 || (m.base & 7) == rbp)) mod = m.disp == static_cast<i8>(m.disp) ? 1 : 2;
    bool sib = m.index != no_reg || m.base == no_reg || (m.base & 7) == rsp;
    if (!sib) {
        byte(static_cast<u8>(mod << 6 | reg_bits | (m.base & 7)));
    } else {
        byte(static_cast<u8>(mod << 6 | reg_bits | 4));
        u8 index = m.index == no_reg ? 4 : m.index & 7;
        u8 base = m.base == no_reg ? 5 : m.base & 7;
        byte(static_cast<u8>(m.scale_log2 << 6 | index << 3 | base));
    }
    if (m.base == no_reg || mod == 2)
        value(m.disp);
    else if (mod == 1)
        byte(static_cast<u8>(m.disp));
}

}  // namespace vellum
