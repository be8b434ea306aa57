// Commands of the disk.
#include "devices/ata_disk.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace vellum {

namespace {

constexpr u8 uncorrectable = 0x40, id_not_found = 0x10;
constexpr u8 lba_mode = 0x40;           // device register
constexpr u32 most_multiple = 16;       // sectors in one block
constexpr u32 dma_chunk_sectors = 128;  // moved at once
constexpr u64 most_lba28 = 0x0FFF'FFFF;

}  // namespace

AtaDisk::AtaDisk(Scheduler& scheduler, BusMaster& bus_master, Log& log, std::unique_ptr<BlockBackend> backend,
                 std::string serial)
    : IdeDrive{scheduler, bus_master, log},
      backend_{std::move(backend)},
      serial_{std::move(serial)},
      sectors_{backend_->size() / sector_size},
      geometry_{default_geometry()} {
    check(sectors_ > 0, "a disk without a sector");
}

// 16 heads and 63 sectors, the number of cylinders limited as every drive above 8 GB does.
AtaDisk::Geometry AtaDisk::default_geometry() const {
    u64 cylinders = std::clamp<u64>(sectors_ / (16 * 63), 1, 16383);
    return {static_cast<u32>(cylinders), 16, 63};
}

void AtaDisk::restore_defaults(bool power_on) {
    multiple_ = 0;
    remaining_ = 0;
    if (!power_on) return;
    geometry_ = default_geometry();
    multiword_mode_ = 2;
    ultra_mode_ = no_mode;
    write_cache_ = true;
}

void AtaDisk::set_signature() {
    count_ = {1, 0};
    lba_low_ = {1, 0};
    lba_mid_ = lba_high_ = {};
    device_ &= 0xB0;
}

// Takes address and count from the registers; false when the request leaves the disk.
bool AtaDisk::take_address(bool extended) {
    extended_ = extended;
    remaining_ = extended ? count_.before << 8 | count_.now : count_.now;
    if (remaining_ == 0) remaining_ = extended ? 65536 : 256;
    u32 low = lba_low_.now | lba_mid_.now << 8 | lba_high_.now << 16;
    if (extended) {
        u32 high = lba_low_.before | lba_mid_.before << 8 | lba_high_.before << 16;
        lba_ = u64{high} << 24 | low;
    } else if (device_ & lba_mode) {
        lba_ = u64{device_ & 15u} << 24 | low;
    } else {
        u32 cylinder = lba_mid_.now | lba_high_.now << 8, head = device_ & 15, sector = lba_low_.now;
        bool exists = sector >= 1 && sector <= geometry_.sectors && head < geometry_.heads;
        lba_ = exists ? (u64{cylinder} * geometry_.heads + head) * geometry_.sectors + sector - 1 : sectors_;
    }
    if (lba_ < sectors_ && remaining_ <= sectors_ - lba_) return true;
    lba_ = remaining_ = 0;
    return false;
}

void AtaDisk::show_address(u64 lba) {
    auto byte = [lba](u32 i) { return static_cast<u8>(lba >> (8 * i)); };
    if (extended_) {
        lba_low_ = {byte(0), byte(3)};
        lba_mid_ = {byte(1), byte(4)};
        lba_high_ = {byte(2), byte(5)};
    } else if (device_ & lba_mode) {
        lba_low_.now = byte(0);
        lba_mid_.now = byte(1);
        lba_high_.now = byte(2);
        device_ = (device_ & 0xF0) | (byte(3) & 15);
    } else {
        u32 track = static_cast<u32>(lba / geometry_.sectors), cylinder = track / geometry_.heads;
        lba_low_.now = static_cast<u8>(lba % geometry_.sectors + 1);
        lba_mid_.now = static_cast<u8>(cylinder);
        lba_high_.now = static_cast<u8>(cylinder >> 8);
        device_ = static_cast<u8>((device_ & 0xF0) | track % geometry_.heads);
    }
}

void AtaDisk::execute(u8 command) {
    switch (command) {
        case 0x20:
        case 0x21: return transfer_pio(false, false, 1);
        case 0x24: return transfer_pio(true, false, 1);
        case 0x29: return transfer_pio(true, false, multiple_);
        case 0xC4: return transfer_pio(false, false, multiple_);
        case 0x30:
        case 0x31: return transfer_pio(false, true, 1);
        case 0x34: return transfer_pio(true, true, 1);
        case 0x39: return transfer_pio(true, true, multiple_);
        case 0xC5: return transfer_pio(false, true, multiple_);
        case 0xC8:
        case 0xC9: return transfer_dma(false, false);
        case 0x25: return transfer_dma(true, false);
        case 0xCA:
        case 0xCB: return transfer_dma(false, true);
        case 0x35: return transfer_dma(true, true);
        case 0x40:
        case 0x41: return verify(false);
        case 0x42: return verify(true);
        case 0x91: return initialize_parameters();
        case 0xC6: return set_multiple();
        case 0xE7:
        case 0xEA: return flush();
        case 0xEC: return identify();
        case 0xEF: return set_features();
        case 0xF8: return native_maximum(false);
        case 0x27: return native_maximum(true);
        case 0x98:
        case 0xE5: count_.now = 0xFF; return finish();  // CHECK POWER MODE: active
        case 0x94:                                      // standby, idle and sleep: the platters never stop
        case 0x95:
        case 0x96:
        case 0x97:
        case 0x99:
        case 0xE0:
        case 0xE1:
        case 0xE2:
        case 0xE3:
        case 0xE6: return finish();
        case 0x00: return fail(aborted);  // NOP always is
        default: break;
    }
    if ((command & 0xF0) == 0x10) return finish();  // RECALIBRATE
    if ((command & 0xF0) == 0x70) {                 // SEEK
        count_.now = 1;
        return take_address(false) ? finish() : fail(id_not_found);
    }
    abort_with_log("disk: command", command);
}

void AtaDisk::transfer_pio(bool extended, bool write, u32 sectors_per_block) {
    if (sectors_per_block == 0 || (write && backend_->read_only())) return fail(aborted);
    if (!take_address(extended)) return fail(id_not_found);
    per_block_ = sectors_per_block;
    writing_ = write;
    if (!write) return read_block();
    request_block(0, std::min(per_block_, remaining_) * sector_size, false);  // the first comes without an interrupt
}

void AtaDisk::read_block() {
    u32 count = std::min(per_block_, remaining_);
    if (!read_sectors(count)) return fail(uncorrectable);
    request_block(0, count * sector_size, true);
    raise_interrupt();
}

void AtaDisk::write_block() {
    u32 count = std::min(per_block_, remaining_);
    if (!write_sectors(count)) return fail(aborted);
    if (remaining_ == 0) return complete_write();
    request_block(0, std::min(per_block_, remaining_) * sector_size, false);
    raise_interrupt();
}

void AtaDisk::block_done() {
    if (writing_ || remaining_ > 0)
        continue_later();
    else
        idle(idle_status());  // the last block of a read ends without an interrupt
}

void AtaDisk::resume() { writing_ ? write_block() : read_block(); }

void AtaDisk::transfer_dma(bool extended, bool write) {
    if (write && backend_->read_only()) return fail(aborted);
    if (!take_address(extended)) return fail(id_not_found);
    writing_ = write;
    wait_for_dma();
}

// A table that is too short leaves the drive waiting for more, as on the real bus, until a reset.
void AtaDisk::run_dma() {
    while (remaining_ > 0) {
        u32 count = std::min(dma_chunk_sectors, remaining_);
        buffer_.resize(std::max<std::size_t>(buffer_.size(), dma_chunk_sectors * sector_size));
        std::span<u8> chunk{buffer_.data(), count * sector_size};
        if (writing_) {
            if (!bus_master_.load(chunk)) return;
            if (!write_sectors(count)) return fail(aborted);
        } else {
            if (!read_sectors(count)) return fail(uncorrectable);
            if (!bus_master_.store(chunk)) return;
        }
    }
    writing_ ? complete_write() : finish();
}

bool AtaDisk::read_sectors(u32 count) {
    if (buffer_.size() < count * sector_size) buffer_.resize(count * sector_size);
    if (!backend_->read(lba_ * sector_size, {buffer_.data(), count * sector_size})) {
        show_address(lba_);
        return false;
    }
    advance(count);
    return true;
}

bool AtaDisk::write_sectors(u32 count) {
    if (buffer_.size() < count * sector_size) buffer_.resize(count * sector_size);
    if (!backend_->write(lba_ * sector_size, {buffer_.data(), count * sector_size})) {
        show_address(lba_);
        return false;
    }
    advance(count);
    return true;
}

void AtaDisk::advance(u32 count) {
    lba_ += count;
    remaining_ -= count;
    show_address(lba_ - 1);
    count_.now = static_cast<u8>(remaining_);
    if (extended_) count_.before = static_cast<u8>(remaining_ >> 8);
}

void AtaDisk::complete_write() {
    if (!write_cache_ && !backend_->flush()) return fail(aborted);
    finish();
}

void AtaDisk::verify(bool extended) {
    if (!take_address(extended)) return fail(id_not_found);
    while (remaining_ > 0)
        if (!read_sectors(std::min(dma_chunk_sectors, remaining_))) return fail(uncorrectable);
    finish();
}

void AtaDisk::flush() { backend_->flush() ? finish() : fail(aborted); }

void AtaDisk::initialize_parameters() {
    u32 heads = (device_ & 15) + 1, sectors = count_.now;
    if (sectors == 0 || sectors > 63) return fail(aborted);
    u64 cylinders = std::clamp<u64>(sectors_ / (u64{heads} * sectors), 1, 16383);
    geometry_ = {static_cast<u32>(cylinders), heads, sectors};
    finish();
}

void AtaDisk::set_multiple() {
    u8 count = count_.now;
    if (count > most_multiple || (count & (count - 1)) != 0) return fail(aborted);
    multiple_ = count;
    finish();
}

// |7..3 kind|2..0 mode|: 00h-0Fh PIO, 20h-22h multiword DMA, 40h-45h Ultra DMA
bool AtaDisk::set_transfer_mode(u8 mode) {
    if (mode <= 0x01 || (mode >= 0x08 && mode <= 0x0C)) return true;
    if (mode >= 0x20 && mode <= 0x22) {
        multiword_mode_ = mode & 7;
        ultra_mode_ = no_mode;
    } else if (mode >= 0x40 && mode <= 0x45) {
        ultra_mode_ = mode & 7;
        multiword_mode_ = no_mode;
    } else {
        return false;
    }
    return true;
}

void AtaDisk::set_features() {
    switch (feature_.now) {
        case 0x02: write_cache_ = true; return finish();
        case 0x82: write_cache_ = false; return flush();
        case 0x03: return set_transfer_mode(count_.now) ? finish() : fail(aborted);
        case 0x55:  // look-ahead, and which settings a soft reset keeps: no difference here
        case 0xAA:
        case 0x66:
        case 0xCC: return finish();
        default: return abort_with_log("disk: feature", feature_.now);
    }
}

void AtaDisk::native_maximum(bool extended) {
    extended_ = extended;
    device_ |= lba_mode;
    show_address(extended ? sectors_ - 1 : std::min(sectors_ - 1, most_lba28));
    finish();
}

// IDENTIFY DEVICE (8.15): words, little endian; strings have their bytes swapped within words.
void AtaDisk::identify() {
    std::array<u16, 256> words{};
    auto text = [&words](u32 first, u32 count, std::string_view s) {
        for (u32 i = 0; i < 2 * count; ++i) {
            u16 c = i < s.size() ? static_cast<u8>(s[i]) : ' ';
            words[first + i / 2] |= i % 2 ? c : c << 8;
        }
    };
    Geometry normal = default_geometry();
    u32 chs_sectors = geometry_.cylinders * geometry_.heads * geometry_.sectors;
    u32 lba28 = static_cast<u32>(std::min(sectors_, most_lba28));
    words[0] = 0x0040;  // fixed
    words[1] = static_cast<u16>(normal.cylinders);
    words[3] = static_cast<u16>(normal.heads);
    words[6] = static_cast<u16>(normal.sectors);
    text(10, 10, serial_);
    text(23, 4, "1.0");
    text(27, 20, "VELLUM HARDDISK");
    words[47] = 0x8000 | most_multiple;
    words[49] = 0x0F00;  // IORDY, LBA, DMA
    words[50] = 0x4000;
    words[51] = words[52] = 0x0200;
    words[53] = 0x0007;  // words 54-58, 64-70 and 88 are valid
    words[54] = static_cast<u16>(geometry_.cylinders);
    words[55] = static_cast<u16>(geometry_.heads);
    words[56] = static_cast<u16>(geometry_.sectors);
    words[57] = static_cast<u16>(chs_sectors);
    words[58] = static_cast<u16>(chs_sectors >> 16);
    words[59] = multiple_ ? 0x0100 | multiple_ : 0;
    words[60] = static_cast<u16>(lba28);
    words[61] = static_cast<u16>(lba28 >> 16);
    words[63] = 0x0007 | (multiword_mode_ == no_mode ? 0 : 0x0100 << multiword_mode_);
    words[64] = 0x0003;  // PIO modes 3 and 4
    words[65] = words[66] = words[67] = words[68] = 120;
    words[80] = 0x007E;  // ATA-1 to ATA/ATAPI-6
    words[82] = 0x4020;  // NOP, write cache
    words[83] = 0x7400;  // FLUSH CACHE EXT, FLUSH CACHE, 48-bit addresses
    words[84] = 0x4000;
    words[85] = write_cache_ ? 0x4020 : 0x4000;
    words[86] = 0x3400;
    words[87] = 0x4000;
    words[88] = 0x003F | (ultra_mode_ == no_mode ? 0 : 0x0100 << ultra_mode_);
    words[93] = 0x6001 | ((device_ & 0x10) ? 0x0800 : 0x0008);  // 80 wires
    for (u32 i = 0; i < 4; ++i) words[100 + i] = static_cast<u16>(sectors_ >> (16 * i));
    request_block(0, sector_size, true);
    for (u32 i = 0; i < sector_size; ++i) buffer_[i] = static_cast<u8>(words[i / 2] >> (8 * (i % 2)));
    writing_ = false;
    remaining_ = 0;
    raise_interrupt();
}

void AtaDisk::serialize(Archive& a) {
    a.section("ata disk", 1);
    IdeDrive::serialize(a);
    a(geometry_.cylinders, geometry_.heads, geometry_.sectors, lba_, remaining_, per_block_, extended_, writing_);
    a(multiple_, multiword_mode_, ultra_mode_, write_cache_);
    // What follows indexes the buffer and the image: another disk's state is refused.
    bool shape = geometry_.heads >= 1 && geometry_.heads <= 16 && geometry_.sectors >= 1 && geometry_.sectors <= 63;
    bool range = lba_ <= sectors_ && remaining_ <= sectors_ - lba_ && per_block_ >= 1 && per_block_ <= most_multiple;
    if (!shape || !range || multiple_ > most_multiple) {
        geometry_ = default_geometry();
        remaining_ = 0;
        lba_ = 0;
        per_block_ = 1;
        a.refuse();
    }
}

}  // namespace vellum
