// What can be switched, for bisecting and for measuring one optimisation at a time; and who looks at what was emitted.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cpu/host_features.hpp"
#include "jit/code_observer.hpp"
#include "jit/verifier.hpp"

namespace vellum {

struct TranslatorConfig {
    bool gauge = false;     // CpuState::instructions is about right, for showing a speed: a repeated string counts once
    bool counting = false;  // CpuState::instructions is exact, and instruction_limit is obeyed (--count, --clock)
    // Nobody but the thread of this processor touches guest memory, devices included: LOCK, and XCHG with memory, need
    // not lock anything on the host. Where it does not hold, the host locks, but never across two lines of its cache.
    bool memory_is_private = true;
    // What it refuses is not run: the interpreter does it instead. Null: blocks are run as they were emitted.
#ifdef VELLUM_VERIFY
    std::optional<std::string> (*verifier)(const EmittedCode&) = verify;
#else
    std::optional<std::string> (*verifier)(const EmittedCode&) = nullptr;
#endif
    // Told of each refusal: one line. A refused block is a mistake of ours, so not set means: stop with that line.
    std::function<void(const std::string& refusal)> on_refusal;
    // Told of all emitted code; lives longer than the translator.
    CodeObserver* observer = nullptr;
    // Of two ways to look an indirect target up, the one that is better here; what it needs is host_has_bmi2().
    bool look_up_by_mask = host_has_bmi2() && !host_is_amds();
    bool chaining = true;             // patch direct branches
    bool page_links = true;           // ... to other pages too
    bool jump_cache = true;           // look indirect targets up in emitted code
    bool return_prediction = true;    // host CALL and RET
    bool regions = true;              // blocks go on behind branches and calls
    bool window_forms = true;         // [r13+base+d] where that is quicker; off: every operand through gs
    bool adaptive_sites = true;       // sites that keep faulting become callouts
    bool checked_stores = true;       // ... and stores beside code are checked by a function that they call
    bool replaced_constants = true;   // ... which replaces constants in translations as they are replaced in code
    bool system_registers = true;     // level 0 reads control registers and reloads segment registers by itself
    bool crossings = true;            // SYSENTER, SYSEXIT and loads of FS go on in emitted code
    bool moved_pages = true;          // translations move with their page to another linear address
    bool other_segments = true;       // translate 16-bit code and segments that are not flat
    bool downward_moves = true;       // MOVS between STD and CLD leaves DF alone
    bool spin_waits = true;           // PAUSE takes guest time in loops that spin for long
    u32 most_instructions = 48;       // in a block
    u64 cache_bytes = u64{64} << 20;  // of emitted code, 1 MiB to 1 GiB
};

}  // namespace vellum
