// termios and poll.
#include "frontend/host_terminal.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <thread>

#include "base/host_error.hpp"

namespace vellum {

namespace {

constexpr std::string_view enter_screen = "\x1B[?1049h\x1B[2J";
constexpr std::string_view leave_screen = "\x1B[0m\x1B[?25h\x1B[?1049l";

}  // namespace

struct HostTerminal::Saved {
    termios settings;
};

bool host_has_terminal() { return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO); }

HostTerminal::HostTerminal() : saved_{std::make_unique<Saved>()} {
    if (!host_has_terminal() || tcgetattr(STDIN_FILENO, &saved_->settings) != 0)
        throw UsageError("--display terminal: standard input and output are not a terminal; use --display none");
    termios raw_mode = saved_->settings;
    cfmakeraw(&raw_mode);
    raw_mode.c_cc[VMIN] = 0;
    raw_mode.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw_mode);
    write(enter_screen);
}

HostTerminal::~HostTerminal() {
    write(leave_screen);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &saved_->settings);
}

TerminalSize HostTerminal::size() const {
    winsize window{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0 || window.ws_row == 0) return {};
    return {window.ws_col, window.ws_row};
}

std::string HostTerminal::read(int milliseconds) {
    if (closed_) {
        std::this_thread::sleep_for(std::chrono::milliseconds{milliseconds});
        return {};
    }
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (poll(&input, 1, milliseconds) <= 0) return {};
    std::array<char, 256> bytes;
    const ssize_t count = ::read(STDIN_FILENO, bytes.data(), bytes.size());
    if (count > 0) return std::string(bytes.data(), static_cast<std::size_t>(count));
    if (count == 0 || (errno != EINTR && errno != EAGAIN)) closed_ = true;
    return {};
}

void HostTerminal::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
        if (count < 0 && errno == EAGAIN) {
            pollfd output{STDOUT_FILENO, POLLOUT, 0};
            poll(&output, 1, 100);
        } else if (count < 0 && errno != EINTR) {
            return;  // hung up: read() notices
        } else if (count > 0) {
            bytes.remove_prefix(static_cast<std::size_t>(count));
        }
    }
}

}  // namespace vellum
