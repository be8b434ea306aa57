// Registers of the PM block, and what they set off.
#include "devices/acpi_pm.hpp"

namespace vellum {

namespace {
enum : u32 {
    pm_status = AcpiPm::event_offset,
    pm_enable = pm_status + 2,
    pm_control = AcpiPm::control_offset,
    pm_timer = AcpiPm::timer_offset
};

constexpr u16 event_timer = 0x0001, event_global = 0x0020, event_power_button = 0x0100, event_rtc = 0x0400,
              event_wake = 0x8000;
constexpr u16 sci_events = event_timer | event_global | event_power_button | event_rtc;
constexpr u16 control_sci_enable = 0x0001;
constexpr u16 control_writable = 0x1C03;  // sleep type, bus master reload, SCI enable
constexpr u8 control_high_sleep = 0x20;

// The timer has 24 bits; its status rises when the top one changes (ACPI 2.0, 4.7.3.3).
constexpr u32 timer_mask = 0xFFFFFF;
constexpr unsigned timer_top_bit = 23;

constexpr u8 sleep_type_hibernate = 2;  // the value that other tables for this chip give to _S4
}  // namespace

AcpiPm::AcpiPm(Bus& ports, IrqLine sci, Scheduler& scheduler, Log& log, std::function<void()> on_power_off)
    : ports_{ports},
      sci_{sci},
      scheduler_{scheduler},
      log_{log},
      on_power_off_{std::move(on_power_off)},
      timer_carry_{scheduler, [this] { update(); }},
      pm_ports_{[this](u32 offset, u8 size) { return read(offset, size); },
                [this](u32 offset, u8 size, u32 value) {
                    for (u8 i = 0; i < size; ++i) write_byte(offset + i, static_cast<u8>(value >> (8 * i)));
                    update();
                }},
      gpe_ports_{[this](u32 offset, u8) { return read_gpe(offset); },
                 [this](u32 offset, u8, u32 value) { write_gpe(offset, static_cast<u8>(value)); }},
      apm_ports_{[this](u32 offset, u8) { return offset == 0 ? apm_control_ : apm_status_; },
                 [this](u32 offset, u8, u32 value) { write_apm(offset, static_cast<u8>(value)); }} {
    ports.claim("acpi gpe", gpe_port, gpe_bytes, gpe_ports_, Bus::Width::Bytes);
    ports.claim("apm", apm_port, 2, apm_ports_, Bus::Width::Bytes);
}

void AcpiPm::reset() {
    latched_status_ = enable_ = control_ = 0;
    carries_seen_ = timer_ticks() >> timer_top_bit;
    gpe_enable_[0] = gpe_enable_[1] = 0;
    apm_control_ = apm_status_ = 0;
    update();
}

void AcpiPm::serialize(Archive& a) {
    a.section("acpi pm", 1);
    a(latched_status_, enable_, control_, carries_seen_, gpe_enable_, apm_control_, apm_status_, timer_carry_);
    if (!a.loading() || carries_seen_ <= timer_ticks() >> timer_top_bit) return;
    carries_seen_ = timer_ticks() >> timer_top_bit;
    a.refuse();
}

void AcpiPm::set_io_base(std::optional<u16> base) {
    if (io_base_) ports_.release_movable(*io_base_, pm_ports_);
    io_base_ = base;
    if (base) ports_.claim_movable("acpi pm", *base, 64, pm_ports_);
}

void AcpiPm::press_power_button() {
    latched_status_ |= event_power_button;
    update();
}

u16 AcpiPm::status() const {
    const bool carried = timer_ticks() >> timer_top_bit != carries_seen_;
    return latched_status_ | (carried ? event_timer : u16{0});
}

void AcpiPm::update() {
    const bool sci_enabled = control_ & control_sci_enable;  // otherwise events raise SMI, and there is no SMM
    const u16 events = status();
    sci_.set(sci_enabled && (events & enable_ & sci_events) != 0);
    if ((enable_ & event_timer) && !(events & event_timer))
        timer_carry_.start_at(pm_timer_clock.time_of((carries_seen_ + 1) << timer_top_bit));
    else
        timer_carry_.stop();
}

// The timer is sampled once per access, or its bytes would not belong together.
u32 AcpiPm::read(u32 offset, u8 size) const {
    const u32 timer = static_cast<u32>(timer_ticks()) & timer_mask;
    u32 value = 0;
    for (u8 i = 0; i < size; ++i) value |= u32{read_byte(offset + i, timer)} << (8 * i);
    return value;
}

u8 AcpiPm::read_byte(u32 offset, u32 timer) const {
    switch (offset & ~1u) {
        case pm_status: return static_cast<u8>(status() >> (8 * (offset & 1)));
        case pm_enable: return static_cast<u8>(enable_ >> (8 * (offset & 1)));
        case pm_control: return static_cast<u8>(control_ >> (8 * (offset & 1)));
        case pm_timer:
        case pm_timer + 2: return static_cast<u8>(timer >> (8 * (offset - pm_timer)));
        default: return 0;  // processor control and general-purpose pins: nothing is connected
    }
}

void AcpiPm::write_byte(u32 offset, u8 value) {
    const u32 shift = 8 * (offset & 1);
    const u16 mask = static_cast<u16>(0xFF << shift), placed = static_cast<u16>(value << shift);
    switch (offset & ~1u) {
        case pm_status:  // a written 1 clears
            latched_status_ &= static_cast<u16>(~placed);
            if (placed & event_timer) carries_seen_ = timer_ticks() >> timer_top_bit;
            break;
        case pm_enable: enable_ = static_cast<u16>((enable_ & ~mask) | (placed & (sci_events & mask))); break;
        case pm_control:
            control_ = static_cast<u16>((control_ & ~mask) | (placed & (control_writable & mask)));
            if (offset == pm_control + 1 && (value & control_high_sleep)) sleep((value >> 2) & 7);
            break;
        case pm_timer:
        case pm_timer + 2: break;  // read-only
        default: log_.once(Topic::Ports, "acpi pm: write to register {:02x} ignored", offset);
    }
}

void AcpiPm::sleep(u8 type) {
    log_(Topic::Machine, "acpi: sleep type {}", type);
    // What was on disk stays there, so hibernation ends like power-off.
    if (type == sleep_type_off || type == sleep_type_hibernate) return on_power_off_();
    log_.once(Topic::Machine, "acpi: sleep type {} is not offered, waking at once", type);
    latched_status_ |= event_wake;
}

// Two bytes of status, two of enables; no event is connected, so the status stays zero.
u8 AcpiPm::read_gpe(u32 offset) const { return offset < 2 ? u8{0} : gpe_enable_[offset - 2]; }

void AcpiPm::write_gpe(u32 offset, u8 value) {
    if (offset >= 2) gpe_enable_[offset - 2] = value;
}

void AcpiPm::write_apm(u32 offset, u8 value) {
    if (offset == 1) {
        apm_status_ = value;
        return;
    }
    // Here the handler in SMM would switch the SCI on or off.
    apm_control_ = value;
    if (value == apm_acpi_enable) control_ |= control_sci_enable;
    if (value == apm_acpi_disable) control_ &= static_cast<u16>(~control_sci_enable);
    update();
}

}  // namespace vellum
