// The I/O APIC at FEC00000h with 24 pins (82093AA datasheet; version 20h adds the EOI register of the ICH).
#pragma once

#include <array>

#include "base/log.hpp"
#include "devices/bus.hpp"
#include "devices/device.hpp"
#include "devices/irq_line.hpp"
#include "devices/local_apic.hpp"

namespace vellum {

// Lines are pins, and their level means "asserted": the polarity bits are stored and change nothing. The board wires
// IRQ0 to pin 2, as the firmware's tables say.
class IoApic final : public Device, public BusTarget, public IrqSink {
 public:
    static constexpr u8 pin_count = 24;
    static constexpr u32 address = 0xFEC00000;

    IoApic(Bus& mmio, LocalApic& local_apic, Log& log);

    std::string_view name() const override { return "io apic"; }
    void reset() override;
    void serialize(Archive& a) override;
    u32 read(u32 offset, u8 size) override;
    void write(u32 offset, u8 size, u32 value) override;

    void set_irq(u8 pin, bool level) override;
    // The local APIC's broadcast at the end of a level interrupt.
    void end_of_interrupt(u8 vector);

 private:
    u32 read_indirect() const;
    void write_indirect(u32 value);
    void write_entry(u8 pin, bool high, u32 value);
    bool deliver(u8 pin);
    void serve_level(u8 pin);

    LocalApic& local_apic_;
    Log& log_;
    std::array<u64, pin_count> entries_{};
    u32 lines_ = 0;
    u8 select_ = 0, id_ = 0;
};

}  // namespace vellum
