// One IDE channel: the eight command block registers, device control, and which of two drives answers (ATA/ATAPI-6,
// chapter 7). An empty channel reads as zeros; a lone drive answers with status 0 for the one that is missing.
#pragma once

#include <memory>

#include "devices/bus.hpp"
#include "devices/ide_drive.hpp"
#include "devices/irq_line.hpp"

namespace vellum {

class IdeChannel final {
 public:
    // Eight ports from `command`, one at `control`.
    IdeChannel(Bus& ports, u16 command, u16 control, IrqLine irq, BusMaster& bus_master);
    IdeChannel(const IdeChannel&) = delete;

    // `unit` 0 is the master. A unit takes one drive, before the machine runs.
    void attach(u8 unit, std::unique_ptr<IdeDrive> drive);
    bool has_drive(u8 unit) const { return drives_[unit] != nullptr; }

    void reset();
    void serialize(Archive&);

 private:
    struct CommandBlock final : BusTarget {
        IdeChannel& channel;
        explicit CommandBlock(IdeChannel& c) : channel{c} {}
        u32 read(u32 offset, u8 size) override;
        void write(u32 offset, u8 size, u32 value) override;
    };
    struct ControlBlock final : BusTarget {
        IdeChannel& channel;
        explicit ControlBlock(IdeChannel& c) : channel{c} {}
        u32 read(u32, u8) override { return channel.alternate_status(); }
        void write(u32, u8, u32 value) override { channel.write_control(static_cast<u8>(value)); }
    };

    IdeDrive* selected() const { return drives_[unit_].get(); }
    IdeDrive* other() const { return drives_[unit_ ^ 1].get(); }
    u8 read_register(IdeRegister index);
    void write_register(IdeRegister index, u8 value);
    void command(u8 value);
    u8 alternate_status();
    void write_control(u8 value);
    void update_irq();

    CommandBlock command_block_{*this};
    ControlBlock control_block_{*this};
    IrqLine irq_;
    BusMaster& bus_master_;
    std::array<std::unique_ptr<IdeDrive>, 2> drives_;
    u8 unit_ = 0;
    u8 control_ = 0;
    bool line_ = false;
};

}  // namespace vellum
