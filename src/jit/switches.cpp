// The table of switches.
#include "jit/switches.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace vellum {

namespace {

using Config = TranslatorConfig;

constexpr TranslatorSwitch switches[] = {
    {"chaining", "direct branches are patched to go straight to the next block", [](Config& c) { c.chaining = false; }},
    {"page-links", "... to blocks on other pages too", [](Config& c) { c.page_links = false; }},
    {"jump-cache", "targets of indirect jumps are looked up in emitted code", [](Config& c) { c.jump_cache = false; }},
    {"return-prediction", "calls and returns are the host's", [](Config& c) { c.return_prediction = false; }},
    {"regions", "blocks go on behind branches and calls", [](Config& c) { c.regions = false; }},
    {"long-blocks", "blocks are longer than one instruction", [](Config& c) { c.most_instructions = 1; }},
    {"window-forms", "operands without wrap-around go by [r13+register]", [](Config& c) { c.window_forms = false; }},
    {"adaptive-sites", "instructions that keep faulting become callouts", [](Config& c) { c.adaptive_sites = false; }},
    {"checked-stores", "... and stores into pages with code call a function that looks where they go",
     [](Config& c) { c.checked_stores = false; }},
    {"replaced-constants", "... and where they go to a constant in code, it is replaced in the translation",
     [](Config& c) { c.replaced_constants = false; }},
    {"system-registers", "level 0 reads control registers and reloads segment registers in translated code",
     [](Config& c) { c.system_registers = false; }},
    {"crossings", "SYSENTER, SYSEXIT and loads of FS lead on in emitted code, to the mode and window of the other side",
     [](Config& c) { c.crossings = false; }},
    {"moved-pages", "a page that is seen at another linear address takes its translations along",
     [](Config& c) { c.moved_pages = false; }},
    {"private-memory", "LOCK and XCHG lock nothing, as one processor has the memory to itself",
     [](Config& c) { c.memory_is_private = false; }},
    {"downward-moves", "MOVS between STD and CLD is done by loads and stores; DF is left alone",
     [](Config& c) { c.downward_moves = false; }},
    {"spin-waits", "PAUSE takes a microsecond of guest time in loops that spin for long; the host sleeps for it",
     [](Config& c) { c.spin_waits = false; }},
    {"other-segments", "16-bit code and segments that are not flat are translated",
     [](Config& c) { c.other_segments = false; }},
};

}  // namespace

std::span<const TranslatorSwitch> translator_switches() { return switches; }

const TranslatorSwitch* find_switch(std::string_view name) {
    auto found = std::find_if(std::begin(switches), std::end(switches),
                              [name](const TranslatorSwitch& s) { return s.name == name; });
    return found == std::end(switches) ? nullptr : found;
}

std::string described_switches() {
    std::string text;
    for (const TranslatorSwitch& s : switches) text += fmt::format("{:<18} {}\n", s.name, s.text);
    return text;
}

}  // namespace vellum
