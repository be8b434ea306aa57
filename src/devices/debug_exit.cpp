// The exit port.
#include "devices/debug_exit.hpp"

namespace vellum {

DebugExit::DebugExit(Bus& ports, std::function<void(u32 value)> on_exit) : on_exit_{std::move(on_exit)} {
    ports.claim("debug exit", 0xF4, 4, *this);
}

void DebugExit::write(u32, u8, u32 value) { on_exit_(value); }

}  // namespace vellum
