// Whether a piece moves memory into itself through another address. Processors move a line at a time (fast strings, SDM
// vol. 1, 7.3.9.3) unless the source feeds the destination by linear addresses; that it does so by physical ones they
// do not see, and leave what lay there before. Translated code is the processor's own REP MOVS; the interpreter goes
// element by element.
#pragma once

#include "oracle/piece_machine.hpp"

namespace vellum::test {

// Runs the piece that was loaded into `interp`, an interpreter. True when a REP MOVS upwards reads what it has itself
// written less than a line before, through a page that is mapped at two addresses.
bool moves_into_itself_by_alias(PieceMachine& interp);

}  // namespace vellum::test
