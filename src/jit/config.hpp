// What can be switched, for bisecting and for measuring one optimisation at a time.
#pragma once

#include "base/types.hpp"

namespace vellum {

struct TranslatorConfig {
    bool gauge = false;     // CpuState::instructions is about right, for showing a speed: a repeated string counts once
    bool counting = false;  // CpuState::instructions is exact, and instruction_limit is obeyed (--count, --clock)
#ifdef VELLUM_VERIFY
    bool verify = true;
#else
    bool verify = false;
#endif
    bool chaining = true;           // patch direct branches
    bool jump_cache = true;         // look indirect targets up in emitted code
    bool return_prediction = true;  // host CALL and RET
    bool window_forms = true;       // [r13+base+d]; off: every operand through gs
    bool adaptive_sites = true;     // sites that keep faulting become callouts
    bool other_segments = true;     // translate 16-bit code and segments that are not flat
    u32 most_instructions = 48;     // in a block
    u64 cache_bytes = u64{64} << 20;
};

}  // namespace vellum
