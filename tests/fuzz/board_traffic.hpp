// What a guest and the world outside do to a board, read from a fuzz input: port and memory cycles, DMA memory, time,
// interrupts acknowledged, keys, media, a failing host. Most of it may be kept to one chip's addresses, so that the
// fuzzer gets deep.
#pragma once

#include <memory>
#include <vector>

#include "input.hpp"
#include "machine/board.hpp"

namespace vellum::fuzz {

struct AddressRange {
    u32 first, count;
};

struct ChipAddresses {
    const char* name;
    std::vector<AddressRange> ports, mmio;
    std::vector<u8> functions;  // slot << 3 | function, whose configuration is written
};

// The first one is all of the board.
const std::vector<ChipAddresses>& chips();

// Operations of TrafficBoard::run, each with what follows it. The low four bits choose, the others are arguments.
enum class Traffic : u8 {
    WritePort8,     // port index (u16), value (u8)
    WritePort16,    // port index, value (u16)
    WritePort32,    // port index, value (u32)
    WritePortMany,  // port index, count (u8), that many bytes
    ReadPort,       // port index; size by bits 4-5
    ReadPortMany,   // port index, count; size by bits 4-5
    WriteMmio,      // MMIO index (u32), value (u32); size by bits 4-5
    ReadMmio,       // MMIO index (u32); size by bits 4-5
    Wait,           // how long (u8): (low four bits + 1) * 64 ns << high four bits
    Memory,         // address / 16 (u16), count (u8), that many bytes
    Person,         // what (u8) and its arguments
    Media,          // which (u8)
    Interrupt,      // acknowledged, if one is requested
    Config,         // function (u8), register (u8), value (u32); size by bits 4-5, bit 6: read
    Look,           // at the screen: bits 4-5 say how
    Host            // bit 4: images fail from now on; bit 5: the guest's reset
};

class TrafficBoard {
 public:
    // `prepared`: the BARs are where the firmware would put them.
    explicit TrafficBoard(bool prepared);
    TrafficBoard(const MachineConfig& config, BoardParts parts);

    void run(Input& in, const ChipAddresses& chip);
    Board& board() { return *board_; }

 private:
    void prepare();
    void operate(u8 operation, Input& in, const ChipAddresses& chip);
    void write_many(u32 port, u8 size, std::span<const u8> values);
    void wait(u8 how_long);
    void person(Input& in);
    void change_media(u8 which);
    void look(u8 how);
    void configure(u8 function, u8 reg, u8 size, std::optional<u32> value);
    void handle_events();

    Log log_{[](std::string_view) {}};
    std::vector<u8> disk_, disc_, diskette_;
    bool failing_ = false;
    u32 looks_ = 0, resets_ = 0;
    Nanoseconds waited_ = 0;
    std::unique_ptr<Board> board_;
};

}  // namespace vellum::fuzz
