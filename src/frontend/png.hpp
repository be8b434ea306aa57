// Pictures as PNG files.
#pragma once

#include <string>

#include "devices/picture.hpp"

namespace vellum {

// Replaces the file. Throws HostError naming it when it cannot be written or the picture is empty.
void write_png(const std::string& path, const Picture& picture);

// Throws UsageError naming the file when it cannot be read or is not a PNG. At most 8192x8192.
Picture read_png(const std::string& path);

}  // namespace vellum
