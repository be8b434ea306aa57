// High-precision event timers at FED00000h: a 100 MHz counter and three comparators (IA-PC HPET specification 1.0a).
#pragma once

#include <array>
#include <functional>
#include <optional>

#include "base/log.hpp"
#include "base/scheduler.hpp"
#include "devices/bus.hpp"
#include "devices/device.hpp"
#include "devices/irq_line.hpp"

namespace vellum {

class Hpet final : public Device, public BusTarget {
 public:
    static constexpr u32 address = 0xFED00000, address_bytes = 0x400;
    // The low half of the capabilities: revision 1, three timers, 64 bits, legacy replacement, vendor 8086h.
    static constexpr u32 identity = 0x8086A201;

    // `lines` counts as ACPI does: 0 and 8 are the ISA interrupts (used in legacy replacement only), 16-23 pins of
    // the I/O APIC. `on_legacy` tells when timers 0 and 1 take IRQ0 from the PIT and IRQ8 from the clock.
    Hpet(Bus& mmio, IrqSink& lines, Scheduler& scheduler, Log& log, std::function<void(bool on)> on_legacy);

    std::string_view name() const override { return "hpet"; }
    void reset() override;
    void serialize(Archive& a) override;
    u32 read(u32 offset, u8 size) override;
    void write(u32 offset, u8 size, u32 value) override;

 private:
    static constexpr u8 timer_count = 3;

    struct Comparator {
        u64 config = 0, value = ~u64{0}, period = 0;
        bool value_set_high = false;  // the low half went to the comparator, so will the high one
        void serialize(Archive& a) { a(config, value, period, value_set_high); }
    };

    bool enabled() const { return config_ & 1; }
    bool legacy() const { return config_ & 2; }
    u64 counter_at(Nanoseconds now) const;
    u64 counter() const { return counter_at(scheduler_.now()); }
    void catch_up();
    u64 read_register(u32 offset) const;
    u64 read_timer(u8 number, u32 offset) const;
    void write_config(u64 value);
    void write_status(u64 value);
    void write_counter(u64 value);
    void write_timer(u8 number, u32 offset, bool high, u32 value);
    void write_timer_config(u8 number, u64 value);
    void write_comparator(u8 number, bool high, u32 value);

    std::optional<u8> route(u8 number) const;
    void drive(u8 number, bool level);
    void drive_all(bool asserted);
    void fire(u8 number);
    u64 next_match(const Comparator& timer, u64 now) const;  // periodic: the comparator's value past `now`
    void schedule(u8 number, bool has_fired);
    void schedule_all();

    IrqSink& lines_;
    Scheduler& scheduler_;
    Log& log_;
    std::function<void(bool on)> on_legacy_;
    u64 config_ = 0;
    u8 status_ = 0;  // level interrupts that wait
    u64 count_ = 0;  // the counter at start_, or while halted
    Nanoseconds start_ = 0;
    std::array<Comparator, timer_count> timers_{};
    std::array<Timer, timer_count> events_;
};

}  // namespace vellum
