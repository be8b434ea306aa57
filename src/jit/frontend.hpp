// Reads guest code into a GuestBlock: fetch permissions, page limits, where a block ends, which flags live on.
#pragma once

#include <functional>
#include <optional>

#include "cpu/cpu.hpp"
#include "cpu/decoder.hpp"
#include "jit/block.hpp"

namespace vellum {

struct FrontendOptions {
    u32 most_instructions = 48;
    bool counting = false;         // repeated string instructions stand alone
    bool behind_branches = false;  // a block goes on where a conditional branch is not taken
    bool behind_calls = false;     // ... and where a call returns
};

class Frontend {
 public:
    Frontend(Cpu& cpu, FrontendOptions options) : cpu_{cpu}, options_{options} {}

    // The block at CS:EIP as the CPU is now, or false when there is none to translate: not fetchable, not memory, not
    // an instruction. `left_to_monitor` answers for the physical address of an instruction.
    bool read(BlockKey key, const CodeMode& mode, u32 eip, const std::function<bool(Physical)>& left_to_monitor,
              GuestBlock& out) const;

 private:
    bool goes_on_behind(const GuestBlock& block) const;
    bool decode_straddling(GuestBlock& out, Linear at, std::span<const u8> first, Instruction& in) const;

    Cpu& cpu_;
    Decoder decoder_;
    FrontendOptions options_;
};

// Fills GuestBlock::labels.
void find_labels(GuestBlock& block);

// Fills GuestBlock::flags_live from the end backwards.
void find_live_flags(GuestBlock& block, bool counting);

}  // namespace vellum
