// The terminal that the program was started in, in raw mode on its alternate screen while an object of this class
// lives.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "frontend/terminal_painter.hpp"

namespace vellum {

// Standard input and standard output are both terminals.
bool host_has_terminal();

class HostTerminal {
 public:
    // Throws UsageError when standard input or output is not a terminal.
    HostTerminal();
    // Puts everything back, whatever happened.
    ~HostTerminal();
    HostTerminal(const HostTerminal&) = delete;
    HostTerminal& operator=(const HostTerminal&) = delete;

    TerminalSize size() const;
    // Waits up to `milliseconds` for typed bytes; empty when none came.
    std::string read(int milliseconds);
    // The terminal is gone (hung up).
    bool closed() const { return closed_; }
    void write(std::string_view bytes);

 private:
    struct Saved;
    std::unique_ptr<Saved> saved_;
    bool closed_ = false;
};

}  // namespace vellum
