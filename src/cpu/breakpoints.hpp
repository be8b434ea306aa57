// The guest's own debug registers (SDM 3B 17.2): which conditions DR0-DR3 and DR7 describe, and what has met them. What
// a debugger outside the guest asks for is in debug_points.hpp.
//
// What an access or a port has met waits in CpuState::debug_traps, as bits of DR6, for the boundary behind the
// instruction; interpreter.cpp raises the trap there.
#pragma once

#include <vector>

#include "cpu/cpu.hpp"

namespace vellum {

namespace dr6 {
constexpr u32 breakpoints = 0xF, general_detect = 1u << 13, single_step = 1u << 14, task_switch = 1u << 15;
constexpr u32 writable = breakpoints | general_detect | single_step | task_switch, fixed = 0xFFFF0FF0;
}  // namespace dr6
namespace dr7 {
constexpr u32 enables = 0xFF, local_enables = 0x155 /* L0-L3, LE */, general_detect = 1u << 13;
constexpr u32 writable = 0xFFFF23FF, fixed = 0x00000400;
}  // namespace dr7

// One of DR0-DR3, as DR7 describes it:
//   bits 31-30 LEN3 | 29-28 R/W3 | .. | 17-16 R/W0 | 13 GD | 9 GE | 8 LE | 7 G3 | 6 L3 | .. | 1 G0 | 0 L0
struct Breakpoint {
    enum class On : u8 { Execution, Write, Port, Access };
    On on = On::Execution;
    bool enabled = false;
    u32 length = 1;   // of the range, in bytes
    u32 address = 0;  // linear (or a port); a multiple of `length`

    bool covers(u32 first, u32 bytes) const { return u64{first} + bytes > address && first < u64{address} + length; }
};
Breakpoint breakpoint(const CpuState& state, u32 number);

// RF matters to instruction breakpoints only. It is put into every image that a fault saves, but taken back from one
// only while a breakpoint is enabled in DR7: engines need not think of it otherwise.
inline bool breakpoints_enabled(const CpuState& state) { return state.dr[7] & dr7::enables; }

// The bits of DR6 for an instruction that begins there.
u32 instruction_breakpoints(const CpuState& state, u32 linear);

// --- what instructions tell. An access lies in one page.
void note_access(CpuState& state, u32 linear, u32 bytes, bool write);
void note_port(CpuState& state, u16 port, u32 bytes);

// #DB is about to be delivered: what has met it goes to DR6. Bits 0-3 are of this exception alone, the others stay
// until software clears them (SDM 3B 17.2.3).
void report_in_dr6(CpuState& state);

// Accesses that somebody watches, the guest by its debug registers or a debugger outside, are not to go past the
// monitor. To be called before an engine runs, and when a debug register has changed.
void withhold_watched_pages(Cpu& cpu);

// Where somebody has an instruction breakpoint, the guest or a debugger outside.
std::vector<u32> watched_instructions(const Cpu& cpu);

}  // namespace vellum
