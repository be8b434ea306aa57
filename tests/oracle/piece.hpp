// A piece: instructions that know where they branch to, so that a shorter piece is still a piece.
#pragma once

#include <string>
#include <vector>

#include "cpu/random_piece.hpp"
#include "support/host_oracle.hpp"

namespace vellum::test {

struct PieceItem {
    enum class Link : u8 { None, Relative, Absolute };
    std::vector<u8> bytes;
    Link link = Link::None;
    u8 link_bytes = 0;  // at the end of `bytes`: a displacement, or an offset in CS
    u32 target = 0;     // number of the item that is meant; the number of items: behind the last one
};

struct Piece {
    OracleMode mode = OracleMode::Flat32;
    u8 cpl = 3;
    bool for_host = true;  // false: has instructions that change or tell of the system
    u32 start = 0;         // offset of the first byte in the code pages
    std::vector<PieceItem> items;
    OracleState registers;

    u32 offset_of(u32 item) const;  // in the code pages
    u32 bytes() const { return offset_of(static_cast<u32>(items.size())) - start; }
    std::vector<u8> code_pages() const;  // INT3 all around
    void remove(u32 item);
    std::string listing() const;
};

}  // namespace vellum::test
