// The process on Linux: clocks, /proc, signals.
#include "machine/host_process.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>
#include <thread>

#include "base/check.hpp"

namespace vellum {

namespace {
Nanoseconds in_nanoseconds(const timespec& time) {
    return static_cast<u64>(time.tv_sec) * second + static_cast<u64>(time.tv_nsec);
}

// The number behind `label` at the start of a line; 0 when there is none.
u64 kilobytes_after(const Descriptor& file, std::string_view label) {
    char bytes[4096];
    ssize_t count = pread(file.number(), bytes, sizeof bytes - 1, 0);
    if (count <= 0) return 0;
    bytes[count] = 0;
    std::string_view text{bytes, static_cast<std::size_t>(count)};
    auto at = text.find(label);
    if (at == std::string_view::npos || at == 0 || text[at - 1] != '\n') return 0;
    return std::strtoull(bytes + at + label.size(), nullptr, 10);
}

Descriptor open_to_read(const char* path) { return Descriptor{open(path, O_RDONLY | O_CLOEXEC)}; }

sigset_t watched_signals(bool with_wake_up) {
    sigset_t set;
    sigemptyset(&set);
    for (int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) sigaddset(&set, number);
    if (with_wake_up) sigaddset(&set, SIGUSR2);
    return set;
}
}  // namespace

Nanoseconds host_monotonic_time() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return in_nanoseconds(now);
}

ThreadClock::ThreadClock() { check(pthread_getcpuclockid(pthread_self(), &id_) == 0, "a running thread has a clock"); }

Nanoseconds ThreadClock::now() const {
    timespec now;
    check(clock_gettime(id_, &now) == 0, "the clock of a thread is read while that lives");
    return in_nanoseconds(now);
}

double process_cpu_seconds() {
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

u64 seconds_since_epoch() { return static_cast<u64>(time(nullptr)); }

ProcessMemory::ProcessMemory()
    : rollup_{open_to_read("/proc/self/smaps_rollup")}, status_{open_to_read("/proc/self/status")} {}

u64 ProcessMemory::bytes() const {
    return (kilobytes_after(rollup_, "Pss:") + kilobytes_after(status_, "VmPTE:")) * 1024;
}

void ensure_standard_streams() {
    int number;
    do number = open("/dev/null", O_RDWR);
    while (number >= 0 && number <= STDERR_FILENO);
    if (number >= 0) close(number);
}

void make_write_errors_plain() { signal(SIGXFSZ, SIG_IGN); }

struct ProcessEnd::Terminal {
    termios before;
};

namespace {

// Whoever sets a terminal from the background is stopped by the host, and the terminal is somebody else's then.
bool in_foreground() { return tcgetpgrp(STDIN_FILENO) == getpgrp(); }

}  // namespace

ProcessEnd::ProcessEnd() {
    termios now;
    if (tcgetattr(STDIN_FILENO, &now) == 0) terminal_ = std::make_unique<Terminal>(Terminal{now});
}

ProcessEnd::~ProcessEnd() = default;

void ProcessEnd::now(int status) const {
    if (terminal_ && in_foreground()) tcsetattr(STDIN_FILENO, TCSANOW, &terminal_->before);
    _exit(status);
}

struct SignalWatch::Impl {
    std::thread thread;
};

void SignalWatch::block() {
    signal(SIGPIPE, SIG_IGN);
    sigset_t set = watched_signals(true);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

SignalWatch::SignalWatch(std::function<void(int)> on_end, std::function<void()> on_save) : impl_{new Impl} {
    block();
    sigset_t set = watched_signals(true);
    impl_->thread = std::thread{[on_end = std::move(on_end), on_save = std::move(on_save), set] {
        int number = 0;
        while (sigwait(&set, &number) == 0 && number != SIGUSR2) {
            if (number == SIGUSR1)
                on_save();
            else
                on_end(number);
        }
    }};
}

SignalWatch::~SignalWatch() {
    pthread_kill(impl_->thread.native_handle(), SIGUSR2);
    impl_->thread.join();
    delete impl_;
}

}  // namespace vellum
