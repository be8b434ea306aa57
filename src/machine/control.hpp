// The line commands of `--control`: key, type, mouse, screenshot, save, stats, times, change-cd, change-floppy, reset,
// powerdown, pause, continue, quit. Each is answered with one line, "ok" or "error: ...", or with text that ends in
// "ok".
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "machine/session.hpp"

namespace vellum {

class Typist;

// What commands need beside the session.
struct ControlContext {
    Session& session;
    FileAccess& files;
    Machine& machine;
    Typist& typist;
    bool discard_writes;                      // to media that are put in: --snapshot, lockstep
    std::function<std::string()> statistics;  // JSON; vCPU thread
    std::function<std::string()> times;       // a table; vCPU thread
};

// Commands that need not wait for others, nor for the vCPU thread: Session::end with status 0.
bool ends_run(std::string_view line);

// Runs one command on the vCPU thread; returns the answer, newline included. Throws LockstepDifference only.
std::string run_command(const ControlContext& context, const std::string& line);

}  // namespace vellum
