// PCI configuration space: mechanism 1 at CF8h/CFCh, and the 256 bytes that every function has (PCI Local Bus
// Specification 2.1, chapters 3.2.2.3.2 and 6). One bus, no bridges to others.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>

#include "base/log.hpp"
#include "devices/bus.hpp"
#include "devices/device.hpp"
#include "devices/irq_line.hpp"

namespace vellum {

struct PciIdentity {
    u16 vendor, device;
    u8 revision;
    u32 class_code;  // class << 16 | subclass << 8 | programming interface
    u16 subsystem_vendor = 0, subsystem = 0;
};

// One function. A derived chip gives its registers initial values and write masks in its constructor; the base
// answers configuration cycles, sizes BARs and tells where they are decoded.
class PciDevice : public Device {
 public:
    static constexpr u8 rom_index = 6;  // of the expansion ROM, beside BARs 0-5

    // `offset + size` never passes the end of a dword, as on the bus.
    virtual u32 read_config(u8 offset, u8 size);
    void write_config(u8 offset, u8 size, u32 value);

    void reset() override;
    void serialize(Archive&) override;

 protected:
    PciDevice(const PciIdentity&, IrqLine intx);

    enum class BarKind : u8 { None, Io, Memory, PrefetchableMemory };
    // `size` is a power of two, at least 4 (I/O) or 16 (memory). The ROM BAR is at index 6.
    void define_bar(u8 index, BarKind, u32 size);
    // A register that holds `value` after reset and of which the guest may write the bits of `write_mask`.
    void define(u8 offset, u8 size, u32 value, u32 write_mask = 0);
    void define_interrupt_pin(u8 pin) { define(0x3D, 1, pin); }  // 1 is INTA

    u32 config(u8 offset, u8 size) const;
    // For what the chip itself changes; write masks do not apply.
    void set_config(u8 offset, u8 size, u32 value);
    bool bus_master_enabled() const { return config(0x04, 2) & 4; }
    void set_intx(bool level);

    // A BAR now answers at `base` (I/O or memory address), or nowhere.
    virtual void bar_changed(u8 index, std::optional<u32> base);
    // The guest has written these bytes; they already hold their new values.
    virtual void config_written(u8 offset, u8 size);
    // All registers have new values at once (reset, load).
    virtual void config_replaced();

 private:
    struct Bar {
        BarKind kind = BarKind::None;
        u32 size = 0;
        std::optional<u32> base;  // where it answers now
    };
    static u8 bar_offset(u8 index) { return index == rom_index ? 0x30 : static_cast<u8>(0x10 + 4 * index); }
    std::optional<u32> decoded_base(u8 index) const;
    void update_bars();
    void drive_intx();

    std::array<u8, 256> config_{}, initial_{}, write_mask_{}, clear_mask_{};
    std::array<Bar, 7> bars_{};
    IrqLine intx_;
    bool intx_level_ = false;
};

// Ports CF8h-CFFh. A one-byte access to CF9h is the reset control register, which the machine keeps.
class PciBus final : public Device, public BusTarget {
 public:
    static constexpr u16 first_port = 0xCF8, port_count = 8, reset_port = 0xCF9;

    struct ResetControl {
        std::function<u8()> read;
        std::function<void(u8)> write;
    };
    PciBus(Bus& ports, Log& log, ResetControl reset_control);

    // Two functions in one place are a wiring mistake.
    void attach(u8 slot, u8 function, PciDevice& device);

    std::string_view name() const override { return "pci"; }
    void reset() override { address_ = 0; }
    void serialize(Archive&) override;
    u32 read(u32 offset, u8 size) override;
    void write(u32 offset, u8 size, u32 value) override;

 private:
    PciDevice* addressed() const;

    Log& log_;
    ResetControl reset_control_;
    std::map<u8, PciDevice*> devices_;  // by slot << 3 | function
    u32 address_ = 0;
};

}  // namespace vellum
