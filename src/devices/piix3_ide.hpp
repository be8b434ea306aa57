// The PIIX3's IDE function at 00:01.1 (datasheet 290550, 2.3): two channels at their old ports and the bus master's
// registers behind BAR 4.
#pragma once

#include <string>

#include "devices/atapi_cd.hpp"
#include "devices/ide.hpp"
#include "devices/pci.hpp"

namespace vellum {

class Piix3Ide final : public PciDevice, public BusTarget {
 public:
    // Primary channel at 1F0h and 3F6h, secondary at 170h and 376h.
    Piix3Ide(Bus& ports, IrqLine primary_irq, IrqLine secondary_irq, Scheduler& scheduler, GuestBytes& memory,
             Log& log);

    // `channel` and `unit` 0 or 1 (0 is the master), each place once. The image holds whole sectors of 512 bytes.
    void attach_disk(u8 channel, u8 unit, std::unique_ptr<BlockBackend> image);
    // `medium` may be null: an empty drive. The drive lives as long as this function does.
    AtapiCd& attach_cd(u8 channel, u8 unit, std::unique_ptr<BlockBackend> medium);

    std::string_view name() const override { return "piix3 ide"; }
    void reset() override;
    void serialize(Archive&) override;
    u32 read(u32 offset, u8 size) override;
    void write(u32 offset, u8 size, u32 value) override;

 private:
    void bar_changed(u8 index, std::optional<u32> base) override;

    Bus& ports_;
    Scheduler& scheduler_;
    Log& log_;
    std::array<BusMaster, 2> bus_masters_;
    std::array<IdeChannel, 2> channels_;
    std::optional<u32> mapped_;
};

}  // namespace vellum
