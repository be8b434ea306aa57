// The few pieces of emitted code that all blocks share: into translated code, out of it, and the jump cache's lookup.
#pragma once

#include "jit/config.hpp"
#include "jit/emitter.hpp"

namespace vellum {

// Emits them at the start of the code memory and fills in the addresses. `indirect` is the exit that a miss takes.
void emit_runtime(Encoder& encoder, Runtime& runtime, ExitSite& indirect, const TranslatorConfig& config);

// Runs translated code at `entry` until it leaves; JitContext::exit tells how.
using EnterFunction = void (*)();

}  // namespace vellum
