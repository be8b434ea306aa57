// Laying out kernels: Linux/x86 boot protocol (Documentation/x86/boot.rst), and the choice between formats.
#include "machine/boot_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/check.hpp"
#include "base/host_error.hpp"

namespace vellum {

namespace {

constexpr u32 setup_address = 0x10000, command_line_address = 0x20000, kernel_address = 0x100000;
constexpr u32 heap_end = 0xE000, longest_setup = 0x8000;  // the protocol's own limit is 32 KiB
constexpr u64 firmware_tables = 0x100000;                 // SeaBIOS keeps ACPI tables and buffers at the top of RAM
constexpr std::size_t most_items = 16;

// Offsets in the set-up header.
namespace header {
constexpr std::size_t setup_sectors = 0x1F1, paragraphs = 0x1F4, magic = 0x202, version = 0x206, loader = 0x210,
                      load_flags = 0x211, initrd_address = 0x218, initrd_size = 0x21C, heap_end_pointer = 0x224,
                      command_line = 0x228, initrd_limit = 0x22C, command_line_size = 0x238, init_size = 0x260;
}

u32 get32(std::span<const u8> bytes, std::size_t at) {
    u32 value = 0;
    std::memcpy(&value, bytes.data() + at, 4);
    return value;
}
u16 get16(std::span<const u8> bytes, std::size_t at) {
    u16 value = 0;
    std::memcpy(&value, bytes.data() + at, 2);
    return value;
}
void put32(std::vector<u8>& bytes, std::size_t at, u32 value) { std::memcpy(bytes.data() + at, &value, 4); }
void append32(std::vector<u8>& bytes, u32 value) {
    bytes.resize(bytes.size() + 4);
    put32(bytes, bytes.size() - 4, value);
}

struct SetupParts {
    std::size_t setup_bytes;   // real-mode part
    std::size_t kernel_bytes;  // protected-mode part
    u16 version;
};

SetupParts check_bzimage(const std::string& name, std::span<const u8> kernel) {
    if (kernel.size() < 0x270 || get32(kernel, header::magic) != 0x53726448 /* HdrS */)
        throw UsageError(fmt::format("--kernel {}: neither a Linux bzImage nor a Multiboot kernel", name));
    u16 version = get16(kernel, header::version);
    if (version < 0x204)
        throw UsageError(fmt::format("--kernel {}: boot protocol {}.{:02} is too old; 2.04 is needed", name,
                                     version >> 8, version & 0xFF));
    u8 sectors = kernel[header::setup_sectors] ? kernel[header::setup_sectors] : 4;
    std::size_t setup_bytes = (sectors + 1u) * 512u;
    if (setup_bytes > longest_setup)
        throw UsageError(fmt::format("--kernel {}: its set-up part of {} bytes is longer than any", name, setup_bytes));
    if (!(kernel[header::load_flags] & 1))
        throw UsageError(fmt::format("--kernel {}: is a zImage, which loads low; use a bzImage", name));
    std::size_t kernel_bytes = std::size_t{get32(kernel, header::paragraphs)} * 16;
    // The last paragraph may be partly filled.
    if (kernel.size() < setup_bytes || kernel.size() - setup_bytes + 15 < kernel_bytes)
        throw UsageError(fmt::format("--kernel {}: truncated, it has {} bytes and its header wants {}", name,
                                     kernel.size(), setup_bytes + kernel_bytes));
    return {setup_bytes, kernel.size() - setup_bytes, version};
}

std::vector<BootModule> read_modules(const std::string& initrd, u64 room) {
    std::vector<BootModule> modules;
    for (std::string& words : split_modules(initrd)) {
        std::string file = words.substr(0, words.find(' '));
        if (file.empty()) throw UsageError(fmt::format("--initrd {}: a module without a file; name one", initrd));
        std::vector<u8> bytes = read_input_file("--initrd", file, room);
        room -= bytes.size();
        modules.push_back({std::move(words), std::move(bytes)});
    }
    return modules;
}

}  // namespace

std::vector<u8> read_input_file(const std::string& option, const std::string& path, u64 most) {
    namespace fs = std::filesystem;
    auto refuse = [&](const std::string& why) { throw UsageError(fmt::format("{} {}: {}", option, path, why)); };
    std::error_code trouble;
    fs::file_status status = fs::status(path, trouble);
    if (!fs::exists(status)) refuse(fmt::format("{}; name a readable file", trouble.message()));
    if (fs::is_directory(status)) refuse("is a directory; name a file");
    if (!fs::is_regular_file(status)) refuse("is not a regular file; name one");
    u64 size = fs::file_size(path, trouble);
    if (!trouble && size > most) refuse(fmt::format("its {} MiB do not fit into {} MiB; name a smaller file", size >> 20, most >> 20));
    std::ifstream file{path, std::ios::binary};
    if (!file) refuse(fmt::format("{}; name a readable file", std::strerror(errno)));
    std::vector<u8> bytes(trouble ? 0 : size);
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!file) refuse("cannot be read; name a readable file");
    return bytes;
}

std::vector<u8> encode(const BootPlan& plan) {
    check(plan.items.size() <= most_items, "a boot plan has at most 16 items");
    std::vector<u8> bytes;
    append32(bytes, static_cast<u32>(plan.items.size()) | static_cast<u32>(plan.kind) << 16);
    append32(bytes, plan.setup_segment);
    append32(bytes, plan.entry);
    append32(bytes, plan.information_address);
    append32(bytes, plan.map_address);
    u32 key = boot_plan_key + 1;
    for (const BootItem& item : plan.items) {
        append32(bytes, key++);
        append32(bytes, item.address);
        append32(bytes, static_cast<u32>(item.bytes.size()));
    }
    bytes.resize(20 + 12 * most_items);
    return bytes;
}

BootPlan plan_linux(const std::string& name, std::span<const u8> kernel, std::vector<u8> initrd,
                    const std::string& append, u64 memory_bytes) {
    SetupParts parts = check_bzimage(name, kernel);
    std::vector<u8> setup(kernel.begin(), kernel.begin() + static_cast<std::ptrdiff_t>(parts.setup_bytes));
    u64 init_bytes = parts.version >= 0x20A ? get32(kernel, header::init_size) : parts.kernel_bytes * 4;
    u64 kernel_end = kernel_address + std::max<u64>(init_bytes, parts.kernel_bytes);
    u64 usable_end = memory_bytes > firmware_tables ? memory_bytes - firmware_tables : 0;
    if (kernel_end > usable_end)
        throw UsageError(fmt::format("--kernel {}: needs {} MiB of memory; give more with -m", name,
                                     (kernel_end + firmware_tables + 0xFFFFF) >> 20));
    u32 longest = parts.version >= 0x206 ? get32(kernel, header::command_line_size) : 255;
    if (append.size() > std::min<u32>(longest, 0xFFFF))
        throw UsageError(fmt::format("--append: {} characters; this kernel takes {}", append.size(), longest));

    BootPlan plan;
    plan.setup_segment = setup_address >> 4;
    setup[header::loader] = 0xFF;       // a loader without a number of its own
    setup[header::load_flags] |= 0x80;  // CAN_USE_HEAP
    setup[header::heap_end_pointer] = heap_end & 0xFF;
    setup[header::heap_end_pointer + 1] = heap_end >> 8;
    put32(setup, header::command_line, command_line_address);
    if (!initrd.empty()) {
        u64 limit = std::min<u64>(u64{get32(kernel, header::initrd_limit)} + 1, usable_end);
        u64 address = limit > initrd.size() ? (limit - initrd.size()) & ~u64{page_offset_mask} : 0;
        if (address < kernel_end)
            throw UsageError(fmt::format("--initrd: {} MiB do not fit beside the kernel in {} MiB; give more with -m",
                                         initrd.size() >> 20, memory_bytes >> 20));
        put32(setup, header::initrd_address, static_cast<u32>(address));
        put32(setup, header::initrd_size, static_cast<u32>(initrd.size()));
        plan.items.push_back({static_cast<u32>(address), std::move(initrd)});
    }
    std::vector<u8> command_line(append.begin(), append.end());
    command_line.push_back(0);
    plan.items.push_back({command_line_address, std::move(command_line)});
    plan.items.push_back(
        {kernel_address, {kernel.begin() + static_cast<std::ptrdiff_t>(parts.setup_bytes), kernel.end()}});
    plan.items.push_back({setup_address, std::move(setup)});
    return plan;
}

BootPlan plan_boot(const std::string& kernel, const std::string& initrd, const std::string& append, u64 memory_bytes) {
    std::vector<u8> kernel_bytes = read_input_file("--kernel", kernel, memory_bytes);
    if (is_multiboot(kernel_bytes))
        return plan_multiboot(kernel, kernel_bytes, read_modules(initrd, memory_bytes), append, memory_bytes);
    std::vector<u8> initrd_bytes;
    if (!initrd.empty()) {
        initrd_bytes = read_input_file("--initrd", initrd, memory_bytes);
        if (initrd_bytes.empty())
            throw UsageError(fmt::format("--initrd {}: is empty; name an initial RAM disk", initrd));
    }
    return plan_linux(kernel, kernel_bytes, std::move(initrd_bytes), append, memory_bytes);
}

}  // namespace vellum
