// The ROM images a board starts with, and what is handed to them through fw_cfg.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "machine/boot_plan.hpp"
#include "machine/config.hpp"

namespace vellum {

struct Firmware {
    std::vector<u8> bios;  // a multiple of 64 KiB, at most 2 MiB; ends at FFFFFFFFh
    std::vector<u8> vga_bios;
    std::optional<BootPlan> boot;  // direct boot
    bool operator==(const Firmware&) const = default;
};

// Reads the firmware and the kernel of `config`. Throws UsageError that names the file or the missing package.
Firmware load_firmware(const MachineConfig& config);

// The boot loader of roms/ as an option ROM, with its checksum set.
std::vector<u8> boot_loader_rom();

}  // namespace vellum
