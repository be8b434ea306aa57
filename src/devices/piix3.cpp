// Interrupt routing of the ISA bridge.
#include "devices/piix3.hpp"

namespace vellum {

namespace {

constexpr PciIdentity identity{0x8086, 0x7000, 0, 0x060100, 0x1AF4, 0x1100};
constexpr u8 first_route = Piix3::first_route, last_route = first_route + 3, route_off = Piix3::route_off;
constexpr u16 routable = 0xDEF8;  // 3-7, 9-12, 14, 15: others are reserved

}  // namespace

Piix3::Piix3(IrqSink& isa_lines) : PciDevice{identity, {}}, isa_lines_{isa_lines} {
    define(0x04, 2, 0x0007, 0x0108);
    define(0x06, 2, 0x0200);
    define(0x0E, 1, 0x80);            // multi-function
    define(0x4C, 1, 0x4D, 0xFF);      // ISA recovery time
    define(0x4E, 2, 0x0003, 0xFFFF);  // X-bus chip select
    for (u8 route = first_route; route <= last_route; ++route) define(route, 1, route_off, 0x8F);
    define(0x69, 1, 0x02, 0xFF);  // top of memory
    define(0x6A, 2, 0, 0x807F);
    define(0x70, 1, 0x80, 0xFF);  // motherboard interrupt routing
    define(0x76, 2, 0x0C0C, 0x8F8F);
    define(0x78, 2, 0x0002, 0xFFFF);
    define(0x80, 1, 0, 0xFF);
    define(0x82, 1, 0, 0xFF);
    define(0xA0, 4, 0x0000'0008, 0xFFFF'FFFF);  // SMI control and event enable
    define(0xA4, 4, 0, 0xFFFF'FFFF);
    define(0xA8, 4, 0x0000'000F, 0x0000'FFFF);
}

// The board shifts the four lines by one from slot to slot, beginning at slot 1.
void Piix3::set_irq(u8 intx_number, bool level) {
    u8 slot = (intx_number / 4) & 31, pin = intx_number & 3;
    u32& raised = raised_[(pin + slot + 3) & 3];
    u32 before = raised, bit = 1u << slot;
    raised = level ? raised | bit : raised & ~bit;
    if (raised != before) drive();
}

void Piix3::config_written(u8 offset, u8 size) {
    if (offset <= last_route && offset + size > first_route) drive();
}

void Piix3::drive() {
    u16 wanted = 0;
    for (u8 i = 0; i < 4; ++i) {
        u8 route = config(first_route + i, 1);
        if (!(route & route_off) && raised_[i]) wanted |= 1u << (route & 15);
    }
    wanted &= routable;
    u16 changed = wanted ^ driven_;
    driven_ = wanted;
    for (u8 irq = 0; irq < 16; ++irq)
        if (changed & (1u << irq)) isa_lines_.set_irq(irq, wanted & (1u << irq));
}

void Piix3::serialize(Archive& a) {
    a.section(name(), 1);
    a(raised_);
    PciDevice::serialize(a);
}

}  // namespace vellum
