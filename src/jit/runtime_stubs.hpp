// The few pieces of emitted code that all blocks share: into translated code, out of it, and the jump cache's lookup.
#pragma once

#include "jit/config.hpp"
#include "jit/crossings.hpp"
#include "jit/emitter.hpp"

namespace vellum {

// Emits them at the start of the code memory and fills in the addresses. `indirect` is the exit that a miss takes.
void emit_runtime(Encoder& encoder, Runtime& runtime, ExitSite& indirect, const TranslatorConfig& config);

// A part of it. `ordinary`: where an exit goes for which there is no way, the guest's ECX in r14.
void emit_crossing_stub(Encoder& encoder, const Runtime& runtime, u64 ordinary, bool counting);

// Runs translated code at `entry` until it leaves; JitContext::exit tells how.
using EnterFunction = void (*)();

}  // namespace vellum
