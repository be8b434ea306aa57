// Configuration registers of the power-management function.
#include "devices/piix4_pm.hpp"

namespace vellum {

namespace {

constexpr PciIdentity identity{0x8086, 0x7113, 3, 0x068000, 0x1AF4, 0x1100};
constexpr u8 pm_base = 0x40, pm_regmisc = 0x80;

}  // namespace

Piix4Pm::Piix4Pm(OnBase on_base) : PciDevice{identity, {}}, on_base_{std::move(on_base)} {
    define(0x04, 2, 0, 0x0101);
    define(0x06, 2, 0x0280);
    define(0x3C, 1, 9, 0xFF);  // SCI
    define_interrupt_pin(1);
    define(pm_base, 4, 0x0000'0001, 0x0000'FFC0);
    define(0x44, 4, 0, 0xFFFF'FFFF);
    define(0x48, 4, 0, 0xFFFF'FFFF);
    define(0x4C, 4, 0, 0xFFFF'FFFF);
    define(0x50, 4, 0, 0xFFFF'FFFF);
    define(0x54, 4, 0, 0xFFFF'FFFF);
    // DEVACTB: bit 25, SMI on a write to the APM control port, reads as set: there is no SMM, and firmware that
    // finds the bit set takes the SMM code for installed.
    define(0x58, 4, 0x0200'0000, 0xFDFF'FFFF);
    define(0x5C, 4, 0x1000'0000, 0xFFFF'FFFF);  // device resources A-J: COM and LPT decoding
    define(0x60, 4, 0x6000'0000, 0xFFFF'FFFF);
    define(0x64, 4, 0x9800'0000, 0xFFFF'FFFF);
    define(0x68, 4, 0, 0xFFFF'FFFF);
    define(0x6C, 4, 0, 0xFFFF'FFFF);
    define(0x70, 4, 0, 0xFFFF'FFFF);
    define(0x74, 4, 0, 0xFFFF'FFFF);
    define(0x78, 4, 0, 0xFFFF'FFFF);
    define(0x7C, 4, 0, 0xFFFF'FFFF);
    define(pm_regmisc, 1, 0, 0x01);
    define(0x90, 4, 0x0000'0001, 0x0000'FFF0);  // SMBus base
    define(0xD2, 1, 0, 0x0F);                   // SMBus host configuration
}

void Piix4Pm::announce() {
    std::optional<u16> base;
    u16 at = static_cast<u16>(config(pm_base, 2) & 0xFFC0);
    if ((config(pm_regmisc, 1) & 1) && at != 0) base = at;
    if (base == base_) return;
    base_ = base;
    on_base_(base);
}

}  // namespace vellum
