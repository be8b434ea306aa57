// Counter, comparators and their interrupts.
#include "devices/hpet.hpp"

#include "devices/clock_rate.hpp"

namespace vellum {

namespace {
constexpr Nanoseconds tick = 10;

enum : u32 {
    reg_capabilities = 0x000,
    reg_config = 0x010,
    reg_status = 0x020,
    reg_counter = 0x0F0,
    reg_timers = 0x100
};
enum : u32 { timer_config = 0x00, timer_comparator = 0x08, timer_stride = 0x20 };

// In the high half, the period in femtoseconds.
constexpr u64 capabilities = u64{tick * 1'000'000} << 32 | Hpet::identity;

constexpr u64 level_triggered = 0x02, interrupt_enable = 0x04, periodic = 0x08, value_set = 0x40, mode_32 = 0x100;
constexpr u64 config_writable = 0x3F4E;  // route, 32-bit mode, value set, periodic, enable, level
// Any of the I/O APIC's pins 16-23; periodic and 64 bits wide.
constexpr u64 timer_capabilities = u64{0x00FF0000} << 32 | 0x30;

constexpr u64 width_mask(u64 config) { return config & mode_32 ? 0xFFFFFFFF : ~u64{0}; }

constexpr u64 with_half(u64 old, bool high, u32 value) {
    return high ? (old & 0xFFFFFFFF) | u64{value} << 32 : (old & ~u64{0xFFFFFFFF}) | value;
}
}  // namespace

Hpet::Hpet(Bus& mmio, IrqSink& lines, Scheduler& scheduler, Log& log, std::function<void(bool on)> on_legacy)
    : lines_{lines},
      scheduler_{scheduler},
      log_{log},
      on_legacy_{std::move(on_legacy)},
      events_{{{scheduler, [this] { fire(0); }}, {scheduler, [this] { fire(1); }}, {scheduler, [this] { fire(2); }}}} {
    mmio.claim("hpet", address, address_bytes, *this);
}

void Hpet::reset() {
    drive_all(false);
    if (legacy()) on_legacy_(false);
    config_ = count_ = 0;
    status_ = 0;
    timers_.fill(Comparator{});
    for (auto& event : events_) event.stop();
}

void Hpet::serialize(Archive& a) {
    a.section("hpet", 1);
    a(config_, status_, count_, start_, timers_);
    for (auto& event : events_) a(event);
    if (!a.loading() || start_ <= scheduler_.now()) return;
    start_ = scheduler_.now();
    a.refuse();
}

u64 Hpet::counter_at(Nanoseconds now) const {
    if (!enabled()) return count_;
    return count_ + (now > start_ ? (now - start_) / tick : 0);
}

// A match that is due must not be lost to the write that comes now.
void Hpet::catch_up() {
    for (u8 i = 0; i < timer_count; ++i) {
        if (!events_[i].active() || events_[i].deadline() > scheduler_.now()) continue;
        events_[i].stop();
        fire(i);
    }
}

u32 Hpet::read(u32 offset, u8 size) {
    if ((offset & 3) + size > 4) return 0;  // the specification asks for whole, aligned registers
    return static_cast<u32>(read_register(offset & ~7u) >> (8 * (offset & 7)));
}

u64 Hpet::read_register(u32 offset) const {
    switch (offset) {
        case reg_capabilities: return capabilities;
        case reg_config: return config_;
        case reg_status: return status_;
        case reg_counter: return counter();
        default: break;
    }
    const u32 number = (offset - reg_timers) / timer_stride;
    if (offset < reg_timers || number >= timer_count) return 0;
    return read_timer(static_cast<u8>(number), (offset - reg_timers) % timer_stride);
}

u64 Hpet::read_timer(u8 number, u32 offset) const {
    const Comparator& timer = timers_[number];
    if (offset == timer_config) return timer.config | timer_capabilities;
    if (offset != timer_comparator) return 0;  // no message-signalled interrupts
    return enabled() && (timer.config & periodic) ? next_match(timer, counter()) : timer.value;
}

void Hpet::write(u32 offset, u8 size, u32 value) {
    if (size != 4 || offset % 4 != 0) {
        log_.once(Topic::Timer, "hpet: {}-byte write at {:03x} ignored", size, offset);
        return;
    }
    catch_up();
    const bool high = offset & 4;
    const u32 reg = offset & ~7u;
    if (reg == reg_config) return write_config(with_half(config_, high, value));
    if (reg == reg_status && !high) return write_status(value);
    if (reg == reg_counter) return write_counter(with_half(counter(), high, value));
    const u32 number = (offset - reg_timers) / timer_stride;
    if (offset >= reg_timers && number < timer_count)
        write_timer(static_cast<u8>(number), (reg - reg_timers) % timer_stride, high, value);
}

void Hpet::write_config(u64 value) {
    const bool was_legacy = legacy();
    const Nanoseconds now = scheduler_.now();
    count_ = counter_at(now);
    start_ = now;
    drive_all(false);
    config_ = value & 3;
    if (legacy() != was_legacy) on_legacy_(legacy());
    drive_all(true);
    schedule_all();
}

void Hpet::write_status(u64 value) {
    const u8 cleared = status_ & static_cast<u8>(value);
    for (u8 i = 0; i < timer_count; ++i)
        if (cleared >> i & 1) drive(i, false);
    status_ &= static_cast<u8>(~cleared);
}

void Hpet::write_counter(u64 value) {
    count_ = value;
    start_ = scheduler_.now();
    schedule_all();
}

void Hpet::write_timer(u8 number, u32 offset, bool high, u32 value) {
    if (offset == timer_config && !high) write_timer_config(number, value);
    if (offset == timer_comparator) write_comparator(number, high, value);
}

void Hpet::write_timer_config(u8 number, u64 value) {
    Comparator& timer = timers_[number];
    drive(number, false);
    timer.config = value & config_writable;
    timer.value_set_high = false;
    timer.value &= width_mask(timer.config);
    timer.period &= width_mask(timer.config);
    if (!(timer.config & level_triggered)) status_ &= static_cast<u8>(~(1u << number));
    if (status_ >> number & 1) drive(number, true);
    schedule(number, false);
}

// In periodic mode a plain write sets the period; after "value set" the next one sets the comparator (2.3.9.2.2).
void Hpet::write_comparator(u8 number, bool high, u32 value) {
    Comparator& timer = timers_[number];
    if (high && (timer.config & mode_32)) return;
    // What the counter has passed must be accounted with the old period.
    if (enabled() && (timer.config & periodic)) timer.value = next_match(timer, counter());
    const bool sets_value = !(timer.config & periodic) || (timer.config & value_set) || (high && timer.value_set_high);
    if (sets_value) timer.value = with_half(timer.value, high, value);
    if (timer.config & periodic) timer.period = with_half(timer.period, high, value);
    timer.value_set_high = !high && (timer.config & value_set);
    timer.config &= ~value_set;
    schedule(number, false);
}

std::optional<u8> Hpet::route(u8 number) const {
    if (legacy() && number < 2) return number == 0 ? u8{0} : u8{8};
    const u8 pin = (timers_[number].config >> 9) & 0x1F;
    if (pin < 16 || pin > 23) return std::nullopt;
    return pin;
}

void Hpet::drive(u8 number, bool level) {
    if (level && !(timers_[number].config & interrupt_enable)) return;
    if (auto line = route(number))
        lines_.set_irq(*line, level);
    else if (level)
        log_.once(Topic::Timer, "hpet: timer {} has no interrupt line", number);
}

// Around a change of routing, all leave their lines; level interrupts that wait come back to theirs.
void Hpet::drive_all(bool asserted) {
    for (u8 i = 0; i < timer_count; ++i)
        if (!asserted || status_ >> i & 1) drive(i, asserted);
}

void Hpet::fire(u8 number) {
    Comparator& timer = timers_[number];
    if (timer.config & level_triggered) {
        status_ |= static_cast<u8>(1u << number);
        drive(number, true);
    } else {
        // The line stays high behind its edge: an interrupt controller drops a request whose line has fallen.
        drive(number, false);
        drive(number, true);
    }
    if (timer.config & periodic) timer.value = next_match(timer, counter());
    schedule(number, true);
}

u64 Hpet::next_match(const Comparator& timer, u64 now) const {
    const u64 mask = width_mask(timer.config);
    const u64 behind = (now - timer.value) & mask;
    if (timer.period == 0 || behind > mask / 2) return timer.value;  // ahead of the counter
    return (timer.value + (behind / timer.period + 1) * timer.period) & mask;
}

void Hpet::schedule(u8 number, bool has_fired) {
    const Comparator& timer = timers_[number];
    events_[number].stop();
    if (!enabled() || !(timer.config & interrupt_enable)) return;
    const u64 mask = width_mask(timer.config);
    const u64 now = counter();
    u64 ahead = (timer.value - now) & mask;
    if (ahead == 0 && has_fired) {
        if (!(timer.config & mode_32)) return;
        ahead = u64{1} << 32;  // once around, in 43 seconds
    }
    constexpr u64 shortest = shortest_interrupt_period / tick;
    if (has_fired && (timer.config & periodic) && timer.period != 0 && timer.period < shortest)
        ahead += shortest / timer.period * timer.period;
    constexpr u64 furthest = u64{1} << 56;  // 22 years
    if (ahead > furthest) return;
    events_[number].start_at(start_ + (now - count_ + ahead) * tick);
}

void Hpet::schedule_all() {
    for (u8 i = 0; i < timer_count; ++i) schedule(i, false);
}

}  // namespace vellum
