// A whole small machine around a piece, on any engine: paging on, tables and handlers in supervisor pages, the piece's
// own pages as the oracle has them. Every exception ends in a handler of one HLT.
#pragma once

#include <optional>

#include "oracle/piece.hpp"
#include "support/test_machine.hpp"

namespace vellum::test {

class PieceMachine : public TestMachine {
 public:
    PieceMachine(OracleMode mode, u8 cpl, const EngineFactory& make);

    // Ready to run the piece. What earlier pieces left in translations and windows stays.
    void load(const Piece& piece, const PieceMemory& content);
    // A machine as new: page tables without A and D, the engine told.
    void begin_again();

    // Are control registers not what load() makes them? Then begin_again() comes first.
    bool control_changed() const;
    // The exception that halted the machine at CPL 3, and the registers that it found; nullopt: none.
    struct End {
        OracleEnd how;
        OracleState registers;
    };
    std::optional<End> end() const;

    std::vector<u8> code() const { return range(OracleLayout::code, OracleLayout::code_bytes); }
    std::vector<u8> data() const { return range(OracleLayout::data, OracleLayout::data_bytes); }
    std::vector<u8> stack() const { return range(OracleLayout::stack, OracleLayout::stack_bytes); }
    // Of an address in the piece's pages.
    std::optional<Physical> physical(u32 linear) const;
    std::span<const u8> ram() { return memory.backing().bytes().first(ram_bytes); }

 private:
    void build_tables();
    void build_interrupt_vectors();
    u32 linear_of(u32 layout_address) const;
    void poke_if_changed(Physical at, std::span<const u8> bytes);
    void put_range(u32 linear, std::span<const u8> bytes);
    std::vector<u8> range(u32 linear, u32 bytes) const;

    OracleMode mode_;
    u8 cpl_;
    CpuState fresh_;
    std::vector<u8> fresh_ram_;
};

}  // namespace vellum::test
