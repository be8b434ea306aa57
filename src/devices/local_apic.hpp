// The local APIC of the one processor, xAPIC mode, at FEE00000h unless its MSR moves it (SDM 3A, chapter 11).
#pragma once

#include <array>
#include <optional>

#include "base/log.hpp"
#include "devices/apic_timer.hpp"
#include "devices/bus.hpp"
#include "devices/device.hpp"

namespace vellum {

// As in the redirection table, the ICR and the local vector table.
enum class DeliveryMode : u8 { Fixed, LowestPriority, Smi, Reserved, Nmi, Init, StartUp, ExtInt };

class LocalApic final : public Device, public BusTarget {
 public:
    static constexpr u32 address_at_reset = 0xFEE00000;

    struct Callbacks {
        std::function<void(bool level)> on_output;  // interrupt_requested() or accepts_pic() changed
        std::function<void(u8 vector)> on_eoi;      // end of a level interrupt, for the I/O APIC
        std::function<void()> on_nmi;
        std::function<u8()> acknowledge_pic;    // INTA cycles for an ExtINT that came through the I/O APIC
        ApicTimer::TimeOfTsc time_of_tsc = {};  // absent: no TSC-deadline mode
    };
    LocalApic(Bus& mmio, Scheduler& scheduler, Log& log, Callbacks callbacks);

    std::string_view name() const override { return "local apic"; }
    void reset() override;
    void serialize(Archive& a) override;
    u32 read(u32 offset, u8 size) override;
    void write(u32 offset, u8 size, u32 value) override;

    // IA32_APIC_BASE. Reserved bits are the processor's to refuse; x2APIC mode does not exist here.
    void set_base(u64 msr_value);
    u64 base() const { return base_; }
    // IA32_TSC_DEADLINE.
    void set_tsc_deadline(u64 tsc) { timer_.set_tsc_deadline(tsc); }
    u64 tsc_deadline() const { return timer_.tsc_deadline(); }

    // Something above the processor's priority waits. The PIC's own request is not in it: the processor takes that
    // one when accepts_pic().
    bool interrupt_requested() const { return output_; }
    u8 acknowledge();
    // INTR of the PIC reaches the processor: the APIC is off, or LINT0 is open in ExtINT mode.
    bool accepts_pic() const;

    // A message from the I/O APIC; false when the APIC takes none now. Call matches() first.
    bool deliver(u8 vector, bool level, DeliveryMode mode);
    bool matches(u8 destination, bool logical) const;

    // The two local pins: the PIC's INTR (matters here only if LINT0 is programmed as a fixed interrupt) and NMI.
    void set_lint0(bool level) { set_pin(lint0_level_, level, lvt_lint0); }
    void set_lint1(bool level) { set_pin(lint1_level_, level, lvt_lint1); }

 private:
    // The local vector table in the order of its registers, 320h to 370h.
    enum : u8 { lvt_timer, lvt_thermal, lvt_performance, lvt_lint0, lvt_lint1, lvt_error, lvt_count };

    class Vectors {
     public:
        bool test(u8 vector) const { return (words_[vector / 32] >> (vector % 32)) & 1; }
        void set(u8 vector) { words_[vector / 32] |= 1u << (vector % 32); }
        void clear(u8 vector) { words_[vector / 32] &= ~(1u << (vector % 32)); }
        std::optional<u8> highest() const;
        u32 word(u32 index) const { return words_[index & 7]; }
        void serialize(Archive& a) { a(words_); }

     private:
        std::array<u32, 8> words_{};
    };

    bool enabled() const { return base_ & 0x800; }
    bool software_enabled() const { return enabled() && (spurious_ & 0x100); }
    u8 processor_priority() const;
    u32 read_register(u32 offset);
    void write_register(u32 offset, u32 value);
    void write_spurious(u32 value);
    void write_lvt(u8 entry, u32 value);
    void write_command(u32 value);
    void end_of_interrupt();
    void deliver_local(u8 entry);
    void set_pin(bool& pin, bool level, u8 entry);
    void raise_error(u8 error);
    void apply_timer_lvt();
    void reset_registers();
    void map();
    void update();

    Bus& mmio_;
    Log& log_;
    Callbacks callbacks_;
    ApicTimer timer_;
    std::optional<u32> mapped_;

    u64 base_ = 0;
    Vectors in_service_, trigger_mode_, requests_;
    std::array<u32, lvt_count> lvt_{};
    u32 spurious_ = 0xFF, logical_destination_ = 0, destination_format_ = ~0u;
    u32 command_low_ = 0, command_high_ = 0;
    u8 task_priority_ = 0;
    u8 error_status_ = 0, new_errors_ = 0;
    bool ext_int_ = false;  // an ExtINT message waits for the processor
    bool lint0_level_ = false, lint1_level_ = false;
    bool output_ = false;
    bool accepted_pic_ = true;
};

}  // namespace vellum
