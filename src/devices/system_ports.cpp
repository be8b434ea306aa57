// What the bits of ports 61h, 92h and CF9h do.
#include "devices/system_ports.hpp"

namespace vellum {

SystemPorts::SystemPorts(Bus& ports, Pit& pit, Log& log, Callbacks callbacks)
    : pit_{pit},
      log_{log},
      callbacks_{std::move(callbacks)},
      control_b_port_{[this](u32, u8) { return read_control_b(); },
                      [this](u32, u8, u32 value) { write_control_b(static_cast<u8>(value)); }},
      port_92_port_{[this](u32, u8) { return port_92_; },
                    [this](u32, u8, u32 value) { write_port_92(static_cast<u8>(value)); }} {
    ports.claim("system control port b", 0x61, 1, control_b_port_);
    ports.claim("port 92h", 0x92, 1, port_92_port_);
}

void SystemPorts::reset() {
    write_control_b(0);
    port_92_ = 0;
    callbacks_.set_a20(false);
}

void SystemPorts::serialize(Archive& a) {
    a.section("system ports", 1);
    a(control_b_, port_92_);
}

//  7    6      5     4        3          2           1        0
// SERR IOCHK  OUT2  refresh  IOCHK off  SERR off    speaker  gate 2
u8 SystemPorts::read_control_b() {
    return static_cast<u8>(control_b_ | pit_.refresh_toggle() << 4 | pit_.output2() << 5);
}

void SystemPorts::write_control_b(u8 value) {
    const u8 changed = control_b_ ^ value;
    control_b_ = value & 0x0F;
    pit_.set_gate2(value & 0x01);
    if ((changed & 0x02) && callbacks_.on_speaker) callbacks_.on_speaker(value & 0x02);
}

void SystemPorts::write_port_92(u8 value) {
    const bool reset_asked = (value & 0x01) != 0;  // reads back as 0: the reset has cleared it
    port_92_ = value & 0x02;
    callbacks_.set_a20(port_92_ != 0);
    if (!reset_asked) return;
    log_(Topic::Machine, "reset through port 92h");
    callbacks_.reset();
}

void ResetControl::serialize(Archive& a) {
    a.section("reset control", 1);
    a(value_);
}

void ResetControl::write(u8 value) {
    const bool rises = (value & 0x04) && !(value_ & 0x04);
    value_ = value & 0x02;  // bit 2 falls again with the reset that it causes
    if (!rises) return;
    log_(Topic::Machine, "reset through port CF9h ({})", value & 0x02 ? "hard" : "soft");
    reset_((value & 0x02) != 0);
}

}  // namespace vellum
