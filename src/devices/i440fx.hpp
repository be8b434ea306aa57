// 82441FX host bridge (PMC) at 00:00.0: what of it software sees, that is shadowing of C0000h-FFFFFh by the PAM
// registers (82441FX datasheet 290549, 3.2.17) and stored registers. It does not cache, refresh or arbitrate.
#pragma once

#include "devices/pci.hpp"

namespace vellum {

class I440fx final : public PciDevice {
 public:
    // Reads and writes of `size` bytes from `first` go to RAM, or else to the ROM or bus behind it.
    using OnShadow = std::function<void(u32 first, u32 size, bool read_ram, bool write_ram)>;
    explicit I440fx(OnShadow on_shadow);

    std::string_view name() const override { return "i440fx"; }

 private:
    void config_written(u8 offset, u8 size) override;
    void config_replaced() override { announce_segments(true); }
    void announce_segments(bool all);

    OnShadow on_shadow_;
    std::array<u8, 13> announced_{};  // bit 0 reads, bit 1 writes go to RAM
};

}  // namespace vellum
