// Text from outside inside a message: arguments, names of files, words of a client. A message is one line, and nothing
// in it tells a terminal what to do.
#pragma once

#include <string>
#include <string_view>

namespace vellum {

// Line breaks, other control characters and bytes that are no UTF-8 as \n, \t, \x1b, ...; all else as it is.
std::string one_line(std::string_view text);

}  // namespace vellum
