// System control ports of the PIIX3: port 61h (timer 2, speaker, refresh), port 92h (A20, fast reset) and the reset
// control register at CF9h, which the host bridge passes on (PIIX3 datasheet, 2.5.5, 2.5.6 and 2.5.10).
#pragma once

#include <functional>

#include "base/log.hpp"
#include "devices/bus_window.hpp"
#include "devices/device.hpp"
#include "devices/pit.hpp"

namespace vellum {

class SystemPorts final : public Device {
 public:
    struct Callbacks {
        std::function<void(bool enabled)> set_a20;  // port 92h's share; the board combines it with the keyboard's
        std::function<void()> reset;                // processor reset asked for through port 92h
        std::function<void(bool enabled)> on_speaker = {};  // optional: speaker data bit of port 61h
    };
    SystemPorts(Bus& ports, Pit& pit, Log& log, Callbacks callbacks);

    std::string_view name() const override { return "system ports"; }
    void reset() override;
    void serialize(Archive& a) override;

 private:
    u8 read_control_b();
    void write_control_b(u8 value);
    void write_port_92(u8 value);

    Pit& pit_;
    Log& log_;
    Callbacks callbacks_;
    u8 control_b_ = 0;  // bits 3-0 as written
    u8 port_92_ = 0;    // bit 1 as written
    BusWindow control_b_port_, port_92_port_;
};

// Bit 1 chooses between a soft (processor) and a hard (platform) reset, a 0 to 1 change of bit 2 makes it happen.
class ResetControl final : public Device {
 public:
    static constexpr u8 hard_reset = 0x06;

    ResetControl(Log& log, std::function<void(bool hard)> reset) : log_{log}, reset_{std::move(reset)} {}

    std::string_view name() const override { return "reset control"; }
    void reset() override { value_ = 0; }
    void serialize(Archive& a) override;

    u8 read() const { return value_; }
    void write(u8 value);

 private:
    Log& log_;
    std::function<void(bool hard)> reset_;
    u8 value_ = 0;
};

}  // namespace vellum
