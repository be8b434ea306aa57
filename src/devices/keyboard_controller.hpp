// 8042 keyboard controller at ports 60h and 64h with an auxiliary port (IBM PS/2 Technical Reference, "Keyboard and
// Auxiliary Device Controller"): one output buffer, IRQ 1 and 12, set 2 to set 1, A20 and the processor's reset.
#pragma once

#include <optional>

#include "base/log.hpp"
#include "base/scheduler.hpp"
#include "devices/bus.hpp"
#include "devices/device.hpp"
#include "devices/irq_line.hpp"
#include "devices/ps2_device.hpp"

namespace vellum {

class KeyboardController final : public Device {
 public:
    struct Pins {
        std::function<void(bool)> set_a20;    // the output port drives the gate
        std::function<bool()> a20;            // the gate may also be driven by port 92h
        std::function<void()> reset_request;  // the processor's reset was pulsed
    };
    // `mouse` may be null: the auxiliary port works, but nothing answers on it.
    KeyboardController(Bus& ports, IrqLine keyboard_irq, IrqLine mouse_irq, Scheduler& scheduler, Log& log, Pins pins,
                       Ps2Device& keyboard, Ps2Device* mouse);

    std::string_view name() const override { return "keyboard controller"; }
    void reset() override;
    void serialize(Archive&) override;

 private:
    enum class Source : u8 { Controller, Keyboard, Mouse };

    // The two ports are four apart, and 61h between them is another chip's.
    struct Port final : BusTarget {
        KeyboardController& owner;
        bool command;
        Port(KeyboardController& o, bool c) : owner{o}, command{c} {}
        u32 read(u32, u8) override { return command ? owner.status() : owner.read_data(); }
        void write(u32, u8, u32 value) override {
            command ? owner.write_command(static_cast<u8>(value)) : owner.write_data(static_cast<u8>(value));
        }
    };

    u8 status();
    u8 read_data();
    void write_data(u8 value);
    void write_command(u8 command);
    void write_output_port(u8 value);
    u8 output_port() const;
    void put(u8 value, Source source);
    void pump();
    void schedule_pump();
    void update_lines();
    bool keyboard_ready() const;
    bool mouse_ready() const;

    Port data_port_{*this, false}, command_port_{*this, true};
    IrqLine keyboard_irq_, mouse_irq_;
    Scheduler& scheduler_;
    Log& log_;
    Pins pins_;
    Ps2Device& keyboard_;
    Ps2Device* mouse_;
    Timer pump_timer_;
    ByteQueue<16> own_;          // answers of the controller that wait for the output buffer
    std::array<u8, 32> ram_{3};  // byte 0 is the command byte
    u8 output_ = 0;
    Source source_ = Source::Controller;
    bool full_ = false;
    bool last_was_command_ = false;
    bool release_seen_ = false;  // F0 went into the translation
    u8 waiting_for_ = 0;         // a command whose data byte comes through 60h
    u8 output_port_ = 3;
};

}  // namespace vellum
