// What a debugger and the guest's debug registers watch, and what translated code heeds of it: pages that stay out of
// the windows, and places where translations end. Whatever lies elsewhere runs as ever, however many points there are.
#include <algorithm>

#include "cpu/breakpoints.hpp"
#include "jit/dispatcher.hpp"

namespace vellum {

Translator::DebugRegisters Translator::debug_registers() const {
    DebugRegisters registers;
    std::copy_n(state_.dr, 4, registers.begin());
    registers.back() = state_.dr[7];
    return registers;
}

// What the debugger changed since the last run. Single steps run no translated code: a debugger that takes its points
// away to step off one of them, and puts them back, costs nothing here.
void Translator::obey_debugger() {
    if (cpu_.debug.stepping())
        withhold_watched_pages(cpu_);
    else
        heed_points();
}

void Translator::heed_points() {
    heeded_registers_ = debug_registers();
    withhold_watched_pages(cpu_);
    spaces_.withhold(cpu_.mmu.withheld());
    std::vector<u32> stops = instruction_breakpoint_addresses(state_);
    const std::vector<u32>& breakpoints = cpu_.debug.breakpoints();
    stops.insert(stops.end(), breakpoints.begin(), breakpoints.end());
    for (u32 address : stops_.replace(std::move(stops))) cache_.invalidate_at(Linear{address});
}

}  // namespace vellum
