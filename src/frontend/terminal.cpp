// The loop between terminal and machine.
#include "frontend/terminal.hpp"

#include "base/host_error.hpp"
#include "frontend/host_terminal.hpp"
#include "frontend/status_text.hpp"
#include "frontend/terminal_keys.hpp"
#include "frontend/terminal_painter.hpp"

namespace vellum {

namespace {

constexpr int frame_milliseconds = 40;
constexpr u32 frames_per_status = 13;  // the status line is rewritten about twice a second

class TerminalFrontend final : public Frontend {
 public:
    void run(MachineControl& control) override {
        HostTerminal terminal;
        TerminalPainter painter;
        TerminalKeys keys;
        TextScreen screen;
        u64 generation = ~u64{0};
        std::string status;
        for (u32 frame = 0; !control.finished(); ++frame) {
            const std::string typed = terminal.read(frame_milliseconds);
            const auto result = typed.empty() ? keys.timeout() : keys.feed(typed);
            for (const KeyEvent& event : result.events) control.key(event);
            if (result.quit || (terminal.closed() && !quitting_)) {
                quitting_ = true;
                control.request_quit();
            }
            if (frame % frames_per_status == 0)
                status = quitting_ ? "Vellum - ending" : status_text(control.status()) + " - Ctrl+] ends it";
            if (!control.text_mode()) {
                terminal.write(painter.paint_message(graphics_message, status, terminal.size()));
                generation = ~u64{0};
            } else if (control.text(screen, generation) || frame % frames_per_status == 0) {
                terminal.write(painter.paint(screen, status, terminal.size()));
            }
        }
    }

 private:
    static constexpr std::string_view graphics_message =
        "The guest is in a graphics mode; --display sdl shows it. Keys still reach it.";
    bool quitting_ = false;
};

}  // namespace

std::unique_ptr<Frontend> make_terminal_frontend() {
    if (!host_has_terminal())
        throw UsageError("--display terminal: standard input and output are not a terminal; use --display none");
    return std::make_unique<TerminalFrontend>();
}

}  // namespace vellum
