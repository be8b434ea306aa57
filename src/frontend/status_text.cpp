// Words for states.
#include "frontend/status_text.hpp"

#include <fmt/format.h>

namespace vellum {

std::string status_text(const MachineStatus& status) {
    const auto word = [&] {
        switch (status.state) {
            case GuestState::Idle: return "idle";
            case GuestState::Paused: return "paused";
            case GuestState::Finished: return "finished";
            default: return "running";
        }
    }();
    std::string text = fmt::format("Vellum - {}", word);
    if (!status.engine.empty()) text += fmt::format(" ({})", status.engine);
    if (status.mips > 0) text += fmt::format(" {:.0f} MIPS", status.mips);
    return text;
}

}  // namespace vellum
