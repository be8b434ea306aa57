// ACPI fixed hardware of the PIIX4 (82371AB datasheet, chapter 7; ACPI 2.0, 4.7): power-management events, the PM
// timer, soft power-off, the APM control port, and the general-purpose events that the firmware's tables announce.
// The PCI function that decides where the block lies is another part.
#pragma once

#include <functional>
#include <optional>

#include "base/log.hpp"
#include "base/scheduler.hpp"
#include "devices/bus_window.hpp"
#include "devices/clock_rate.hpp"
#include "devices/device.hpp"
#include "devices/irq_line.hpp"

namespace vellum {

constexpr ClockRate pm_timer_clock{3'579'545};

class AcpiPm final : public Device {
 public:
    // What the firmware's tables are to say of this chip (the FADT's fields, and the type of sleep that is off).
    static constexpr u8 event_offset = 0, control_offset = 4, timer_offset = 8;
    static constexpr u16 gpe_port = 0xAFE0, apm_port = 0xB2;
    static constexpr u8 event_bytes = 4, control_bytes = 2, timer_bytes = 4, gpe_bytes = 4;
    static constexpr u8 apm_acpi_enable = 0xF1, apm_acpi_disable = 0xF0, sleep_type_off = 0;

    // `sci` is IRQ9, level triggered. `on_power_off` is called in the middle of a port write.
    AcpiPm(Bus& ports, IrqLine sci, Scheduler& scheduler, Log& log, std::function<void()> on_power_off);

    std::string_view name() const override { return "acpi pm"; }
    void reset() override;
    void serialize(Archive& a) override;  // not the base: the PCI function announces it again

    // First of 64 ports, a multiple of 64; nothing answers without it.
    void set_io_base(std::optional<u16> base);
    // The person presses the power button: the system is asked to shut down.
    void press_power_button();

 private:
    u64 timer_ticks() const { return pm_timer_clock.ticks_at(scheduler_.now()); }
    u16 status() const;
    u32 read(u32 offset, u8 size) const;
    u8 read_byte(u32 offset, u32 timer) const;
    void write_byte(u32 offset, u8 value);
    void sleep(u8 type);
    u8 read_gpe(u32 offset) const;
    void write_gpe(u32 offset, u8 value);
    void write_apm(u32 offset, u8 value);
    void update();

    Bus& ports_;
    IrqLine sci_;
    Scheduler& scheduler_;
    Log& log_;
    std::function<void()> on_power_off_;
    Timer timer_carry_;
    std::optional<u16> io_base_;
    BusWindow pm_ports_, gpe_ports_, apm_ports_;

    u16 latched_status_ = 0;  // all but the timer's bit
    u16 enable_ = 0, control_ = 0;
    u64 carries_seen_ = 0;  // changes of the timer's top bit when its status was cleared last
    u8 gpe_enable_[2] = {};
    u8 apm_control_ = 0, apm_status_ = 0;
};

}  // namespace vellum
