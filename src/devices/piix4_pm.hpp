// Power-management function (82371AB function 3, datasheet 290562, chapter 7) at 00:01.3, as the firmware's tables
// expect it: where its I/O registers lie. The registers themselves (PM timer, events, SMI) are other parts.
#pragma once

#include "devices/pci.hpp"

namespace vellum {

class Piix4Pm final : public PciDevice {
 public:
    // The PM block of 64 ports is at `base` now, or switched off.
    using OnBase = std::function<void(std::optional<u16> base)>;
    explicit Piix4Pm(OnBase on_base);

    std::string_view name() const override { return "piix4 pm"; }

 private:
    void config_written(u8, u8) override { announce(); }
    void config_replaced() override { announce(); }
    void announce();

    OnBase on_base_;
    std::optional<u16> base_;
};

}  // namespace vellum
