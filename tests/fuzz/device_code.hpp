// Whether an input runs a repeated string instruction that it fetches from a device.
#pragma once

#include "code_machine.hpp"

namespace vellum::fuzz {

// Runs the input again on `machine`, instruction by instruction, to the end of `last_slice`. True when a repetition
// paused whose code is a device's: it is fetched again then, and the device notices. When it pauses, for the attention
// of somebody or after many iterations, is the engine's own affair.
bool repeats_code_of_a_device(CodeMachine& machine, const CodeInput& input, u32 last_slice);

}  // namespace vellum::fuzz
