// Draws pieces of 1 to 40 instructions: anything the decoder accepts, between runs of pushes and pops, loops, calls and
// returns, indirect jumps, and whatever else translators are tempted to be clever about.
#pragma once

#include "oracle/piece.hpp"

namespace vellum::test {

class PieceWriter {
 public:
    PieceWriter(OracleMode mode, u8 cpl, u64 seed) : mode_{mode}, cpl_{cpl}, random_{mode, seed} {}

    Piece piece();

 private:
    using Link = PieceItem::Link;

    void add(std::vector<u8> bytes) { items_.push_back({std::move(bytes)}); }
    void add_link(std::vector<u8> bytes, Link link, u8 link_bytes, u32 target);
    void add_word(std::vector<u8> bytes, u32 value);  // an immediate of the operand size of the code
    u8 word_bytes() const { return random_.narrow() ? 2 : 4; }
    u8 any_byte() { return static_cast<u8>(random_.any()); }
    u32 somewhere() { return random_.below(length_ + 1); }
    u8 pointer_register();
    u32 pointer();

    void add_any();
    void add_sensitive();
    void add_pointer();
    void add_stack_run();
    void add_stack_arithmetic();
    void add_stack_operand();
    void add_flags();
    void add_branch();
    void add_loop();
    void add_call();
    void add_indirect();
    void add_string();
    void add_descent();
    void add_paging();
    void add_one();
    void place_registers(OracleState& state);

    OracleMode mode_;
    u8 cpl_;
    RandomPieces random_;
    std::vector<PieceItem> items_;
    u32 length_ = 0;
    bool for_host_ = true, changes_pages_ = false, global_pages_ = false;
};

}  // namespace vellum::test
