// Whether an input leaves it to chance which translations its guest runs on: a processor may keep a translation whose
// table entry was changed until it is flushed (SDM vol. 3A, 4.10.2.3), and the two engines keep different ones.
#pragma once

#include "code_machine.hpp"

namespace vellum::fuzz {

// Runs the input again on `machine`, instruction by instruction, to the end of `last_slice`. True when the paging
// structures that CR3 reaches were changed (A and D count where the guest takes them away), and the guest went on for
// longer than a change and its flush take, or did not flush at all.
bool stale_translations_possible(CodeMachine& machine, const CodeInput& input, u32 last_slice);

}  // namespace vellum::fuzz
