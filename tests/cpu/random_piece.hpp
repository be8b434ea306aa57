// Random short pieces of user code, and random registers and memory to run them on; the same for the same seed.
#pragma once

#include <random>
#include <string_view>
#include <vector>

#include "cpu/decoder.hpp"
#include "support/host_oracle.hpp"

namespace vellum::test {

struct PieceMemory {
    std::vector<u8> data = std::vector<u8>(OracleLayout::data_bytes);
    std::vector<u8> stack = std::vector<u8>(OracleLayout::stack_bytes);
};

class RandomPieces {
 public:
    enum class Kind : u8 { Integer, X87, Simd };

    RandomPieces(OracleMode mode, u64 seed) : mode_{mode}, random_{seed} {}

    std::vector<u8> piece(Kind kind, u32 instructions);
    // One instruction; `alone`: it may leave flags of its own.
    std::vector<u8> instruction(Kind kind, bool alone);
    OracleState registers();
    PieceMemory memory();

    u64 any() { return random_(); }
    u32 below(u32 n) { return static_cast<u32>(random_() % n); }
    bool chance(u32 percent) { return below(100) < percent; }
    bool narrow() const { return has_narrow_code(mode_); }
    u32 code_address(u32 offset) const { return has_flat_code(mode_) ? OracleLayout::code + offset : offset; }
    u32 data_address(u32 offset) const { return has_flat_data(mode_) ? OracleLayout::data + offset : offset; }
    u32 stack_address(u32 offset) const { return has_flat_stack(mode_) ? OracleLayout::stack + offset : offset; }

 private:
    u32 other_address_size() const;
    u32 interesting();
    u64 floating(u32 bytes);
    void append_narrow_modrm(std::vector<u8>& out, u8 modrm);
    void append_modrm(std::vector<u8>& out, u8 modrm);
    bool try_instruction(Kind kind, bool alone, std::vector<u8>& out);

    OracleMode mode_;
    std::mt19937_64 random_;
    Decoder decoder_{host_features()};
};

// In a few words; empty: it may run.
std::string_view why_not_in_piece(const Instruction& in);
// May it run in a piece: not what tells of the host's tables, changes selectors, or leaves for another program.
bool may_run_in_piece(const Instruction& in);

// The decimal adjustments do not exist in 64-bit mode, so no engine has the host's undefined flags for them.
bool leaves_flags_of_its_own(Mnemonic mnemonic);

}  // namespace vellum::test
