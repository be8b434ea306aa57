// Debug console, POST code and delay port.
#include "devices/debug_ports.hpp"

#include <array>

namespace vellum {

DebugConsole::DebugConsole(Bus& ports, ByteSink& sink) : sink_{sink} {
    ports.claim("debug console", 0x402, 1, *this);
    ports.claim("debug console e9", 0xE9, 1, *this);
}

void DebugConsole::write(u32, u8, u32 value) {
    const std::array<u8, 1> byte{static_cast<u8>(value)};
    sink_.put(byte);
}

PostPort::PostPort(Bus& ports)
    : code_port_{[this](u32, u8) { return code_; }, [this](u32, u8, u32 value) { code_ = static_cast<u8>(value); }},
      delay_port_{[](u32, u8 size) { return open_bus(size); }, [](u32, u8, u32) {}} {
    ports.claim("post code", 0x80, 1, code_port_, Bus::Width::Any, Bus::Timing::Timeless);
    ports.claim("delay", 0xED, 1, delay_port_, Bus::Width::Any, Bus::Timing::Timeless);
}

void PostPort::serialize(Archive& a) {
    a.section("post port", 1);
    a(code_);
}

}  // namespace vellum
