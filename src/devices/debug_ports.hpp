// Ports that firmware and tests talk to: the debug consoles at 402h (as on QEMU) and E9h (as on Bochs), the POST
// code display at 80h, and the delay port EDh.
#pragma once

#include "devices/bus_window.hpp"
#include "devices/byte_sink.hpp"
#include "devices/device.hpp"

namespace vellum {

// Both consoles read as E9h, by which firmware knows that somebody listens.
class DebugConsole final : public Device, public BusTarget {
 public:
    DebugConsole(Bus& ports, ByteSink& sink);

    std::string_view name() const override { return "debug console"; }
    void reset() override {}
    void serialize(Archive&) override {}
    u32 read(u32, u8) override { return 0xE9; }
    void write(u32 offset, u8 size, u32 value) override;

 private:
    ByteSink& sink_;
};

// Port 80h keeps the last code that was written; its neighbours 84h-86h, 88h and 8Ch-8Eh are plain memory too, but
// belong to the DMA page registers.
class PostPort final : public Device {
 public:
    explicit PostPort(Bus& ports);

    std::string_view name() const override { return "post port"; }
    void reset() override { code_ = 0; }
    void serialize(Archive& a) override;
    u8 code() const { return code_; }

 private:
    u8 code_ = 0;
    BusWindow code_port_, delay_port_;
};

}  // namespace vellum
