// Which disk an image is one of: geometry, data rate, and the drive that takes it.
#pragma once

#include <optional>

#include "base/types.hpp"
#include "devices/block_backend.hpp"

namespace vellum {

struct FloppyGeometry {
    u8 cylinders, heads, sectors;
    u8 rate;        // as in the data rate registers: 0 500, 1 300, 2 250, 3 1000 kbit/s
    u8 drive_type;  // of the drive that takes such disks, as CMOS byte 10h has it: 1 360K, 2 1.2M, 4 1.44M, 5 2.88M
    u32 bytes() const { return u32{cylinders} * heads * sectors * 512; }
};

// By the size of the image, in bytes, where a disk of that size exists; else by what its boot sector says of itself
// (the BIOS parameter block of a FAT file system); else it is the beginning of a 1.44 MB disk, or of a 2.88 MB one.
// None when it is larger than any floppy disk.
std::optional<FloppyGeometry> floppy_geometry(BlockBackend& image);

}  // namespace vellum
