// The order of preference.
#include "frontend/choose_display.hpp"

#include <stdexcept>

#include "base/host_error.hpp"
#include "frontend/headless.hpp"
#include "frontend/host_terminal.hpp"
#include "frontend/sdl.hpp"
#include "frontend/terminal.hpp"

namespace vellum {

std::optional<Display> display_of_name(std::string_view name) {
    if (name == "sdl") return Display::Sdl;
    if (name == "terminal") return Display::Terminal;
    if (name == "none") return Display::None;
    return std::nullopt;
}

std::unique_ptr<Frontend> make_frontend(Display display) {
    switch (display) {
        case Display::Sdl: return make_sdl_frontend();
        case Display::Terminal: return make_terminal_frontend();
        default: return make_headless_frontend();
    }
}

std::unique_ptr<Frontend> make_automatic_frontend(bool terminal_is_free) {
    try {
        return make_sdl_frontend();
    } catch (const std::runtime_error&) {
        // A display that is named but does not open is no display.
    }
    if (terminal_is_free && host_has_terminal()) return make_terminal_frontend();
    return make_headless_frontend();
}

}  // namespace vellum
