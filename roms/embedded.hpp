// The bytes of the guest programs in this folder, as the build embeds them.
#pragma once

#include <cstdint>
#include <span>

extern "C" {
extern const std::uint8_t vellum_rom_boot_loader[], vellum_rom_boot_loader_end[];
extern const std::uint8_t vellum_rom_demo[], vellum_rom_demo_end[];
extern const std::uint8_t vellum_rom_probes[], vellum_rom_probes_end[];
extern const std::uint8_t vellum_rom_screens[], vellum_rom_screens_end[];
}

namespace vellum::roms {

inline std::span<const std::uint8_t> boot_loader() { return {vellum_rom_boot_loader, vellum_rom_boot_loader_end}; }
// A Multiboot kernel: what runs when no guest is named.
inline std::span<const std::uint8_t> demo() { return {vellum_rom_demo, vellum_rom_demo_end}; }
// A Multiboot kernel that tries to leave the machine.
inline std::span<const std::uint8_t> probes() { return {vellum_rom_probes, vellum_rom_probes_end}; }
// A Multiboot kernel for tests of pictures.
inline std::span<const std::uint8_t> screens() { return {vellum_rom_screens, vellum_rom_screens_end}; }

}  // namespace vellum::roms
