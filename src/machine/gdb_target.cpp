// Memory page by page, and the few commands.
#include "machine/gdb_target.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "machine/gdb_packet.hpp"

namespace vellum {

std::vector<u8> GdbTarget::read_memory(u32 address, u32 bytes) {
    std::vector<u8> result;
    while (result.size() < bytes) {
        Linear at{static_cast<u32>(address + result.size())};
        auto physical = cpu().mmu.look_up(at);
        if (!physical || !cpu().memory.read_pointer(page_of(*physical))) break;
        std::size_t piece = std::min<std::size_t>(bytes - result.size(), page_size - offset_in_page(at));
        result.resize(result.size() + piece);
        cpu().memory.read(*physical, std::span{result}.last(piece));
    }
    return result;
}

bool GdbTarget::write_memory(u32 address, std::span<const u8> bytes) {
    struct Piece {
        Physical at;
        std::span<const u8> bytes;
    };
    std::vector<Piece> pieces;
    while (!bytes.empty()) {
        auto physical = cpu().mmu.look_up(Linear{address});
        if (!physical || !cpu().memory.writable(page_of(*physical))) return false;
        std::size_t size = std::min<std::size_t>(bytes.size(), page_size - (address & page_offset_mask));
        pieces.push_back({*physical, bytes.first(size)});
        bytes = bytes.subspan(size);
        address += static_cast<u32>(size);
    }
    for (const Piece& piece : pieces) cpu().memory.write(piece.at, piece.bytes);
    return true;
}

std::string GdbTarget::registers() {
    constexpr const char* names[6] = {"es", "cs", "ss", "ds", "fs", "gs"};
    const CpuState& s = cpu().state;
    std::string text = fmt::format("eip {:08x}  eflags {:08x}  cpl {}  {}\n", s.eip, s.eflags, s.cpl,
                                   s.activity == Activity::Halted ? "halted" : "running");
    auto line = [&text](const char* name, const Segment& g) {
        text += fmt::format("{:<4} {:04x}  base {:08x}  limit {:08x}  access {:04x}\n", name, g.selector, g.base,
                            g.limit, g.access);
    };
    for (int i = 0; i < 6; ++i) line(names[i], s.seg[i]);
    line("ldtr", s.ldtr);
    line("tr", s.tr);
    text += fmt::format("gdtr base {:08x}  limit {:04x}\nidtr base {:08x}  limit {:04x}\n", s.gdtr.base, s.gdtr.limit,
                        s.idtr.base, s.idtr.limit);
    text +=
        fmt::format("cr0 {:08x}  cr2 {:08x}  cr3 {:08x}  cr4 {:08x}  efer {:x}\n", s.cr0, s.cr2, s.cr3, s.cr4, s.efer);
    text += fmt::format("dr0 {:08x}  dr1 {:08x}  dr2 {:08x}  dr3 {:08x}  dr6 {:08x}  dr7 {:08x}\n", s.dr[0], s.dr[1],
                        s.dr[2], s.dr[3], s.dr[6], s.dr[7]);
    return text;
}

// What a linear address leads to.
std::string GdbTarget::describe(std::string_view text) {
    if (text.starts_with("0x")) text.remove_prefix(2);
    auto address = parse_hex_number(text);
    if (!address || *address >> 32) return "page ADDRESS: give a linear address in hexadecimal\n";
    auto physical = cpu().mmu.look_up(Linear{*address});
    if (!physical) return fmt::format("{:08x}: not mapped\n", *address);
    bool memory = cpu().memory.read_pointer(page_of(*physical)) != nullptr;
    const char* what = !memory ? "a device" : cpu().memory.writable(page_of(*physical)) ? "RAM" : "ROM";
    return fmt::format("{:08x}: physical {:08x}, {}\n", *address, raw(*physical), what);
}

std::string GdbTarget::monitor(std::string_view command) {
    while (command.ends_with(' ')) command.remove_suffix(1);
    if (command == "info registers" || command == "info") return registers();
    if (command.starts_with("page ")) return describe(command.substr(5));
    if (command == "reset") {
        machine_.press_reset();
        return "";
    }
    std::string help =
        "help            this text\n"
        "info registers  with hidden parts of segments, tables and control registers\n"
        "page ADDRESS    what a linear address (hexadecimal) leads to\n"
        "reset           the reset button; the machine stays stopped\n";
    if (command == "help" || command.empty()) return help;
    return fmt::format("{}: unknown command; there are\n{}", command, help);
}

}  // namespace vellum
