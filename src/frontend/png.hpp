// Pictures as PNG files.
#pragma once

#include <string>

#include "devices/picture.hpp"

namespace vellum {

// The bytes of a PNG file. Throws HostError when the picture is empty.
std::string encode_png(const Picture& picture);

// Throws UsageError naming the file when it cannot be read or is not a PNG. At most 8192x8192.
Picture read_png(const std::string& path);

}  // namespace vellum
