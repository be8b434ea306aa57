// Ports of the 8254 and its interrupt. The line is driven at rising edges only: nothing listens to the falls.
#include "devices/pit.hpp"

namespace vellum {

Pit::Pit(Bus& ports, IrqLine irq0, Scheduler& scheduler, Log& log)
    : scheduler_{scheduler}, log_{log}, irq0_{irq0}, rise_{scheduler, [this] { on_rise(); }} {
    ports.claim("pit", 0x40, 4, *this, Bus::Width::Bytes);
}

void Pit::reset() {
    counters_[0].reset(true);
    counters_[1].reset(true);
    counters_[2].reset(false);
    connected_ = true;
    rise_.stop();
    irq0_.set(false);
}

void Pit::serialize(Archive& a) {
    a.section("pit", 1);
    a(connected_, rise_);
    for (auto& counter : counters_) {
        a(counter);
        if (!a.loading() || counter.times_fit(now())) continue;
        counter.reset(false);
        a.refuse();
    }
}

u32 Pit::read(u32 offset, u8) {
    if (offset == 3) return 0xFF;  // the control word cannot be read
    return counters_[offset].read(now());
}

void Pit::write(u32 offset, u8, u32 value) {
    catch_up();
    const u64 tick = now();
    if (offset == 3)
        command(static_cast<u8>(value), tick);
    else
        counters_[offset].write(static_cast<u8>(value), tick);
    const bool controls_channel0 = offset == 3 && value < 0x40 && (value & 0x30) != 0;
    if (offset == 0 || controls_channel0) follow_channel0(tick);
}

// Control word: counter select (7-6), access or latch (5-4), mode (3-1), BCD (0); select 3 is the read-back command.
void Pit::command(u8 value, u64 tick) {
    if (value >= 0xC0) {
        for (u8 i = 0; i < 3; ++i) {
            if (!(value & (2 << i))) continue;
            if (!(value & 0x20)) counters_[i].latch_count(tick);
            if (!(value & 0x10)) counters_[i].latch_status(tick);
        }
        return;
    }
    PitCounter& counter = counters_[value >> 6];
    if (!(value & 0x30)) return counter.latch_count(tick);
    log_(Topic::Timer, "pit: channel {} mode {} access {}", value >> 6, (value >> 1) & 7, (value >> 4) & 3);
    counter.write_control(value, tick);
}

void Pit::set_gate2(bool gate) { counters_[2].set_gate(gate, now()); }

void Pit::connect_irq(bool connected) {
    connected_ = connected;
    irq0_.set(connected && counters_[0].output(now()));
}

// An edge that is due but has not been delivered yet must not be lost to the write that comes now.
void Pit::catch_up() {
    if (rise_.active() && rise_.deadline() <= scheduler_.now()) on_rise();
}

void Pit::follow_channel0(u64 tick) {
    if (connected_) irq0_.set(counters_[0].output(tick));
    schedule(counters_[0].next_rise(tick));
}

void Pit::on_rise() {
    if (connected_) {
        irq0_.set(false);
        irq0_.set(true);
    }
    const u64 tick = now();
    const u64 next = counters_[0].next_rise(tick);
    const u32 period = counters_[0].period();
    constexpr u64 shortest = pit_clock.ticks_at(shortest_interrupt_period);
    const u64 merged = period != 0 && period < shortest ? shortest / period * period : 0;
    schedule(next == PitCounter::never ? next : next + merged);
}

void Pit::schedule(u64 tick) {
    if (tick == PitCounter::never)
        rise_.stop();
    else
        rise_.start_at(pit_clock.time_of(tick));
}

}  // namespace vellum
