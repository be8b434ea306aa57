// A whole small machine around a piece, on any engine: paging on, tables and handlers in supervisor pages, the piece's
// own pages as the oracle has them. Every exception ends in a handler of one HLT.
#pragma once

#include <algorithm>
#include <array>
#include <optional>

#include "cpu/decoder.hpp"
#include "oracle/piece.hpp"
#include "support/test_machine.hpp"

namespace vellum::test {

class PieceMachine : public TestMachine {
 public:
    // Numbers of the physical pages that CR3 and the piece's directory entry lead to.
    static constexpr u32 directory_page = 1, table_page = 2;

    PieceMachine(OracleMode mode, u8 cpl, const EngineFactory& make);

    // Ready to run the piece, whose code_pages() are `code`. What earlier pieces left in translations and windows
    // stays.
    void load(const Piece& piece, std::span<const u8> code, const PieceMemory& content);
    // A machine as new: page tables without A and D, the engine told. True: a page was changed that no mapping leads
    // to, which only pieces may do that have mappings of their own or none.
    bool begin_again();
    // The tables of the other machine, which ran the same pieces but for the last one. True: as begin_again().
    bool take_tables_of(const PieceMachine& other);

    // Are control registers not what load() makes them? Then begin_again() comes first.
    bool control_changed() const;
    // The exception that halted the machine at CPL 3, and the registers that it found; nullopt: none.
    struct End {
        OracleEnd how;
        OracleState registers;
    };
    std::optional<End> end() const;
    // The one that the engine would execute now; an empty one when its bytes cannot be read or decoded.
    Instruction next_instruction(Decoder& decoder);

    // The page of the piece that has this address on the host.
    std::span<const u8> piece_page(u32 layout_address) const;
    // Of an address in the piece's pages.
    std::optional<Physical> physical(u32 linear) const;
    std::span<const u8> ram() const { return ram_; }
    std::span<const u8> page(u32 number) const { return ram().subspan(u64{number} * page_size, page_size); }
    // Numbers of the physical pages that the page tables lead to.
    std::span<const u32> mapped_pages() const { return mapped_pages_; }

 private:
    void build_tables();
    void build_interrupt_vectors();
    u32 linear_of(u32 layout_address) const;
    bool poke_changes(Physical at, std::span<const u8> bytes);
    void put_range(u32 linear, std::span<const u8> bytes);
    bool restore_tables(std::span<const u8> from);
    bool is_mapped(u32 page) const { return std::ranges::find(mapped_pages_, page) != mapped_pages_.end(); }

    OracleMode mode_;
    u8 cpl_;
    CpuState fresh_;
    std::span<const u8> ram_;
    std::vector<u8> fresh_ram_;
    std::vector<u32> mapped_pages_;
    // By linear page, counted from the code: the number of the physical one, or 0.
    static constexpr u32 linear_pages =
        (OracleLayout::stack + OracleLayout::stack_bytes - OracleLayout::code) >> page_shift;
    std::array<u8, linear_pages> pages_of_piece_{};
    bool is_fresh_ = false;  // begin_again() has nothing to do
};

}  // namespace vellum::test
