// The way out that waits for nobody, on a terminal of its own.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/descriptor.hpp"
#include "machine/host_process.hpp"

using namespace vellum;

namespace {

struct Terminal {
    Descriptor master{posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)}, line = open_line();

    Descriptor open_line() const {
        REQUIRE(master);
        REQUIRE(grantpt(master.number()) == 0);
        REQUIRE(unlockpt(master.number()) == 0);
        return Descriptor{open(ptsname(master.number()), O_RDWR | O_NOCTTY | O_CLOEXEC)};
    }
    termios mode() const {
        termios now{};
        tcgetattr(line.number(), &now);
        return now;
    }
};

constexpr int stopped = 99, own_status = 7;

// What became of a child: its status, or that the host has stopped it.
int fate_of(pid_t child) {
    int status = 0;
    waitpid(child, &status, WUNTRACED);
    if (!WIFSTOPPED(status)) return WEXITSTATUS(status);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return stopped;
}

// In a process whose terminal this is, as a shell's jobs have it: in the foreground.
template <typename Work>
int on(const Terminal& terminal, Work work) {
    pid_t child = fork();
    if (child == 0) {
        setsid();
        dup2(terminal.line.number(), STDIN_FILENO);
        ioctl(STDIN_FILENO, TIOCSCTTY, 0);
        _exit(work());
    }
    return fate_of(child);
}

}  // namespace

TEST_CASE("process end: the terminal is as it was before") {
    Terminal terminal;
    const termios before = terminal.mode();
    CHECK(on(terminal, [&] {
              ProcessEnd end;
              termios raw = before;
              cfmakeraw(&raw);
              tcsetattr(STDIN_FILENO, TCSANOW, &raw);
              end.now(own_status);
              return stopped;
          }) == own_status);
    CHECK(terminal.mode().c_lflag == before.c_lflag);
    CHECK(terminal.mode().c_iflag == before.c_iflag);
}

TEST_CASE("process end: a job in the background ends instead of being stopped by its terminal") {
    Terminal terminal;
    CHECK(on(terminal, [] {
              pid_t job = fork();
              if (job == 0) {
                  setpgid(0, 0);
                  ProcessEnd{}.now(own_status);
              }
              return fate_of(job);
          }) == own_status);
}
