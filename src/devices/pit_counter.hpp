// One counter of an 8254 (Intel 82C54 datasheet, "Mode definitions"), as a function of the number of clock ticks:
// nothing is stepped, every question is answered from the tick at which the count was loaded.
#pragma once

#include "base/archive.hpp"

namespace vellum {

class PitCounter {
 public:
    static constexpr u64 never = ~u64{0};

    explicit PitCounter(bool gate) : gate_{gate} {}
    void reset(bool gate) { *this = PitCounter{gate}; }
    void serialize(Archive& a);

    // All take the present tick, which never decreases.
    void write_control(u8 control, u64 tick);
    void write(u8 byte, u64 tick);
    u8 read(u64 tick);
    void latch_count(u64 tick);
    void latch_status(u64 tick);
    void set_gate(bool gate, u64 tick);

    // Whether its times are ones that a counter can have at `tick`: a file may hold others.
    bool times_fit(u64 tick) const;

    bool gate() const { return gate_; }
    bool output(u64 tick);
    // The first tick after `tick` at which the output goes from low to high if nobody intervenes, or `never`.
    u64 next_rise(u64 tick);
    // Ticks from one rise to the next, or 0 in the modes that do not repeat.
    u32 period() const { return mode_ == 2 || mode_ == 3 ? count_ : 0; }

 private:
    struct Half {
        bool high;
        u64 end;
        u32 position;  // ticks since it began
    };

    u32 modulus() const { return bcd_ ? 10'000 : 0x10000; }
    u64 elapsed(u64 tick) const;
    Half half_at(u64 tick) const;      // mode 3
    u64 reload_after(u64 tick) const;  // modes 2 and 3: where a new count takes effect
    bool null_count(u64 tick) const;
    u16 counting_element(u64 tick) const;  // as it reads: binary or BCD
    void settle(u64 tick);
    void start(u32 count, u64 tick);
    void load(u16 written, u64 tick);

    bool gate_;
    u8 mode_ = 3, access_ = 3;
    bool bcd_ = false;
    bool loaded_ = false;      // the counting element holds a count
    bool running_ = false;     // and the gate lets it count
    bool armed_ = false;       // modes 1 and 5: a count waits for a trigger
    bool origin_high_ = true;  // mode 3: the half that begins at origin_
    bool switch_high_ = true;
    bool second_write_ = false, second_read_ = false;
    bool count_latched_ = false, status_latched_ = false;
    u8 first_byte_ = 0, latched_status_ = 0;
    u16 latched_count_ = 0, idle_value_ = 0;
    u32 count_ = 0, next_count_ = 0;
    u64 origin_ = 0;         // tick at which the counting element held count_
    u64 stopped_ = 0;        // ticks counted when the gate went low
    u64 switch_at_ = never;  // modes 2 and 3: tick at which next_count_ takes over
};

}  // namespace vellum
