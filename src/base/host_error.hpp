// Trouble with the host or with what the user gave: found at start or at run time, reported in one line.
#pragma once

#include <stdexcept>
#include <string>

namespace vellum {

// Wrong usage or unusable input (exit status 2): the message names the file or option and says what to do.
class UsageError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

// The host failed us while the machine runs (exit status 10): no memory, no disk space, no display.
class HostError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

// What was under way was given up, for the machine is to end.
class GivenUp : public std::runtime_error {
 public:
    GivenUp() : std::runtime_error{"given up, for the machine ends"} {}
};

}  // namespace vellum
