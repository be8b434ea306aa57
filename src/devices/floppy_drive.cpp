// The head, the change line, and sectors in an image.
#include "devices/floppy_drive.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace vellum {

namespace {

constexpr u8 last_cylinder = 85;  // where the mechanism stops

}  // namespace

void FloppyDrive::attach(std::unique_ptr<BlockBackend> medium) {
    attached_ = true;
    change_medium(std::move(medium));
    type_ = geometry_.drive_type;
}

void FloppyDrive::change_medium(std::unique_ptr<BlockBackend> medium) {
    medium_ = std::move(medium);
    changed_ = true;
    if (!medium_) return;
    auto geometry = floppy_geometry(*medium_);
    check(geometry.has_value(), "an image too large for a floppy disk");
    geometry_ = *geometry;
}

// A 1.2M drive turns faster and reads 360K disks at 300 kbit/s.
bool FloppyDrive::readable_at(u8 rate) const {
    return rate == geometry_.rate || (rate == 1 && geometry_.rate == 2 && geometry_.drive_type == 1);
}

void FloppyDrive::seek(u8 cylinder) {
    cylinder = std::min(cylinder, last_cylinder);
    if (cylinder != cylinder_ && medium_) changed_ = false;
    cylinder_ = cylinder;
}

bool FloppyDrive::exists(u8 head, u8 sector) const {
    return medium_ && cylinder_ < geometry_.cylinders && head < geometry_.heads && sector >= 1 &&
           sector <= geometry_.sectors;
}

u64 FloppyDrive::offset(u8 head, u8 sector) const {
    return ((u64{cylinder_} * geometry_.heads + head) * geometry_.sectors + sector - 1) * sector_size;
}

bool FloppyDrive::read(u8 head, u8 sector, std::span<u8> bytes) {
    u64 at = offset(head, sector), size = medium_->size();
    u64 there = at < size ? std::min<u64>(size - at, bytes.size()) : 0;
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(there), bytes.end(), 0);
    return there == 0 || medium_->read(at, bytes.first(there));
}

bool FloppyDrive::write(u8 head, u8 sector, std::span<const u8> bytes) {
    u64 at = offset(head, sector), size = medium_->size();
    u64 there = at < size ? std::min<u64>(size - at, bytes.size()) : 0;
    // The padding behind a short image is not kept anywhere: only what it reads as may be written to it.
    if (std::any_of(bytes.begin() + static_cast<std::ptrdiff_t>(there), bytes.end(), [](u8 byte) { return byte != 0; }))
        return false;
    return there == 0 || medium_->write(at, bytes.first(there));
}

void FloppyDrive::serialize(Archive& a) {
    a(cylinder_, changed_, type_);
    if (cylinder_ > last_cylinder || type_ > 6) {
        cylinder_ = 0;
        type_ = 4;
        a.refuse();
    }
}

}  // namespace vellum
