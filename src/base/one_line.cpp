// Control characters written out.
#include "base/one_line.hpp"

#include <fmt/format.h>

#include "base/types.hpp"

namespace vellum {

std::string one_line(std::string_view text) {
    std::string line;
    for (char c : text) {
        u8 byte = static_cast<u8>(c);
        if (c == '\n')
            line += "\\n";
        else if (c == '\r')
            line += "\\r";
        else if (c == '\t')
            line += "\\t";
        else if (byte < 0x20 || byte == 0x7F)
            line += fmt::format("\\x{:02x}", byte);
        else
            line += c;
    }
    return line;
}

}  // namespace vellum
