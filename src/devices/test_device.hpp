// The device that kvm-unit-tests expect of a machine (QEMU's pc-testdev), as far as programs for one 32-bit processor use
// it: a register of four bytes at ports E0h-E3h, and 64 KiB of memory behind MMIO at FF000000h, so that instructions can
// be tried on operands that are no RAM. Ports E4h-E7h tell a hypervisor to forget a page that it has mapped: here that
// has nothing to do, since what translated code sees of memory always follows the guest's tables.
#pragma once

#include <array>
#include <vector>

#include "devices/bus_window.hpp"
#include "devices/device.hpp"

namespace vellum {

class TestDevice final : public Device {
 public:
    static constexpr u16 first_port = 0xE0, flush_port = 0xE4;
    static constexpr u32 memory_address = 0xFF000000, memory_bytes = 0x10000;

    TestDevice(Bus& ports, Bus& mmio);

    std::string_view name() const override { return "test device"; }
    void reset() override {}  // both memories outlive a reset, as RAM does
    void serialize(Archive& a) override;

 private:
    std::array<u8, 4> register_{};
    std::vector<u8> memory_ = std::vector<u8>(memory_bytes);
    BusWindow register_port_, flush_port_, window_;
};

}  // namespace vellum
