// MC146818 real-time clock with 128 bytes of CMOS memory at ports 70h/71h (Motorola MC146818A datasheet). The time is
// a start time plus guest time; registers are written out when somebody looks.
#pragma once

#include <array>

#include "base/scheduler.hpp"
#include "devices/bus.hpp"
#include "devices/clock_rate.hpp"
#include "devices/device.hpp"
#include "devices/irq_line.hpp"

namespace vellum {

class Rtc final : public Device, public BusTarget {
 public:
    // `start_seconds`: what the clock shows at guest time 0, in seconds since 1970 (UTC or local time, as the guest
    // expects its hardware clock).
    Rtc(Bus& ports, IrqLine irq8, Scheduler& scheduler, i64 start_seconds);

    std::string_view name() const override { return "rtc"; }
    void reset() override;  // the battery keeps time and memory
    void serialize(Archive& a) override;
    u32 read(u32 offset, u8 size) override;
    void write(u32 offset, u8 size, u32 value) override;

    // For the board, before the guest runs: memory sizes, boot order, disk types. Not for clock registers 00h-0Dh.
    void set_cmos(u8 index, u8 value) { cmos_[index & 0x7F] = value; }
    u8 cmos(u8 index) const { return cmos_[index & 0x7F]; }
    bool nmi_masked() const { return nmi_masked_; }
    // The HPET's legacy replacement takes IRQ8 away.
    void connect_irq(bool connected);

 private:
    bool time_stopped() const;
    i64 seconds_at(Nanoseconds time) const;  // whole seconds since 1970; only while time runs
    u64 periodic_ticks() const;              // in ticks of 32768 Hz; 0 is off
    u64 oscillator_at(Nanoseconds time) const;
    bool update_in_progress() const;

    u8 read_register(u8 index);
    void write_register(u8 index, u8 value);
    void write_a(u8 value);
    void write_b(u8 value);

    void show_time();   // clock -> registers
    void adopt_time();  // registers -> clock
    u8 encode(u32 value) const;
    u32 decode(u8 value) const;
    u8 encode_hour(u32 hour) const;
    u32 decode_hour(u8 value) const;
    // The first second after `from` that the alarm registers match, or a negative number.
    i64 next_alarm(i64 from) const;

    void collect_flags();  // raises in register C what happened since it was last called
    void update_irq();
    void schedule();

    Scheduler& scheduler_;
    IrqLine irq8_;
    Timer event_;
    std::array<u8, 128> cmos_{};
    u8 index_ = 0;
    bool nmi_masked_ = false;
    bool connected_ = true;
    i64 origin_seconds_;         // what the clock showed ...
    Nanoseconds origin_ = 0;     // ... at this guest time, a second's boundary (may lie ahead by half a second)
    u8 weekday_shift_ = 0;       // a guest may set any weekday for a date
    Nanoseconds collected_ = 0;  // guest time up to which flags are collected
};

}  // namespace vellum
