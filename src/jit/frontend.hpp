// Reads guest code into a GuestBlock: fetch permissions, page limits, where a block ends, which flags live on.
#pragma once

#include "cpu/cpu.hpp"
#include "cpu/decode_memo.hpp"
#include "jit/adaptive_sites.hpp"
#include "jit/block.hpp"
#include "jit/stops.hpp"

namespace vellum {

struct FrontendOptions {
    u32 most_instructions = 48;
    bool counting = false;          // repeated string instructions stand alone
    bool behind_branches = false;   // a block goes on where a conditional branch is not taken
    bool behind_calls = false;      // ... and where a call returns
    bool checked_stores = true;     // as in TranslatorConfig
    bool system_registers = true;   // the same
    bool spin_waits = true;         // the same
    bool memory_is_private = true;  // the same
};

class Frontend {
 public:
    Frontend(Cpu& cpu, DecodeMemo& memo, const AdaptiveSites& sites, const Stops& stops, FrontendOptions options)
        : cpu_{cpu}, memo_{memo}, sites_{sites}, stops_{stops}, options_{options} {}

    // The block at CS:EIP as the CPU is now, or false when there is none to translate: not fetchable, not memory, not
    // an instruction.
    bool read(BlockKey key, const CodeMode& mode, u32 eip, GuestBlock& out) const;

 private:
    bool goes_on_behind(const GuestBlock& block) const;
    const Instruction* decode_straddling(GuestBlock& out, Linear at, std::span<const u8> first) const;

    Cpu& cpu_;
    DecodeMemo& memo_;
    const AdaptiveSites& sites_;
    const Stops& stops_;
    FrontendOptions options_;
};

// Fills GuestBlock::labels.
void find_labels(GuestBlock& block);

// Fills GuestBlock::flags_live from the end backwards.
void find_live_flags(GuestBlock& block, bool counting);

}  // namespace vellum
