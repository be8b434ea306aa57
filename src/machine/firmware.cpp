// Finding SeaBIOS, and preparing option ROMs.
#include "machine/firmware.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <numeric>

#include "base/check.hpp"
#include "base/host_error.hpp"
#include "roms/embedded.hpp"

namespace vellum {

namespace {

constexpr const char* default_bios = "/usr/share/seabios/bios-256k.bin";
constexpr const char* default_vga_bios = "/usr/share/seabios/vgabios-stdvga.bin";
constexpr std::size_t bios_granularity = 64 * 1024, largest_bios = 2 * 1024 * 1024, largest_vga_bios = 64 * 1024;

std::vector<u8> read_rom(const std::string& option, const std::string& given, const char* standard) {
    if (!given.empty()) return read_input_file(option, given, largest_bios);
    if (!std::filesystem::exists(standard))
        throw UsageError(
            fmt::format("{}: {} is not installed; install the package seabios or name a file", option, standard));
    return read_input_file(option, standard, largest_bios);
}

}  // namespace

std::vector<u8> boot_loader_rom() {
    auto bytes = roms::boot_loader();
    std::vector<u8> rom(bytes.begin(), bytes.end());
    check(rom.size() >= 3 && rom.size() == rom[2] * std::size_t{512}, "the boot loader says its own size");
    rom.back() = static_cast<u8>(rom.back() - std::accumulate(rom.begin(), rom.end(), 0u));
    return rom;
}

Firmware load_firmware(const MachineConfig& config) {
    Firmware firmware;
    firmware.bios = read_rom("--bios", config.bios, default_bios);
    if (firmware.bios.empty() || firmware.bios.size() % bios_granularity || firmware.bios.size() > largest_bios)
        throw UsageError(fmt::format("--bios {}: {} bytes; a firmware image is a multiple of 64 KiB up to 2 MiB",
                                     config.bios.empty() ? default_bios : config.bios, firmware.bios.size()));
    firmware.vga_bios = read_rom("--vga-bios", config.vga_bios, default_vga_bios);
    if (firmware.vga_bios.empty() || firmware.vga_bios.size() > largest_vga_bios)
        throw UsageError(fmt::format("--vga-bios {}: {} bytes; a video BIOS has up to 64 KiB",
                                     config.vga_bios.empty() ? default_vga_bios : config.vga_bios,
                                     firmware.vga_bios.size()));
    if (!config.kernel.empty())
        firmware.boot = plan_boot(config.kernel, config.initrd, config.append, config.memory_bytes);
    else if (config.embedded_guest)
        firmware.boot = plan_multiboot("demo", roms::demo(), {}, "", config.memory_bytes);
    return firmware;
}

}  // namespace vellum
