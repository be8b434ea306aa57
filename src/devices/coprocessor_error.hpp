// What the PIIX3 does between the processor's pins FERR# and IGNNE# and interrupt line 13, for software that keeps
// CR0.NE clear as on a PC/AT (82371SB datasheet, coprocessor error register; SDM vol. 1, appendix D.2). Port F0h.
#pragma once

#include "devices/bus_window.hpp"
#include "devices/device.hpp"
#include "devices/irq_line.hpp"

namespace vellum {

class CoprocessorError final : public Device {
 public:
    CoprocessorError(Bus& ports, IrqLine line);

    std::string_view name() const override { return "coprocessor error"; }
    void reset() override;
    void serialize(Archive& archive) override;

    // FERR# of the processor; true: asserted. That raises the line, which stays up until port F0h is written.
    void set_ferr(bool asserted);
    // IGNNE# to the processor: asserted by the write, for as long as FERR# is.
    bool ignne() const { return ignne_; }

 private:
    void acknowledge();

    IrqLine line_;
    bool ferr_ = false, ignne_ = false;
    BusWindow port_;
};

}  // namespace vellum
