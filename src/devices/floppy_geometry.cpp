// The formats of floppy disks, and how an image of an odd size gets one.
#include "devices/floppy_geometry.hpp"

#include <algorithm>
#include <array>

namespace vellum {

namespace {

// Sectors of 512 bytes. Formats are told by sectors a track; how many tracks fit differs from drive to drive.
struct Format {
    u8 first_cylinders, last_cylinders, heads, sectors, rate, drive_type;
};

// More than 18 sectors a track are named as disks for a 2.88 MB drive: it reads all of these, and firmware that refuses
// sectors that a drive's usual format does not have (SeaBIOS) lets them pass there.
constexpr Format formats[] = {
    {40, 42, 1, 8, 2, 1},   // 160K
    {40, 42, 1, 9, 2, 1},   // 180K
    {40, 42, 2, 8, 2, 1},   // 320K
    {40, 42, 2, 9, 2, 1},   // 360K
    {80, 83, 2, 8, 2, 4},   // 640K
    {80, 83, 2, 9, 2, 4},   // 720K
    {80, 83, 2, 10, 2, 4},  // 800K, 820K
    {80, 83, 2, 11, 2, 4},  // 880K
    {80, 83, 2, 15, 0, 2},  // 1.2M
    {80, 83, 2, 18, 0, 4},  // 1.44M, 1476K, 1494K
    {80, 83, 2, 19, 0, 5},  // 1520K
    {80, 83, 2, 20, 0, 5},  // 1600K
    {80, 83, 2, 21, 0, 5},  // 1680K, 1722K, 1743K
    {80, 83, 2, 22, 0, 5},  // 1760K
    {80, 83, 2, 23, 0, 5},  // 1840K
    {80, 83, 2, 24, 0, 5},  // 1920K
    {80, 83, 2, 36, 3, 5},  // 2.88M
    {80, 83, 2, 40, 3, 5},  // 3200K
    {80, 83, 2, 44, 3, 5},  // 3520K
    {80, 83, 2, 48, 3, 5},  // 3840K
};
constexpr FloppyGeometry high_density{80, 2, 18, 0, 4}, extended_density{80, 2, 36, 3, 5};

FloppyGeometry of(const Format& format, u32 cylinders) {
    return {static_cast<u8>(cylinders), format.heads, format.sectors, format.rate, format.drive_type};
}

std::optional<FloppyGeometry> by_size(u64 size) {
    for (const Format& format : formats) {
        u32 cylinder = of(format, 1).bytes();
        u64 cylinders = size / cylinder;
        if (size % cylinder == 0 && cylinders >= format.first_cylinders && cylinders <= format.last_cylinders)
            return of(format, static_cast<u32>(cylinders));
    }
    return std::nullopt;
}

// |0Bh: bytes a sector|13h: sectors in all|18h: sectors a track|1Ah: heads|, 16 bits each, little endian.
std::optional<FloppyGeometry> by_boot_sector(BlockBackend& image) {
    std::array<u8, 0x1C> boot;
    if (image.size() < 512 || !image.read(0, boot)) return std::nullopt;
    auto word = [&boot](u32 at) { return u32{boot[at]} | u32{boot[at + 1]} << 8; };
    if (word(0x0B) != 512) return std::nullopt;
    auto geometry = by_size(u64{word(0x13)} * 512);
    bool believed = geometry && word(0x18) == geometry->sectors && word(0x1A) == geometry->heads;
    return believed && image.size() <= geometry->bytes() ? geometry : std::nullopt;
}

}  // namespace

std::optional<FloppyGeometry> floppy_geometry(BlockBackend& image) {
    if (auto geometry = by_size(image.size())) return geometry;
    if (auto geometry = by_boot_sector(image)) return geometry;
    if (image.size() <= high_density.bytes()) return high_density;
    if (image.size() <= extended_density.bytes()) return extended_density;
    return std::nullopt;
}

}  // namespace vellum
