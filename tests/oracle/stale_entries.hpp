// Whether a piece leaves it to chance which translations it runs on: a processor may keep a translation whose entry of
// the page table was changed until it is flushed (SDM vol. 3A, 4.10.2.3), and the two engines keep different ones.
#pragma once

#include "oracle/piece_machine.hpp"

namespace vellum::test {

// Runs the piece that was loaded into `interp`, an interpreter. True when an entry was changed and not flushed for
// longer than a change and its flush take (PieceWriter writes them as one). Only entries of the page table are looked
// at: of a piece with another page directory, or with another format of entries, nothing is known, and that is false.
bool runs_on_stale_entries(PieceMachine& interp);

}  // namespace vellum::test
