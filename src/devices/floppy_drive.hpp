// A floppy drive and the disk in it: geometry by the size of the image, head position, disk change line.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "base/archive.hpp"
#include "devices/block_backend.hpp"

namespace vellum {

struct FloppyGeometry {
    u8 cylinders, heads, sectors;
    u8 rate;        // as in the data rate registers: 0 500, 1 300, 2 250, 3 1000 kbit/s
    u8 drive_type;  // of the drive that takes such disks, as CMOS byte 10h has it: 1 360K, 2 1.2M, 4 1.44M, 5 2.88M
    u32 bytes() const { return u32{cylinders} * heads * sectors * 512; }
};

// None when the image is larger than any floppy disk. An image of a size that no disk has is the beginning of a
// 1.44 MB or 2.88 MB one; what is missing reads as zeros.
std::optional<FloppyGeometry> floppy_geometry(u64 image_size);

class FloppyDrive {
 public:
    static constexpr u32 sector_size = 512;

    // An empty drive is a 1.44 MB one. The image must have a geometry.
    void attach(std::unique_ptr<BlockBackend> medium);
    void change_medium(std::unique_ptr<BlockBackend> medium);  // null: empty

    bool attached() const { return attached_; }
    u8 type() const { return attached_ ? type_ : 0; }
    bool has_medium() const { return medium_ != nullptr; }
    BlockBackend* medium() { return medium_.get(); }
    const FloppyGeometry& geometry() const { return geometry_; }
    bool write_protected() const { return medium_ && medium_->read_only(); }
    // Whether a disk of this kind can be read at the data rate.
    bool readable_at(u8 rate) const;

    u8 cylinder() const { return cylinder_; }
    void seek(u8 cylinder);  // stepping clears the change line when there is a disk
    bool changed() const { return changed_; }

    // `sector` counts from 1. The place must exist on this disk; false: the host failed.
    bool exists(u8 head, u8 sector) const;
    bool read(u8 head, u8 sector, std::span<u8> bytes);
    bool write(u8 head, u8 sector, std::span<const u8> bytes);

    void serialize(Archive&);

 private:
    u64 offset(u8 head, u8 sector) const;

    std::unique_ptr<BlockBackend> medium_;
    FloppyGeometry geometry_{80, 2, 18, 0, 4};
    u8 type_ = 4;
    u8 cylinder_ = 0;
    bool attached_ = false;
    bool changed_ = true;
};

}  // namespace vellum
