// The isa-debug-exit port at F4h-F7h, by which a test ends the machine with a value.
#pragma once

#include <functional>
#include <utility>

#include "devices/bus.hpp"
#include "devices/device.hpp"

namespace vellum {

class DebugExit final : public Device, public BusTarget {
 public:
    // `on_exit` gets what was written, in whatever width; the process ends with (value << 1) | 1.
    DebugExit(Bus& ports, std::function<void(u32 value)> on_exit);

    std::string_view name() const override { return "debug exit"; }
    void reset() override {}
    void serialize(Archive&) override {}
    u32 read(u32, u8) override { return 0; }
    void write(u32 offset, u8 size, u32 value) override;

 private:
    std::function<void(u32 value)> on_exit_;
};

}  // namespace vellum
