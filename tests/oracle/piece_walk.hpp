// The interpreter's way through a piece, instruction by instruction: may the host go it too, what may differ there, and
// does the piece end?
#pragma once

#include <array>
#include <span>
#include <vector>

#include "oracle/piece_machine.hpp"
#include "oracle/piece_rules.hpp"

namespace vellum::test {

struct Walk {
    bool for_host = true;  // nothing on the way leads the host to pages that are not the piece's
    bool ends = false;     // within the steps that are granted
    Tolerance tolerance;
};

// A processor that is in the very state that it was in before, memory included, will be so for ever.
class EndlessLoop {
 public:
    void begin();
    // To be asked before each step.
    bool found(const CpuState& state, std::span<const u8> ram);

 private:
    bool same_registers(const CpuState& state);

    u64 step_ = 0, next_mark_ = 0;
    u32 looks_ = 0;  // at memory since the mark
    CpuState mark_;
    bool marked_ = false, has_ram_ = false;
    std::vector<u8> ram_;  // when the processor was in the marked state
};

class PieceWalker {
 public:
    explicit PieceWalker(PieceMachine& interp) : machine_{interp} {}

    Walk walk(bool for_host);

 private:
    // The bytes of the longest instruction at an address, as far as they lie in the piece's pages.
    struct Code {
        std::array<u8, 15> bytes{};
        u8 count = 0;
        bool operator==(const Code&) const = default;
    };
    // What follows from the bytes alone.
    struct Known {
        Code code;
        bool code32 = false;
        DecodeStatus status = DecodeStatus::NeedMoreBytes;
        Instruction in;
        bool may_run = false;
        bool begins_defined = false;  // NeedMoreBytes: with zeroes for what is missing it is an instruction
    };

    Code code_at(u32 linear) const;
    const Known& known(u32 linear, const Code& code);
    bool host_may_go_on(const Known& next, bool first, Tolerance& tolerance) const;

    bool may_be_fetched_again(const Known& done, u32 linear) const;

    PieceMachine& machine_;
    Decoder decoder_{host_features()};
    EndlessLoop endless_;
    std::array<Known, 256> known_;  // by the lowest bits of the address
};

}  // namespace vellum::test
