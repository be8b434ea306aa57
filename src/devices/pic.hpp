// Two cascaded 8259A interrupt controllers with the edge/level registers of the PIIX3 (8259A datasheet; PIIX3
// datasheet, 2.5.2 and 2.5.8). Ports 20h/21h (master), A0h/A1h (slave), 4D0h/4D1h (ELCR).
#pragma once

#include <functional>
#include <optional>

#include "base/log.hpp"
#include "devices/bus_window.hpp"
#include "devices/device.hpp"
#include "devices/irq_line.hpp"

namespace vellum {

class PicPair final : public Device, public IrqSink {
 public:
    using OnOutput = std::function<void(bool level)>;

    // `on_output` is told of each change of INTR, the wire to the processor (or to LINT0 of its APIC).
    PicPair(Bus& ports, Log& log, OnOutput on_output);

    std::string_view name() const override { return "pic"; }
    void reset() override;
    void serialize(Archive& a) override;

    // Lines 0-15 of the ISA bus; 2 is the cascade and has no device on it.
    void set_irq(u8 number, bool level) override;

    bool interrupt_requested() const { return output_; }
    // The processor's INTA cycles: returns the vector. A request that went away is answered as IRQ7 or IRQ15.
    u8 acknowledge();

 private:
    enum class Expecting : u8 { Nothing, Icw2, Icw3, Icw4 };

    struct Chip {
        u8 level_capable = 0;  // which ELCR bits exist; wiring, never saved
        bool is_master = false;

        u8 lines = 0;  // what the wires say
        u8 irr = 0, isr = 0, imr = 0xFF;
        u8 elcr = 0;
        u8 vector_base = 0;
        u8 lowest_priority = 7;
        Expecting expecting = Expecting::Nothing;
        bool wants_icw4 = false, single = false;
        bool auto_eoi = false, rotate_on_auto_eoi = false;
        bool special_mask = false, special_fully_nested = false;
        bool read_isr = false, poll = false;

        void set_line(u8 line, bool level);
        void set_elcr(u8 value);
        void begin_initialization(u8 icw1);
        void write_icw(u8 value);
        void write_ocw2(u8 value);
        void write_ocw3(u8 value);
        // The line with the highest priority among `bits`.
        std::optional<u8> first_of(u8 bits) const;
        std::optional<u8> request() const;
        void accept(u8 line);
        void serialize(Archive& a);
    };

    u8 read(Chip& chip, u32 offset);
    void write(Chip& chip, u32 offset, u8 value);
    void update();

    Log& log_;
    OnOutput on_output_;
    Chip master_, slave_;
    bool output_ = false;
    BusWindow master_ports_, slave_ports_, elcr_ports_;
};

}  // namespace vellum
