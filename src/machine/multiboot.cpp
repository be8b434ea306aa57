// Laying out Multiboot 1 kernels (Multiboot Specification 0.6.96), ELF32 or the address fields of the header, and
// modules.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/host_error.hpp"
#include "machine/boot_plan.hpp"

namespace vellum {

namespace {

constexpr u32 magic = 0x1BADB002, searched = 8192;
// The loader must know each of the lower 16 flags. Modules are aligned (0) and memory is described (1) for everybody. A
// kernel that would like a screen mode (2) finds no video information and keeps the text mode that the firmware set.
constexpr u32 flag_addresses = 0x10000, flags_unknown = 0xFFF8;
// Where a kernel may lie below 1 MiB: clear of what the firmware keeps there until the loader has asked it for the
// memory map, and of the loader's work area at 90000h, behind which come the structures for the kernel.
constexpr u32 low_begin = 0x1000, low_end = 0x90000, high_begin = 0x100000;
constexpr u32 information_address = 0x91000, information_bytes = 0x100, loader_name_offset = 0xF0,
              map_address = 0x91400, text_address = 0x92000, module_list_address = 0x93000, module_list_end = 0x9A000;
constexpr u32 most_text = module_list_address - text_address, module_entry_bytes = 16;

// What the information structure has (3.3, "Boot information format"), and where.
namespace information {
constexpr u32 has_memory = 1, has_command_line = 4, has_modules = 8, has_map = 0x40, has_loader_name = 0x200;
constexpr std::size_t command_line = 16, module_count = 20, module_list = 24, loader_name = 64;
}  // namespace information

u32 word(std::span<const u8> bytes, std::size_t at) {
    u32 value = 0;
    if (at + 4 <= bytes.size()) std::memcpy(&value, bytes.data() + at, 4);
    return value;
}
u16 half(std::span<const u8> bytes, std::size_t at) { return static_cast<u16>(word(bytes, at)); }

std::optional<std::size_t> find_header(std::span<const u8> kernel) {
    for (std::size_t at = 0; at + 12 <= std::min<std::size_t>(kernel.size(), searched); at += 4)
        if (word(kernel, at) == magic && word(kernel, at) + word(kernel, at + 4) + word(kernel, at + 8) == 0) return at;
    return std::nullopt;
}

[[noreturn]] void refuse(const std::string& name, std::string_view why) {
    throw UsageError(fmt::format("--kernel {}: {}", name, why));
}

void add_piece(BootPlan& plan, const std::string& name, std::span<const u8> kernel, u64 offset, u64 file_bytes,
               u64 memory_size, u64 address, u64 limit) {
    if (file_bytes > memory_size || offset > kernel.size() || file_bytes > kernel.size() - offset)
        refuse(name, "truncated, a segment lies outside the file");
    u64 end = address + memory_size;
    bool low = address >= low_begin && end <= low_end;
    if (!low && address < high_begin)
        refuse(name, fmt::format("a segment at {:#x} does not fit; below 1 MiB, {:#x} to {:#x} are free", address,
                                 low_begin, low_end));
    if (!low && end > limit)
        refuse(name, fmt::format("a segment at {:#x} does not fit into memory; give more with -m", address));
    std::vector<u8> bytes(kernel.begin() + static_cast<std::ptrdiff_t>(offset),
                          kernel.begin() + static_cast<std::ptrdiff_t>(offset + file_bytes));
    bytes.resize(memory_size);
    plan.items.push_back({static_cast<u32>(address), std::move(bytes)});
}

u64 take_elf(BootPlan& plan, const std::string& name, std::span<const u8> kernel, u64 limit) {
    constexpr u8 class_64 = 2;  // e_ident[EI_CLASS]
    if (kernel[4] == class_64) refuse(name, "a 64-bit ELF file; Multiboot loads 32-bit ones");
    u32 table = word(kernel, 28);
    u16 entry_bytes = half(kernel, 42), count = half(kernel, 44);
    if (entry_bytes < 32 || u64{table} + u64{entry_bytes} * count > kernel.size()) refuse(name, "broken ELF file");
    plan.entry = word(kernel, 24);
    u64 end = 0, room = high_begin + limit;
    for (u16 i = 0; i < count; ++i) {
        std::size_t at = table + std::size_t{entry_bytes} * i;
        if (word(kernel, at) != 1 || word(kernel, at + 20) == 0) continue;  // PT_LOAD with bytes in memory
        if (plan.items.size() >= 12) refuse(name, "more than 12 segments");
        u64 virtual_address = word(kernel, at + 8), physical = word(kernel, at + 12), size = word(kernel, at + 20);
        if (plan.entry >= virtual_address && plan.entry < virtual_address + size && physical != virtual_address &&
            !(plan.entry >= physical && plan.entry < physical + size))
            plan.entry = static_cast<u32>(plan.entry - virtual_address + physical);
        add_piece(plan, name, kernel, word(kernel, at + 4), word(kernel, at + 16), size, physical, limit);
        if (size > room) refuse(name, "its segments do not fit into memory together; give more with -m");
        room -= size;
        end = std::max(end, physical + size);
    }
    if (plan.items.empty()) refuse(name, "the ELF file has nothing to load");
    return end;
}

u64 take_addresses(BootPlan& plan, const std::string& name, std::span<const u8> kernel, std::size_t header, u64 limit) {
    u32 header_address = word(kernel, header + 12), load = word(kernel, header + 16);
    u32 load_end = word(kernel, header + 20), bss_end = word(kernel, header + 24);
    if (load > header_address || header_address - load > header) refuse(name, "broken Multiboot header");
    u64 offset = header - (header_address - load);
    u64 file_bytes = load_end ? u64{load_end} - load : kernel.size() - offset;
    if (load_end && load_end < load) refuse(name, "broken Multiboot header");
    u64 memory_size = std::max<u64>(file_bytes, bss_end > load ? bss_end - load : 0);
    plan.entry = word(kernel, header + 28);
    add_piece(plan, name, kernel, offset, file_bytes, memory_size, load, limit);
    return load + memory_size;
}

void put(std::vector<u8>& bytes, std::size_t at, u32 value) { std::memcpy(bytes.data() + at, &value, 4); }
void append_string(std::vector<u8>& bytes, std::string_view text) {
    bytes.insert(bytes.end(), text.begin(), text.end());
    bytes.push_back(0);
}
u64 page_end(u64 address) { return (address + page_offset_mask) & ~u64{page_offset_mask}; }

// One item holds all modules, each from the begin of a page on; another their list with the strings behind it.
void add_modules(BootPlan& plan, std::vector<BootModule> modules, u64 address, u64 limit) {
    u64 size = 0;
    for (const BootModule& module : modules) size = page_end(size) + module.bytes.size();
    if (address + size > limit) throw UsageError("--initrd: does not fit beside the kernel; give more memory with -m");
    std::vector<u8> contents, list(modules.size() * module_entry_bytes);
    contents.reserve(size);
    for (std::size_t i = 0; i < modules.size(); ++i) {
        auto& [words, bytes] = modules[i];
        contents.resize(page_end(contents.size()));
        u32 fields[] = {static_cast<u32>(address + contents.size()),
                        static_cast<u32>(address + contents.size() + bytes.size()),
                        static_cast<u32>(module_list_address + list.size()), 0};
        std::memcpy(list.data() + i * module_entry_bytes, fields, sizeof fields);
        contents.insert(contents.end(), bytes.begin(), bytes.end());
        append_string(list, words);
        bytes = {};
    }
    if (list.size() > module_list_end - module_list_address)
        throw UsageError("--initrd: too many modules, or too long words for them");
    if (!contents.empty()) plan.items.push_back({static_cast<u32>(address), std::move(contents)});
    plan.items.push_back({module_list_address, std::move(list)});
}

}  // namespace

bool is_multiboot(std::span<const u8> kernel) { return find_header(kernel).has_value(); }

std::vector<std::string> split_modules(std::string_view text) {
    std::vector<std::string> modules;
    for (std::size_t at = 0; at < text.size(); ++at) {
        std::string& words = modules.emplace_back();
        for (; at < text.size(); ++at) {
            if (text[at] == ',' && text.substr(at + 1, 1) != ",") break;
            if (text[at] == ',') ++at;
            words += text[at];
        }
    }
    return modules;
}

BootPlan plan_multiboot(const std::string& name, std::span<const u8> kernel, std::vector<BootModule> modules,
                        const std::string& append, u64 memory_bytes) {
    auto header = find_header(kernel);
    if (!header) refuse(name, "no Multiboot kernel");
    u32 flags = word(kernel, *header + 4);
    if (flags & flags_unknown) refuse(name, "its Multiboot header asks for something unknown");
    if (append.size() + name.size() + 2 > most_text) throw UsageError("--append: too long for a Multiboot kernel");

    BootPlan plan;
    plan.kind = BootPlan::Kind::Multiboot;
    plan.information_address = information_address;
    plan.map_address = map_address;
    constexpr u64 firmware_tables = 0x100000;
    u64 limit = memory_bytes > firmware_tables ? memory_bytes - firmware_tables : 0;
    u64 end = flags & flag_addresses          ? take_addresses(plan, name, kernel, *header, limit)
              : word(kernel, 0) == 0x464C457F ? take_elf(plan, name, kernel, limit)
                                              : (refuse(name, "no ELF file and no load addresses"), 0);

    std::vector<u8> structure(information_bytes);
    u32 has = information::has_memory | information::has_command_line | information::has_map |
              information::has_loader_name | (modules.empty() ? 0 : information::has_modules);
    put(structure, 0, has);
    put(structure, information::command_line, text_address);
    put(structure, information::loader_name, information_address + loader_name_offset);
    std::memcpy(structure.data() + loader_name_offset, "Vellum", 7);
    if (!modules.empty()) {
        put(structure, information::module_count, static_cast<u32>(modules.size()));
        put(structure, information::module_list, module_list_address);
        add_modules(plan, std::move(modules), std::max<u64>(page_end(end), high_begin), limit);
    }
    std::vector<u8> command_line;
    append_string(command_line, append.empty() ? name : name + " " + append);
    plan.items.push_back({text_address, std::move(command_line)});
    plan.items.push_back({information_address, std::move(structure)});
    return plan;
}

}  // namespace vellum
