// Writing the JSON by hand: it is one flat record.
#include "machine/statistics.hpp"

#include <fmt/format.h>

namespace vellum {

std::string to_json(const RunStatistics& s) {
    const EngineStatistics& e = s.of_engine;
    u64 callouts = 0;
    std::string by_reason;
    for (const auto& [reason, count] : e.callouts) {
        callouts += count;
        by_reason += fmt::format("{}\"{}\": {}", by_reason.empty() ? "" : ", ", reason, count);
    }
    std::string text = fmt::format("{{\n  \"engine\": \"{}\",\n", s.engine);
    text += fmt::format("  \"wall_seconds\": {:.6f},\n  \"cpu_seconds\": {:.6f},\n  \"guest_seconds\": {:.6f},\n",
                        s.wall_seconds, s.cpu_seconds, s.guest_seconds);
    text += fmt::format("  \"peak_pss_bytes\": {},\n", s.peak_pss_bytes);
    text += fmt::format("  \"blocks\": {{\"translated\": {}, \"invalidated\": {}, \"evicted\": {}, \"moved\": {}}},\n",
                        e.blocks_translated, e.blocks_invalidated, e.blocks_evicted, e.blocks_moved);
    text += fmt::format("  \"translate_seconds\": {:.6f},\n  \"code_bytes\": {},\n", e.translate_seconds, e.code_bytes);
    text += fmt::format("  \"callouts\": {{\"total\": {}, \"by_reason\": {{{}}}}},\n", callouts, by_reason);
    text += fmt::format(
        "  \"faults\": {{\"window_fill\": {}, \"mmio\": {}, \"guest_page_fault\": {}, \"code_write\": {}}},\n",
        e.window_fills, e.mmio_faults, e.guest_page_faults, e.code_write_faults);
    text += fmt::format("  \"interpreted_instructions\": {}", e.interpreted_instructions);
    if (s.instructions_total) {
        u64 total = *s.instructions_total;
        u64 translated = total > e.interpreted_instructions ? total - e.interpreted_instructions : 0;
        text += fmt::format(",\n  \"instructions\": {{\"total\": {}, \"translated\": {}}}", total, translated);
    }
    if (s.seconds) text += fmt::format(",\n  \"seconds\": {{{}}}", to_json_fields(*s.seconds));
    return text + "\n}\n";
}

}  // namespace vellum
