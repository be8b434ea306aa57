// Direct boot: what roms/boot_loader.S is to put where in guest memory, and how it enters the kernel.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.hpp"

namespace vellum {

struct BootItem {
    u32 address;  // guest physical
    std::vector<u8> bytes;
    bool operator==(const BootItem&) const = default;
};

struct BootPlan {
    enum class Kind : u16 { Linux = 0, Multiboot = 1 };
    Kind kind = Kind::Linux;
    u16 setup_segment = 0;        // Linux
    u32 entry = 0;                // Multiboot
    u32 information_address = 0;  // Multiboot: the loader fills in memory sizes and the map
    u32 map_address = 0;
    std::vector<BootItem> items;  // at most 16
    bool operator==(const BootPlan&) const = default;
};

// fw_cfg keys: the plan, and its items from the next key on.
constexpr u16 boot_plan_key = 0x8100;

// The bytes under boot_plan_key, in the layout that the boot loader reads.
std::vector<u8> encode(const BootPlan& plan);

// A file for a Multiboot kernel.
struct BootModule {
    std::string words;  // its string: the file's name first, then whatever the kernel is to know of it
    std::vector<u8> bytes;
};

// Reads `kernel` (bzImage or Multiboot 1) and `initrd` and lays them out for `memory_bytes` of RAM. For a bzImage
// `initrd` is one file's name, for a Multiboot kernel what split_modules() takes. Throws UsageError that names the file
// when it is missing, truncated, no kernel, or does not fit.
BootPlan plan_boot(const std::string& kernel, const std::string& initrd, const std::string& append, u64 memory_bytes);

// The same for a kernel already in memory; `name` stands for it in messages.
BootPlan plan_linux(const std::string& name, std::span<const u8> kernel, std::vector<u8> initrd,
                    const std::string& append, u64 memory_bytes);
BootPlan plan_multiboot(const std::string& name, std::span<const u8> kernel, std::vector<BootModule> modules,
                        const std::string& append, u64 memory_bytes);
bool is_multiboot(std::span<const u8> kernel);

// The words of each module in `text`: a comma comes between two modules, two commas are one in a name.
std::vector<std::string> split_modules(std::string_view text);

// A whole file of at most `most` bytes. Throws UsageError naming `option` and the path.
std::vector<u8> read_input_file(const std::string& option, const std::string& path, u64 most);

}  // namespace vellum
