// Files that are written anew: the far ends of lines, pictures, statistics.
#pragma once

#include <string>

#include "base/descriptor.hpp"

namespace vellum {

// Opens `path` for writing, empty, without waiting for anybody: the descriptor does not block. A file that somebody has
// locked (a disk image in use, here or by another machine, under whatever name) is refused before it is touched, and is
// locked against becoming one while the descriptor lives. Throws HostError that names the path and says what to do.
Descriptor open_output_file(const std::string& path);

}  // namespace vellum
