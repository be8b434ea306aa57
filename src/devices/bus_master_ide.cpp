// Registers and region tables.
#include "devices/bus_master_ide.hpp"

#include <algorithm>

namespace vellum {

namespace {

constexpr u8 start = 0x01, to_memory = 0x08;                                        // command
constexpr u8 status_active = 0x01, status_clearable = 0x06, status_capable = 0x60;  // status

}  // namespace

u8 BusMaster::read(u8 index) const {
    switch (index) {
        case 0: return command_;
        case 2: return status_;
        case 4:
        case 5:
        case 6:
        case 7: return static_cast<u8>(table_ >> (8 * (index - 4)));
        default: return 0;
    }
}

void BusMaster::write(u8 index, u8 value) {
    if (index == 0) {
        bool starts = (value & start) && !(command_ & start);
        command_ = value & (start | to_memory);
        if (!(value & start)) status_ &= ~status_active;
        if (!starts) return;
        status_ |= status_active;
        entry_ = table_;
        left_ = 0;
        last_ = false;
        if (on_start_) on_start_();
    } else if (index == 2) {
        status_ &= ~(value & status_clearable);
        status_ = (status_ & ~status_capable) | (value & status_capable);
    } else if (index >= 4 && index <= 7) {
        u32 shift = 8 * (index - 4);
        table_ = ((table_ & ~(0xFFu << shift)) | u32{value} << shift) & ~3u;
    }
}

// Entry: |31..1 address|0|, |31 last|30..16 -|15..1 count, 0 is 64 KiB|0|. The table stays within 64 KiB.
u32 BusMaster::next_piece(u32 most) {
    if (left_ == 0) {
        if (last_) return 0;
        std::array<u8, 8> bytes;
        memory_.read(Physical{entry_}, bytes);
        address_ = (bytes[0] | bytes[1] << 8 | bytes[2] << 16 | u32{bytes[3]} << 24) & ~1u;
        u32 count = (bytes[4] | bytes[5] << 8) & 0xFFFE;
        left_ = count ? count : 0x10000;
        last_ = bytes[7] & 0x80;
        entry_ = (entry_ & 0xFFFF'0000) | ((entry_ + 8) & 0xFFFF);
    }
    return std::min(left_, most);
}

void BusMaster::advance(u32 count) {
    address_ += count;
    left_ -= count;
    if (left_ == 0 && last_) status_ &= ~status_active;
}

bool BusMaster::store(std::span<const u8> bytes) {
    while (!bytes.empty()) {
        u32 count = next_piece(static_cast<u32>(bytes.size()));
        if (count == 0) return false;
        memory_.write(Physical{address_}, bytes.first(count));
        advance(count);
        bytes = bytes.subspan(count);
    }
    return true;
}

bool BusMaster::load(std::span<u8> bytes) {
    while (!bytes.empty()) {
        u32 count = next_piece(static_cast<u32>(bytes.size()));
        if (count == 0) return false;
        memory_.read(Physical{address_}, bytes.first(count));
        advance(count);
        bytes = bytes.subspan(count);
    }
    return true;
}

void BusMaster::reset() {
    command_ = status_ = 0;
    table_ = entry_ = address_ = left_ = 0;
    last_ = false;
}

void BusMaster::serialize(Archive& a) { a(command_, status_, table_, entry_, address_, left_, last_); }

}  // namespace vellum
