// Fuzz target `devices`: the first byte names a chip, and whether the board is as the firmware leaves it; the others
// are traffic (board_traffic.hpp).
#include "board_traffic.hpp"
#include "target.hpp"

using namespace vellum;
using namespace vellum::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
    Input in{data, size};
    u8 first = in.byte();
    TrafficBoard board{(first & 0x80) != 0};
    board.run(in, chips()[(first & 0x7F) % chips().size()]);
    return 0;
}
