// Clock, alarm and interrupts of the MC146818.
#include "devices/rtc.hpp"

#include <algorithm>

namespace vellum {

namespace {
enum : u8 {
    reg_seconds = 0x00,
    reg_seconds_alarm = 0x01,
    reg_minutes = 0x02,
    reg_minutes_alarm = 0x03,
    reg_hours = 0x04,
    reg_hours_alarm = 0x05,
    reg_weekday = 0x06,
    reg_day = 0x07,
    reg_month = 0x08,
    reg_year = 0x09,
    reg_a = 0x0A,
    reg_b = 0x0B,
    reg_c = 0x0C,
    reg_d = 0x0D,
    reg_century = 0x32
};
constexpr u8 a_update_in_progress = 0x80, a_rate = 0x0F;
constexpr u8 b_set = 0x80, b_periodic = 0x40, b_alarm = 0x20, b_update = 0x10, b_binary = 0x04, b_24_hours = 0x02;
constexpr u8 c_irq = 0x80, c_periodic = 0x40, c_alarm = 0x20, c_update = 0x10;
constexpr u8 d_valid = 0x80;

// With a 32.768 kHz crystal an update takes 1984 us and UIP announces it 244 us ahead (datasheet, table 6). The time
// changes when the update ends.
constexpr Nanoseconds update_announced = (1984 + 244) * microsecond;
constexpr ClockRate oscillator{32'768};
constexpr i64 day_seconds = 86'400;

constexpr bool is_time_register(u8 index) {
    return index == reg_seconds || index == reg_minutes || index == reg_hours ||
           (index >= reg_weekday && index <= reg_year) || index == reg_century;
}

struct Date {
    i64 year;
    u32 month, day;
};

// The Gregorian calendar in eras of 400 years (146097 days) that begin on 1 March.
constexpr i64 days_since_1970(Date date) {
    const i64 year = date.year - (date.month <= 2);
    const i64 era = year / 400;  // years are positive here
    const i64 year_of_era = year - era * 400;
    const i64 day_of_year = (153 * (static_cast<i64>(date.month) + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;
    return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719'468;
}

constexpr Date date_of(i64 days) {
    const i64 shifted = days + 719'468;
    const i64 era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
    const i64 day_of_era = shifted - era * 146'097;
    const i64 year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const i64 day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const i64 month = (5 * day_of_year + 2) / 153;
    const u32 calendar_month = static_cast<u32>(month < 10 ? month + 3 : month - 9);
    return {year_of_era + era * 400 + (calendar_month <= 2), calendar_month,
            static_cast<u32>(day_of_year - (153 * month + 2) / 5 + 1)};
}

constexpr i64 floor_div(i64 value, i64 by) { return value / by - (value % by < 0); }
}  // namespace

Rtc::Rtc(Bus& ports, IrqLine irq8, Scheduler& scheduler, i64 start_seconds)
    : scheduler_{scheduler},
      irq8_{irq8},
      event_{scheduler,
             [this] {
                 collect_flags();
                 update_irq();
                 schedule();
             }},
      origin_seconds_{std::clamp<i64>(start_seconds, 0, 253'402'300'799)} {  // up to the end of the year 9999
    cmos_[reg_a] = 0x26;
    cmos_[reg_b] = b_24_hours;
    cmos_[reg_d] = d_valid;
    show_time();
    ports.claim("rtc", 0x70, 2, *this, Bus::Width::Bytes);
}

void Rtc::reset() {
    // The RESET pin clears the interrupt enables and flags (datasheet, "RESET").
    cmos_[reg_b] &= static_cast<u8>(~(b_periodic | b_alarm | b_update | 0x08));
    cmos_[reg_c] = 0;
    collected_ = scheduler_.now();
    index_ = 0;
    nmi_masked_ = false;
    connected_ = true;
    event_.stop();
    irq8_.set(false);
}

void Rtc::serialize(Archive& a) {
    a.section("rtc", 1);
    a(cmos_, index_, nmi_masked_, connected_, origin_seconds_, origin_, weekday_shift_, collected_, event_);
    index_ &= 0x7F;
    weekday_shift_ %= 7;
    constexpr i64 far = i64{1} << 42;  // no guest can set a later time
    // A second may begin half a second after the divider is released; nothing else lies in the future.
    const Nanoseconds now = scheduler_.now();
    const bool times_fit = origin_ <= now + second && collected_ <= now;
    if (a.loading() && (origin_seconds_ < -far || origin_seconds_ > far || !times_fit)) {
        a.refuse();
        origin_seconds_ = 0;
        origin_ = collected_ = now;
    }
}

u32 Rtc::read(u32 offset, u8) {
    if (offset == 0) return 0xFF;  // the index register is write-only
    return read_register(index_);
}

void Rtc::write(u32 offset, u8, u32 value) {
    if (offset == 0) {
        index_ = value & 0x7F;
        nmi_masked_ = value & 0x80;
    } else {
        write_register(index_, static_cast<u8>(value));
    }
}

void Rtc::connect_irq(bool connected) {
    connected_ = connected;
    update_irq();
}

bool Rtc::time_stopped() const {
    return (cmos_[reg_b] & b_set) || (cmos_[reg_a] & 0x60) == 0x60;  // divider held in reset
}

i64 Rtc::seconds_at(Nanoseconds time) const {
    return origin_seconds_ + floor_div(static_cast<i64>(time - origin_), static_cast<i64>(second));
}

// Counted from a second before the origin, which may lie ahead; a whole second does not change the phase.
u64 Rtc::oscillator_at(Nanoseconds time) const { return oscillator.ticks_at(time + second - origin_); }

u64 Rtc::periodic_ticks() const {
    const u8 rate = cmos_[reg_a] & a_rate;
    if (rate == 0 || (cmos_[reg_a] & 0x60) == 0x60) return 0;
    return u64{1} << (rate < 3 ? rate + 6 : rate - 1);  // rates 1 and 2 are the same as 8 and 9
}

bool Rtc::update_in_progress() const {
    if (time_stopped()) return false;
    const i64 within = static_cast<i64>(scheduler_.now() - origin_) % static_cast<i64>(second);
    const i64 since_second = within < 0 ? within + static_cast<i64>(second) : within;
    return since_second >= static_cast<i64>(second - update_announced);
}

u8 Rtc::read_register(u8 index) {
    if (is_time_register(index)) show_time();
    switch (index) {
        case reg_a:
            return static_cast<u8>((cmos_[reg_a] & ~a_update_in_progress) |
                                   (update_in_progress() ? a_update_in_progress : 0));
        case reg_c: {
            collect_flags();
            update_irq();
            const u8 flags = cmos_[reg_c];
            cmos_[reg_c] = 0;
            update_irq();
            schedule();
            return flags;
        }
        default: return cmos_[index];
    }
}

void Rtc::write_register(u8 index, u8 value) {
    if (index == reg_c || index == reg_d) return;  // read-only
    collect_flags();
    if (index == reg_a) {
        write_a(value);
    } else if (index == reg_b) {
        write_b(value);
    } else if (is_time_register(index)) {
        show_time();
        cmos_[index] = value;
        if (!time_stopped()) adopt_time();
    } else {
        cmos_[index] = value;
    }
    update_irq();
    schedule();
}

void Rtc::write_a(u8 value) {
    const bool was_reset = (cmos_[reg_a] & 0x60) == 0x60;
    const bool was_stopped = time_stopped();
    show_time();
    cmos_[reg_a] = value & static_cast<u8>(~a_update_in_progress);
    // The first update comes half a second after the divider is released (datasheet, "Divider control").
    if (was_reset && (value & 0x60) != 0x60) origin_ = scheduler_.now() + second / 2;
    if (was_stopped && !time_stopped()) adopt_time();
}

void Rtc::write_b(u8 value) {
    const bool was_stopped = time_stopped();
    show_time();
    if (value & b_set) value &= static_cast<u8>(~b_update);  // SET clears UIE
    cmos_[reg_b] = value;
    if (was_stopped && !time_stopped()) adopt_time();
}

void Rtc::show_time() {
    if (time_stopped()) return;
    const i64 now = seconds_at(scheduler_.now());
    const i64 days = floor_div(now, day_seconds);
    const u32 of_day = static_cast<u32>(now - days * day_seconds);
    const Date date = date_of(days);
    const i64 weekday = (days + 4 + weekday_shift_) % 7;  // 1 January 1970 was a Thursday; Sunday is 1
    cmos_[reg_seconds] = encode(of_day % 60);
    cmos_[reg_minutes] = encode(of_day / 60 % 60);
    cmos_[reg_hours] = encode_hour(of_day / 3600);
    cmos_[reg_weekday] = static_cast<u8>((weekday < 0 ? weekday + 7 : weekday) + 1);
    cmos_[reg_day] = encode(date.day);
    cmos_[reg_month] = encode(date.month);
    cmos_[reg_year] = encode(static_cast<u32>(date.year % 100));
    cmos_[reg_century] = encode(static_cast<u32>(date.year / 100 % 100));
}

void Rtc::adopt_time() {
    // Values out of range are the guest's affair; they only must not leave the calendar's arithmetic.
    const u32 month = std::clamp<u32>(decode(cmos_[reg_month]), 1, 12);
    const i64 year = decode(cmos_[reg_century]) * i64{100} + decode(cmos_[reg_year]);
    const i64 days = days_since_1970({std::max<i64>(year, 1), month, std::min<u32>(decode(cmos_[reg_day]), 31)});
    const i64 seconds = days * day_seconds + decode_hour(cmos_[reg_hours]) * i64{3600} +
                        decode(cmos_[reg_minutes]) * i64{60} + decode(cmos_[reg_seconds]);
    const i64 weekday = ((floor_div(seconds, day_seconds) + 4) % 7 + 7) % 7;
    weekday_shift_ = static_cast<u8>(((cmos_[reg_weekday] & 7) + 13 - weekday) % 7);
    // The divider runs on: only whole seconds change.
    origin_seconds_ += seconds - seconds_at(scheduler_.now());
}

u8 Rtc::encode(u32 value) const {
    if (cmos_[reg_b] & b_binary) return static_cast<u8>(value);
    return static_cast<u8>(value / 10 << 4 | value % 10);
}

u32 Rtc::decode(u8 value) const {
    if (cmos_[reg_b] & b_binary) return value;
    return (value >> 4) * 10u + (value & 0x0F);
}

u8 Rtc::encode_hour(u32 hour) const {
    if (cmos_[reg_b] & b_24_hours) return encode(hour);
    const u32 shown = hour % 12 == 0 ? 12 : hour % 12;
    return static_cast<u8>(encode(shown) | (hour >= 12 ? 0x80 : 0));
}

u32 Rtc::decode_hour(u8 value) const {
    if (cmos_[reg_b] & b_24_hours) return decode(value);
    return decode(value & 0x7F) % 12 + (value & 0x80 ? 12 : 0);
}

i64 Rtc::next_alarm(i64 from) const {
    // C0h-FFh in an alarm register matches everything (datasheet, "Alarm").
    const auto any = [](u8 value) { return (value & 0xC0) == 0xC0; };
    const u8 hour = cmos_[reg_hours_alarm], minute = cmos_[reg_minutes_alarm], sec = cmos_[reg_seconds_alarm];
    // Whole hours and minutes that do not match are stepped over.
    for (i64 at = from + 1; at <= from + day_seconds;) {
        const u32 of_day = static_cast<u32>((at % day_seconds + day_seconds) % day_seconds);
        if (!any(hour) && decode_hour(hour) != of_day / 3600)
            at += 3600 - of_day % 3600;
        else if (!any(minute) && decode(minute) != of_day / 60 % 60)
            at += 60 - of_day % 60;
        else if (!any(sec) && decode(sec) != of_day % 60)
            ++at;
        else
            return at;
    }
    return -1;
}

void Rtc::collect_flags() {
    const Nanoseconds now = std::max(scheduler_.now(), collected_);
    const u64 period = periodic_ticks();
    if (period != 0 && oscillator_at(now) / period != oscillator_at(collected_) / period) cmos_[reg_c] |= c_periodic;
    if (!time_stopped()) {
        const i64 before = seconds_at(collected_), after = seconds_at(now);
        if (after > before) cmos_[reg_c] |= c_update;
        const i64 alarm = after > before ? next_alarm(before) : -1;
        if (alarm >= 0 && alarm <= after) cmos_[reg_c] |= c_alarm;
    }
    collected_ = now;
}

void Rtc::update_irq() {
    // The flags of register C stand at the same bits as their enables in register B.
    const bool wanted = cmos_[reg_b] & cmos_[reg_c] & (b_periodic | b_alarm | b_update);
    cmos_[reg_c] = static_cast<u8>((cmos_[reg_c] & ~c_irq) | (wanted ? c_irq : 0));
    irq8_.set(wanted && connected_);
}

// An event is needed only for what would raise the line, and only while the line is low: until the guest reads
// register C nothing more can happen.
void Rtc::schedule() {
    event_.stop();
    if (cmos_[reg_c] & c_irq) return;
    constexpr Nanoseconds never = ~Nanoseconds{0};
    Nanoseconds next = never;
    const u8 enables = cmos_[reg_b];
    if (u64 period = periodic_ticks(); period != 0 && (enables & b_periodic))
        next = origin_ - second + oscillator.time_of((oscillator_at(collected_) / period + 1) * period);
    if (!time_stopped() && (enables & (b_update | b_alarm))) {
        const i64 now = seconds_at(collected_);
        const i64 at = (enables & b_update) ? now + 1 : next_alarm(now);
        if (at >= 0) next = std::min(next, origin_ + static_cast<u64>(at - origin_seconds_) * second);
    }
    if (next != never) event_.start_at(next);
}

}  // namespace vellum
