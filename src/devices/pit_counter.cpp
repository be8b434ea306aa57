// The six modes.
#include "devices/pit_counter.hpp"

namespace vellum {

namespace {
u32 from_bcd(u16 value) {
    u32 result = 0;
    for (int shift = 12; shift >= 0; shift -= 4) result = result * 10 + ((value >> shift) & 0xF);
    return result;
}

u16 to_bcd(u32 value) {
    u32 result = 0;
    for (int shift = 0; shift < 16; shift += 4, value /= 10) result |= (value % 10) << shift;
    return static_cast<u16>(result);
}
}  // namespace

void PitCounter::serialize(Archive& a) {
    a(gate_, mode_, access_, bcd_, loaded_, running_, armed_, origin_high_, switch_high_, second_write_, second_read_,
      count_latched_, status_latched_, first_byte_, latched_status_, latched_count_, idle_value_, count_, next_count_,
      origin_, stopped_, switch_at_);
    // Counts are divisors, so a damaged file must not leave a zero where one is used.
    const bool counts_fit = count_ <= 0x10000 && next_count_ <= 0x10000 && (!loaded_ || count_ > 0) &&
                            ((!armed_ && switch_at_ == never) || next_count_ > 0);
    if (a.loading() && (mode_ > 5 || !counts_fit)) {
        a.refuse();
        reset(gate_);
    }
}

bool PitCounter::times_fit(u64 tick) const {
    constexpr u64 longest_cycle = 0x10000;
    return origin_ <= tick + 1 && stopped_ <= tick && (switch_at_ == never || switch_at_ <= tick + longest_cycle);
}

void PitCounter::write_control(u8 control, u64 tick) {
    settle(tick);
    idle_value_ = counting_element(tick);
    access_ = (control >> 4) & 3;
    mode_ = (control >> 1) & 7;
    if (mode_ > 5) mode_ -= 4;  // x10 and x11: the high bit does not matter
    bcd_ = control & 1;
    loaded_ = running_ = armed_ = false;
    second_write_ = second_read_ = count_latched_ = status_latched_ = false;
    switch_at_ = never;
}

void PitCounter::write(u8 byte, u64 tick) {
    settle(tick);
    if (access_ == 1) return load(byte, tick);
    if (access_ == 2) return load(static_cast<u16>(byte << 8), tick);
    if (second_write_) {
        second_write_ = false;
        return load(static_cast<u16>(first_byte_ | byte << 8), tick);
    }
    first_byte_ = byte;
    second_write_ = true;
    if (mode_ == 0) {
        // Mode 0: the first byte disables counting and OUT goes low at once.
        idle_value_ = counting_element(tick);
        loaded_ = running_ = false;
    }
}

void PitCounter::load(u16 written, u64 tick) {
    u32 count = bcd_ ? from_bcd(written) % modulus() : written;
    if (count == 0) count = modulus();
    const bool repeats = mode_ == 2 || mode_ == 3;
    if (repeats && count == 1) count = 2;  // 1 is illegal there; this keeps the output moving

    if (mode_ == 1 || mode_ == 5) {
        next_count_ = count;
        armed_ = true;
    } else if (repeats && loaded_ && running_ && tick >= origin_) {
        switch_at_ = reload_after(tick);
        switch_high_ = mode_ == 2 || !half_at(tick).high;
        next_count_ = count;
    } else {
        start(count, tick);
        running_ = gate_;
    }
}

// The count enters the counting element with the next clock.
void PitCounter::start(u32 count, u64 tick) {
    count_ = count;
    origin_ = tick + 1;
    origin_high_ = true;
    stopped_ = 0;
    switch_at_ = never;
    loaded_ = running_ = true;
}

void PitCounter::settle(u64 tick) {
    if (switch_at_ > tick || switch_at_ == never) return;
    origin_ = switch_at_;
    origin_high_ = switch_high_;
    count_ = next_count_;
    switch_at_ = never;
}

void PitCounter::set_gate(bool gate, u64 tick) {
    settle(tick);
    if (gate == gate_) return;
    gate_ = gate;
    if (mode_ == 1 || mode_ == 5) {
        if (!gate || !armed_) return;  // a falling gate does not stop these
        const u32 count = next_count_;
        start(count, tick);
        return;
    }
    if (!loaded_) return;
    if (!gate) {
        stopped_ = elapsed(tick);
        running_ = false;
    } else if (mode_ == 2 || mode_ == 3) {
        start(switch_at_ != never ? next_count_ : count_, tick);
    } else {
        origin_ = tick - stopped_;
        running_ = true;
    }
    if (!gate && switch_at_ != never) {  // the trigger to come will load what was written last
        count_ = next_count_;
        switch_at_ = never;
    }
}

u64 PitCounter::elapsed(u64 tick) const {
    if (!running_) return stopped_;
    return tick > origin_ ? tick - origin_ : 0;
}

PitCounter::Half PitCounter::half_at(u64 tick) const {
    // An odd count makes the high half one tick longer.
    const u32 high = (count_ + 1) / 2, low = count_ / 2;
    const u32 first = origin_high_ ? high : low;
    const u64 since = elapsed(tick);
    const u32 in_cycle = static_cast<u32>(since % count_);
    const u64 cycle_start = origin_ + (since - in_cycle);
    if (in_cycle < first) return {origin_high_, cycle_start + first, in_cycle};
    return {!origin_high_, cycle_start + count_, in_cycle - first};
}

u64 PitCounter::reload_after(u64 tick) const {
    if (mode_ == 3) return half_at(tick).end;
    return origin_ + (elapsed(tick) / count_ + 1) * count_;
}

bool PitCounter::output(u64 tick) {
    settle(tick);
    if (!loaded_) return mode_ != 0;
    const u64 since = elapsed(tick);
    switch (mode_) {
        case 0: return since >= count_;
        case 1: return since >= count_;
        case 2: return !running_ || since % count_ != count_ - 1;
        case 3: return !running_ || half_at(tick).high;
        default: return since != count_;
    }
}

u64 PitCounter::next_rise(u64 tick) {
    settle(tick);
    if (!loaded_ || !running_) return never;
    u64 rise = 0;
    switch (mode_) {
        case 0:
        case 1: rise = origin_ + count_; break;
        case 2: rise = reload_after(tick); break;
        case 3: {
            const Half half = half_at(tick);
            const u32 count_then = switch_at_ == half.end ? next_count_ : count_;
            rise = half.high ? half.end + count_then / 2 : half.end;
            break;
        }
        default: rise = origin_ + count_ + 1;
    }
    return rise > tick ? rise : never;
}

u16 PitCounter::counting_element(u64 tick) const {
    if (!loaded_) return idle_value_;
    const u64 since = elapsed(tick);
    u32 value = 0;
    if (mode_ == 2)
        value = count_ - static_cast<u32>(since % count_);
    else if (mode_ == 3)
        value = (count_ & ~1u) - 2 * half_at(tick).position;  // decremented by two
    else
        value = count_ + modulus() - static_cast<u32>(since % modulus());  // goes on past zero
    value %= modulus();
    return bcd_ ? to_bcd(value) : static_cast<u16>(value);
}

bool PitCounter::null_count(u64 tick) const {
    if (mode_ == 1 || mode_ == 5) return !loaded_ || tick < origin_ || next_count_ != count_;
    return !loaded_ || tick < origin_ || switch_at_ != never;
}

void PitCounter::latch_count(u64 tick) {
    settle(tick);
    if (count_latched_) return;  // the first latch holds until it is read
    latched_count_ = counting_element(tick);
    count_latched_ = true;
}

void PitCounter::latch_status(u64 tick) {
    if (status_latched_) return;
    const bool out = output(tick);
    latched_status_ = static_cast<u8>(out << 7 | null_count(tick) << 6 | access_ << 4 | mode_ << 1 | bcd_);
    status_latched_ = true;
}

u8 PitCounter::read(u64 tick) {
    settle(tick);
    if (status_latched_) {
        status_latched_ = false;
        return latched_status_;
    }
    const u16 value = count_latched_ ? latched_count_ : counting_element(tick);
    const bool high = access_ == 2 || (access_ == 3 && second_read_);
    if (access_ == 3) second_read_ = !second_read_;
    if (access_ != 3 || high) count_latched_ = false;
    return static_cast<u8>(high ? value >> 8 : value);
}

}  // namespace vellum
