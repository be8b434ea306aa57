// The conditions of DR0-DR3, and what follows from them.
#include "cpu/breakpoints.hpp"

#include <algorithm>
#include <utility>

namespace vellum {

namespace {

constexpr u32 breakpoint_count = 4;

// Encoding 10 is eight bytes on processors of our model (06_1CH; SDM 3B 17.2.4).
constexpr u32 lengths[] = {1, 2, 8, 4};

// It has length 1 (another one is undefined) and names the first byte, prefixes included.
bool is_on_instruction(const Breakpoint& b) { return b.on == Breakpoint::On::Execution && b.length == 1; }
bool is_on_data(const Breakpoint& b) { return b.on == Breakpoint::On::Write || b.on == Breakpoint::On::Access; }

template <typename Met>
u32 conditions_met(const CpuState& state, Met met) {
    u32 bits = 0;
    for (u32 i = 0; i < breakpoint_count; ++i)
        if (state.dr[7] >> (2 * i) & 3 && met(breakpoint(state, i))) bits |= 1u << i;
    return bits;
}

}  // namespace

// Low bits of an address within the length are not looked at.
Breakpoint breakpoint(const CpuState& state, u32 number) {
    auto dr7 = static_cast<u32>(state.dr[7]);
    u32 kind = dr7 >> (16 + 4 * number), length = lengths[kind >> 2 & 3];
    return {static_cast<Breakpoint::On>(kind & 3), (dr7 >> (2 * number) & 3) != 0, length,
            static_cast<u32>(state.dr[number]) & ~(length - 1)};
}

u32 instruction_breakpoints(const CpuState& state, u32 linear) {
    return conditions_met(state, [&](const Breakpoint& b) { return is_on_instruction(b) && b.address == linear; });
}

void note_access(CpuState& state, u32 linear, u32 bytes, bool write) {
    state.debug_traps |= conditions_met(state, [&](const Breakpoint& b) {
        return is_on_data(b) && (write || b.on == Breakpoint::On::Access) && b.covers(linear, bytes);
    });
}

// Without CR4.DE the encoding is undefined; nothing is met.
void note_port(CpuState& state, u16 port, u32 bytes) {
    if (!breakpoints_enabled(state) || !(state.cr4 & cr4::de)) return;
    state.debug_traps |= conditions_met(
        state, [&](const Breakpoint& b) { return b.on == Breakpoint::On::Port && b.covers(port, bytes); });
}

void report_in_dr6(CpuState& state) {
    state.dr[6] = (state.dr[6] & ~u64{dr6::breakpoints}) | std::exchange(state.debug_traps, 0);
}

void withhold_watched_pages(Cpu& cpu) {
    std::vector<WatchedPage> pages = cpu.debug.watched_pages();
    for (u32 i = 0; i < breakpoint_count; ++i) {
        Breakpoint b = breakpoint(cpu.state, i);
        if (b.enabled && is_on_data(b))
            add_watched_page(pages, {b.address & ~page_offset_mask, b.on == Breakpoint::On::Access});
    }
    cpu.mmu.withhold(pages);
}

std::vector<u32> watched_instructions(const Cpu& cpu) {
    std::vector<u32> addresses = cpu.debug.breakpoints();
    for (u32 i = 0; i < breakpoint_count; ++i)
        if (Breakpoint b = breakpoint(cpu.state, i); b.enabled && is_on_instruction(b)) addresses.push_back(b.address);
    return addresses;
}

}  // namespace vellum
