// 82371SB (PIIX3) function 0 at 00:01.0: the ISA bridge's configuration registers and the routing of PCI interrupts
// to ISA ones (datasheet 290550, 2.2.8). ELCR belongs to the interrupt controller.
#pragma once

#include "devices/pci.hpp"

namespace vellum {

// As an IrqSink it takes INTx of all slots: a device's line is IrqLine{piix3, Piix3::intx(slot, pin)}.
class Piix3 final : public PciDevice, public IrqSink {
 public:
    static constexpr u8 first_route = 0x60, route_off = 0x80;  // PIRQRC[A:D]

    // `isa_lines` gets ISA numbers (3-15), and must see to it that others may pull the same line.
    explicit Piix3(IrqSink& isa_lines);

    static constexpr u8 intx(u8 slot, u8 pin) { return static_cast<u8>(slot * 4 + pin); }  // pin: 0 is INTA

    std::string_view name() const override { return "piix3"; }
    void serialize(Archive&) override;
    void set_irq(u8 intx_number, bool level) override;

 private:
    void config_written(u8 offset, u8 size) override;
    void config_replaced() override { drive(); }
    void drive();

    IrqSink& isa_lines_;
    std::array<u32, 4> raised_{};  // per PIRQ, a bit per slot
    u16 driven_ = 0;               // ISA lines that are high because of us
};

}  // namespace vellum
