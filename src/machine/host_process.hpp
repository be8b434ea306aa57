// What the host says about our own process, and its clock.
#pragma once

#include <functional>
#include <memory>

#include "base/descriptor.hpp"
#include "base/types.hpp"

namespace vellum {

Nanoseconds host_monotonic_time();
// The CPU time of the thread that made it, for as long as that thread lives.
class ThreadClock {
 public:
    ThreadClock();
    Nanoseconds now() const;  // any thread

 private:
    int id_;  // clockid_t
};

double process_cpu_seconds();  // user plus system time of all threads
u64 seconds_since_epoch();     // for the guest's real-time clock

// Our memory: proportional set size plus page tables (Pss of smaps_rollup, VmPTE of status). The files of /proc are
// opened once, for a running machine may open none.
class ProcessMemory {
 public:
    ProcessMemory();
    u64 bytes() const;  // 0 when not readable; any thread

 private:
    Descriptor rollup_, status_;
};

// Opens what is closed of standard input, output and error as /dev/null, so that no disk image gets their numbers and
// then our messages. Call it first of all.
void ensure_standard_streams();

// A limit of the size of files is an error of the write that meets it, and not the end of the process. Call it early.
void make_write_errors_plain();

// The way out that waits for nobody: no destructor runs, but the terminal is left as it was when this was made
// (if it is ours now).
class ProcessEnd {
 public:
    ProcessEnd();
    ~ProcessEnd();
    ProcessEnd(const ProcessEnd&) = delete;
    ProcessEnd& operator=(const ProcessEnd&) = delete;
    [[noreturn]] void now(int status) const;  // any thread

 private:
    struct Terminal;
    std::unique_ptr<Terminal> terminal_;  // null: standard input is none
};

// Calls `on_end(number)` from a thread of its own when SIGINT, SIGTERM or SIGHUP arrives, and `on_save` for SIGUSR1.
// block() comes before any thread is made, so that all inherit the blocked signals. SIGPIPE is ignored from then on.
class SignalWatch {
 public:
    static void block();
    SignalWatch(std::function<void(int)> on_end, std::function<void()> on_save);
    ~SignalWatch();
    SignalWatch(const SignalWatch&) = delete;
    SignalWatch& operator=(const SignalWatch&) = delete;

 private:
    struct Impl;
    Impl* impl_;
};

}  // namespace vellum
