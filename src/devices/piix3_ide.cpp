// The PCI side of IDE.
#include "devices/piix3_ide.hpp"

#include "devices/ata_disk.hpp"

namespace vellum {

namespace {

constexpr PciIdentity identity{0x8086, 0x7010, 0, 0x010180, 0x1AF4, 0x1100};
constexpr u8 bus_master_bar = 4;

}  // namespace

Piix3Ide::Piix3Ide(Bus& ports, IrqLine primary_irq, IrqLine secondary_irq, Scheduler& scheduler, GuestBytes& memory,
                   Log& log)
    : PciDevice{identity, {}},
      ports_{ports},
      scheduler_{scheduler},
      log_{log},
      bus_masters_{BusMaster{memory}, BusMaster{memory}},
      channels_{IdeChannel{ports, 0x1F0, 0x3F6, primary_irq, bus_masters_[0]},
                IdeChannel{ports, 0x170, 0x376, secondary_irq, bus_masters_[1]}} {
    define(0x04, 2, 0, 0x0005);
    define(0x06, 2, 0x0280);
    define_bar(bus_master_bar, BarKind::Io, 16);
    define(0x40, 4, 0, 0xFFFF'FFFF);  // timing; bits 15 and 31 enable the channels, which are always on here
    define(0x44, 1, 0, 0xFF);
}

void Piix3Ide::attach_disk(u8 channel, u8 unit, std::unique_ptr<BlockBackend> image) {
    std::string serial = fmt::format("VM{:05}", channel * 2 + unit + 1);
    channels_[channel].attach(
        unit, std::make_unique<AtaDisk>(scheduler_, bus_masters_[channel], log_, std::move(image), std::move(serial)));
}

AtapiCd& Piix3Ide::attach_cd(u8 channel, u8 unit, std::unique_ptr<BlockBackend> medium) {
    std::string serial = fmt::format("VM{:05}", channel * 2 + unit + 1);
    auto drive =
        std::make_unique<AtapiCd>(scheduler_, bus_masters_[channel], log_, std::move(medium), std::move(serial));
    AtapiCd& cd = *drive;
    channels_[channel].attach(unit, std::move(drive));
    return cd;
}

void Piix3Ide::bar_changed(u8 index, std::optional<u32> base) {
    if (index != bus_master_bar) return;
    if (mapped_) ports_.release_movable(*mapped_, *this);
    if (base) ports_.claim_movable("ide bus master", *base, 16, *this);
    mapped_ = base;
}

u32 Piix3Ide::read(u32 offset, u8 size) {
    u32 value = 0;
    for (u8 i = 0; i < size; ++i) value |= u32{bus_masters_[((offset + i) >> 3) & 1].read((offset + i) & 7)} << (8 * i);
    return value;
}

// The command register is written last, so that a wide write cannot start the engine with half an address.
void Piix3Ide::write(u32 offset, u8 size, u32 value) {
    for (u8 i = size; i-- > 0;)
        bus_masters_[((offset + i) >> 3) & 1].write((offset + i) & 7, (value >> (8 * i)) & 0xFF);
}

void Piix3Ide::reset() {
    PciDevice::reset();
    for (auto& bus_master : bus_masters_) bus_master.reset();
    for (auto& channel : channels_) channel.reset();
}

void Piix3Ide::serialize(Archive& a) {
    a.section(name(), 1);
    for (auto& bus_master : bus_masters_) bus_master.serialize(a);
    for (auto& channel : channels_) channel.serialize(a);
    PciDevice::serialize(a);
}

}  // namespace vellum
