// 16550A serial port (National PC16550D datasheet): FIFOs, interrupts, loopback. The line is not throttled: a byte
// leaves a microsecond or two after it was written, whatever the divisor says.
#pragma once

#include <functional>

#include "base/scheduler.hpp"
#include "devices/bus.hpp"
#include "devices/byte_sink.hpp"
#include "devices/device.hpp"
#include "devices/irq_line.hpp"

namespace vellum {

class Uart final : public Device, public BusTarget {
 public:
    // Claims eight ports from `base`. `on_ready_to_receive` is called when the guest made room for more input; it
    // may call receive() at once.
    Uart(Bus& ports, u16 base, IrqLine irq, Scheduler& scheduler, ByteSink& output,
         std::function<void()> on_ready_to_receive = {});

    bool can_receive() const;
    void receive(u8 byte);  // a byte that finds no room is an overrun, as on the wire

    std::string_view name() const override { return "uart"; }
    // The machine ends: what the guest has written leaves all the same, as a line sends on behind a processor that
    // stops.
    void finish_sending() {
        if (transmitter_.count && !loopback()) transmit();
    }

    void reset() override;
    void serialize(Archive&) override;
    u32 read(u32 offset, u8 size) override;
    void write(u32 offset, u8 size, u32 value) override;

 private:
    static constexpr u8 fifo_size = 16;
    // A FIFO that also does as the one-byte holding register.
    struct Fifo {
        std::array<u8, fifo_size> bytes{};
        u8 first = 0, count = 0;
        void push(u8 byte) { bytes[(first + count++) % fifo_size] = byte; }
        u8 pop();
        void serialize(Archive&);
    };

    bool fifos_on() const { return fifo_control_ & 1; }
    bool loopback() const { return modem_control_ & 0x10; }
    u8 trigger_level() const;
    Nanoseconds four_characters() const;
    u8 read_receiver();
    u8 read_interrupt_identification();
    u8 read_line_status();
    u8 read_modem_status();
    u8 modem_lines() const;
    void write_transmitter(u8 byte);
    void write_fifo_control(u8 value);
    void write_interrupt_enable(u8 value);
    void write_modem_control(u8 value);
    void accept(u8 byte);
    void transmit();
    void catch_up();
    u8 pending_interrupt() const;
    void update_irq();

    Scheduler& scheduler_;
    IrqLine irq_;
    ByteSink& output_;
    std::function<void()> on_ready_to_receive_;
    Timer transmit_timer_, timeout_timer_;
    Fifo receiver_, transmitter_;
    u8 last_received_ = 0;
    u8 interrupt_enable_ = 0, fifo_control_ = 0, line_control_ = 0, modem_control_ = 0, scratch_ = 0;
    u8 line_errors_ = 0;  // bits 1-4 and 7 of the line status
    u8 modem_deltas_ = 0;
    u16 divisor_ = 12;
    bool holding_empty_interrupt_ = false;
    bool timeout_interrupt_ = false;
};

}  // namespace vellum
