// A floppy drive and the disk in it: head position, disk change line, sectors in an image.
#pragma once

#include <memory>
#include <span>

#include "base/archive.hpp"
#include "devices/block_backend.hpp"
#include "devices/floppy_geometry.hpp"

namespace vellum {

class FloppyDrive {
 public:
    static constexpr u32 sector_size = 512;

    // An empty drive is a 1.44 MB one. The image must have a geometry (floppy_geometry()).
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

    // `sector` counts from 1. The place must exist on this disk. What a short image lacks reads as zeros, and takes no
    // others. False: the host failed, or there is no room for what was to be written.
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
