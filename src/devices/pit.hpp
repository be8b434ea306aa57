// The 8254 interval timer at ports 40h-43h: channel 0 drives IRQ0, channel 2 the speaker (82C54 datasheet).
#pragma once

#include "base/log.hpp"
#include "base/scheduler.hpp"
#include "devices/bus.hpp"
#include "devices/clock_rate.hpp"
#include "devices/device.hpp"
#include "devices/irq_line.hpp"
#include "devices/pit_counter.hpp"

namespace vellum {

constexpr ClockRate pit_clock{1'193'182};

class Pit final : public Device, public BusTarget {
 public:
    Pit(Bus& ports, IrqLine irq0, Scheduler& scheduler, Log& log);

    std::string_view name() const override { return "pit"; }
    void reset() override;
    void serialize(Archive& a) override;
    u32 read(u32 offset, u8 size) override;
    void write(u32 offset, u8 size, u32 value) override;

    // Channel 2, as port 61h sees it.
    void set_gate2(bool gate);
    bool gate2() const { return counters_[2].gate(); }
    bool output2() { return counters_[2].output(now()); }
    // The wire on which memory refresh toggles, once per 18 ticks (port 61h, bit 4).
    bool refresh_toggle() const { return (now() / 18) & 1; }

    // The HPET's legacy replacement takes IRQ0 away from channel 0.
    void connect_irq(bool connected);

 private:
    u64 now() const { return pit_clock.ticks_at(scheduler_.now()); }
    void command(u8 value, u64 tick);
    void catch_up();
    void follow_channel0(u64 tick);
    void on_rise();
    void schedule(u64 tick);

    Scheduler& scheduler_;
    Log& log_;
    IrqLine irq0_;
    Timer rise_;
    bool connected_ = true;
    PitCounter counters_[3] = {PitCounter{true}, PitCounter{true}, PitCounter{false}};
};

}  // namespace vellum
