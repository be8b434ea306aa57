// Assembling and listing.
#include "oracle/piece.hpp"

#include <Zydis/Zydis.h>
#include <fmt/format.h>

#include <algorithm>

#include "oracle/piece_rules.hpp"

namespace vellum::test {

u32 Piece::offset_of(u32 item) const {
    u32 at = start;
    for (u32 i = 0; i < item; ++i) at += static_cast<u32>(items[i].bytes.size());
    return at;
}

std::vector<u8> Piece::code_pages() const {
    std::vector<u8> code(OracleLayout::code_bytes, 0xCC);
    u32 base = has_flat_code(mode) ? OracleLayout::code : 0, at = start;
    for (const PieceItem& item : items) {
        u32 end = at + static_cast<u32>(item.bytes.size());
        std::copy(item.bytes.begin(), item.bytes.end(), code.begin() + at);
        u32 value = offset_of(item.target);
        value = item.link == PieceItem::Link::Relative ? value - end : value + base;
        bool too_far = item.link_bytes == 1 && static_cast<i32>(value) != static_cast<i8>(value);
        if (too_far) value = 0;
        for (u32 i = 0; i < item.link_bytes; ++i) code[end - item.link_bytes + i] = static_cast<u8>(value >> 8 * i);
        at = end;
    }
    return code;
}

void Piece::remove(u32 item) {
    items.erase(items.begin() + item);
    for (PieceItem& other : items)
        if (other.target > item) --other.target;
}

std::string Piece::listing() const {
    std::vector<u8> code = code_pages();
    u32 base = has_flat_code(mode) ? OracleLayout::code : 0, at = start;
    auto machine = has_narrow_code(mode) ? ZYDIS_MACHINE_MODE_LEGACY_16 : ZYDIS_MACHINE_MODE_LEGACY_32;
    std::string text;
    for (u32 end = at + bytes(), length = 0; at < end; at += length) {
        ZydisDisassembledInstruction z;
        bool known = ZYAN_SUCCESS(ZydisDisassembleIntel(machine, base + at, &code[at], end - at, &z));
        length = known ? z.info.length : 1;
        text += fmt::format("    {:08x}  {:<36} {}\n", base + at, hex(std::span{code}.subspan(at, length)),
                            known ? z.text : "?");
    }
    return text;
}

}  // namespace vellum::test
