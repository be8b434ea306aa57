// The command line: `vellum [run] [options]`, `vellum watch SOCKET`, and the habits of QEMU's users with one dash.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "machine/config.hpp"

namespace vellum {

struct HelpText {
    std::string text;  // --help or --version: print and leave with status 0
};

struct WatchConfig {
    std::string socket;  // of another process's --control
};

// `words` without the program's name. Throws UsageError with one line that names the option and says what to do.
std::variant<RunConfig, HelpText, WatchConfig> parse_command_line(std::vector<std::string> words);

// "stdio", "null", "file:PATH", "unix:PATH". Throws UsageError naming `option`.
Endpoint parse_endpoint(const std::string& option, const std::string& text);

}  // namespace vellum
