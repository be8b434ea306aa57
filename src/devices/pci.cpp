// Configuration cycles, BAR decoding and INTx.
#include "devices/pci.hpp"

namespace vellum {

namespace {

constexpr u8 command_register = 0x04, status_register = 0x06;
constexpr u16 command_io = 1, command_memory = 2, command_interrupt_disable = 0x400;
constexpr u16 command_writable = 0x0547;  // I/O, memory, master, parity, SERR, INTx disable
constexpr u16 status_interrupt = 8;
constexpr u16 status_errors = 0xF900;  // written with one to clear
constexpr u32 config_enable = 0x8000'0000;

}  // namespace

PciDevice::PciDevice(const PciIdentity& id, IrqLine intx) : intx_{intx} {
    define(0x00, 2, id.vendor);
    define(0x02, 2, id.device);
    define(command_register, 2, 0, command_writable);
    define(status_register, 2, 0);
    clear_mask_[status_register + 1] = status_errors >> 8;
    define(0x08, 1, id.revision);
    define(0x09, 1, id.class_code & 0xFF);
    define(0x0A, 2, id.class_code >> 8);
    define(0x0C, 1, 0, 0xFF);  // cache line size
    define(0x2C, 2, id.subsystem_vendor);
    define(0x2E, 2, id.subsystem);
    define(0x3C, 1, 0, 0xFF);  // interrupt line: for software's notes only
}

void PciDevice::define_bar(u8 index, BarKind kind, u32 size) {
    check(index <= rom_index && (size & (size - 1)) == 0 && size >= 4, "PCI BAR is not a power of two");
    bars_[index] = Bar{kind, size, std::nullopt};
    u32 flags = kind == BarKind::Io ? 1 : kind == BarKind::PrefetchableMemory ? 8 : 0;
    if (index == rom_index)
        define(bar_offset(index), 4, 0, ~(size - 1) | 1);  // bit 0 switches the ROM on
    else
        define(bar_offset(index), 4, flags, ~(size - 1));
}

void PciDevice::define(u8 offset, u8 size, u32 value, u32 write_mask) {
    for (u8 i = 0; i < size; ++i) {
        config_[offset + i] = initial_[offset + i] = (value >> (8 * i)) & 0xFF;
        write_mask_[offset + i] = (write_mask >> (8 * i)) & 0xFF;
    }
}

u32 PciDevice::config(u8 offset, u8 size) const {
    u32 value = 0;
    for (u8 i = 0; i < size; ++i) value |= u32{config_[(offset + i) & 0xFF]} << (8 * i);
    return value;
}

void PciDevice::set_config(u8 offset, u8 size, u32 value) {
    for (u8 i = 0; i < size; ++i) config_[(offset + i) & 0xFF] = (value >> (8 * i)) & 0xFF;
}

u32 PciDevice::read_config(u8 offset, u8 size) { return config(offset, size); }

void PciDevice::write_config(u8 offset, u8 size, u32 value) {
    for (u8 i = 0; i < size; ++i) {
        u8 at = (offset + i) & 0xFF, byte = (value >> (8 * i)) & 0xFF;
        u8 kept = config_[at] & ~(byte & clear_mask_[at]);
        config_[at] = (kept & ~write_mask_[at]) | (byte & write_mask_[at]);
    }
    drive_intx();
    update_bars();
    config_written(offset, size);
}

// A BAR with address zero, or one that runs past the end of its space (as while it is sized), answers nowhere.
std::optional<u32> PciDevice::decoded_base(u8 index) const {
    const Bar& bar = bars_[index];
    if (bar.kind == BarKind::None) return std::nullopt;
    bool io = bar.kind == BarKind::Io;
    u32 value = config(bar_offset(index), 4);
    if (!(config(command_register, 2) & (io ? command_io : command_memory))) return std::nullopt;
    if (index == rom_index && !(value & 1)) return std::nullopt;
    u32 base = value & ~(bar.size - 1);
    u64 last = u64{base} + bar.size - 1;
    if (base == 0 || last >= (io ? 0xFFFFu : 0xFFFF'FFFFu)) return std::nullopt;
    return base;
}

void PciDevice::update_bars() {
    for (u8 i = 0; i < bars_.size(); ++i) {
        auto base = decoded_base(i);
        if (base == bars_[i].base) continue;
        bars_[i].base = base;
        bar_changed(i, base);
    }
}

void PciDevice::set_intx(bool level) {
    intx_level_ = level;
    drive_intx();
}

void PciDevice::drive_intx() {
    u16 status = static_cast<u16>(config(status_register, 2)) & ~status_interrupt;
    set_config(status_register, 2, intx_level_ ? status | status_interrupt : status);
    intx_.set(intx_level_ && !(config(command_register, 2) & command_interrupt_disable));
}

void PciDevice::bar_changed(u8, std::optional<u32>) {}
void PciDevice::config_written(u8, u8) {}
void PciDevice::config_replaced() {}

void PciDevice::reset() {
    config_ = initial_;
    set_intx(false);
    update_bars();
    config_replaced();
}

void PciDevice::serialize(Archive& a) {
    a.section("pci function", 1);
    a(config_, intx_level_);
    if (!a.loading()) return;
    drive_intx();
    update_bars();
    config_replaced();
}

PciBus::PciBus(Bus& ports, Log& log, ResetControl reset_control) : log_{log}, reset_control_{std::move(reset_control)} {
    ports.claim("pci", first_port, port_count, *this);
}

void PciBus::attach(u8 slot, u8 function, PciDevice& device) {
    check(slot < 32 && function < 8, "PCI slot or function out of range");
    bool added = devices_.emplace(static_cast<u8>(slot << 3 | function), &device).second;
    check(added, "two PCI functions in one place");
}

// |31 enable|30..24 0|23..16 bus|15..11 slot|10..8 function|7..2 dword|1..0 0|
PciDevice* PciBus::addressed() const {
    if (!(address_ & config_enable) || ((address_ >> 16) & 0xFF) != 0) return nullptr;
    auto at = devices_.find((address_ >> 8) & 0xFF);
    return at == devices_.end() ? nullptr : at->second;
}

// An access over the end of a dword is two on the bus. The lower one is never the whole address, nor the reset control.
u32 PciBus::read(u32 offset, u8 size) {
    if (offset == 1 && size == 1) return reset_control_.read ? reset_control_.read() : 0xFF;
    if (offset == 0 && size == 4) return address_;
    if (offset < 4 && offset + size > 4) {
        u32 value = open_bus(size);
        for (u32 i = 4 - offset; i < size; ++i) value ^= (read(offset + i, 1) ^ 0xFF) << (8 * i);
        return value;
    }
    if (offset < 4) return open_bus(size);
    PciDevice* device = addressed();
    return device ? device->read_config((address_ & 0xFC) + (offset - 4), size) : open_bus(size);
}

void PciBus::write(u32 offset, u8 size, u32 value) {
    if (offset == 1 && size == 1) {
        if (reset_control_.write) reset_control_.write(static_cast<u8>(value));
    } else if (offset == 0 && size == 4) {
        address_ = value & 0x80FF'FFFC;
    } else if (offset < 4 && offset + size > 4) {
        for (u32 i = 4 - offset; i < size; ++i) write(offset + i, 1, value >> (8 * i) & 0xFF);
    } else if (offset < 4) {
        log_.once(Topic::Pci, "write of {} bytes to port {:x}h does nothing", size, first_port + offset);
    } else if (PciDevice* device = addressed()) {
        device->write_config((address_ & 0xFC) + (offset - 4), size, value);
    }
}

void PciBus::serialize(Archive& a) {
    a.section(name(), 1);
    a(address_);
}

}  // namespace vellum
