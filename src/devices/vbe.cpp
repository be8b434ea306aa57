// Which values the DISPI registers take, and how a mode that does not fit is made to fit.
#include "devices/vbe.hpp"

#include <algorithm>

namespace vellum {

namespace {

constexpr u16 oldest_id = 0xB0C0, newest_id = 0xB0C5;

bool known_depth(u16 bits) { return bits == 4 || bits == 8 || bits == 15 || bits == 16 || bits == 24 || bits == 32; }

u16 saturate(u32 value) { return static_cast<u16>(std::min<u32>(value, 0xFFFF)); }

}  // namespace

void Vbe::reset() { *this = Vbe{memory_}, id_ = newest_id; }

void Vbe::serialize(Archive& a) {
    a(id_, enable_, bank_, width_, height_, bits_, virtual_width_, virtual_height_, offset_x_, offset_y_);
    if (!a.loading()) return;
    const Vbe loaded = *this;
    if (!enabled()) return;
    if (width_ == 0 || virtual_width_ < width_) return a.refuse();
    fit_mode();
    fit_view();
    const bool sound = loaded.width_ == width_ && loaded.height_ == height_ && loaded.bits_ == bits_ &&
                       loaded.offset_x_ == offset_x_ && loaded.offset_y_ == offset_y_ &&
                       loaded.virtual_width_ == virtual_width_ && bank_ < bank_count();
    if (!sound) a.refuse();
}

u16 Vbe::capability(VbeIndex index) const {
    switch (index) {
        case VbeIndex::Width: return vbe_most_columns;
        case VbeIndex::Height: return vbe_most_lines;
        default: return 32;
    }
}

u16 Vbe::read(u16 index) const {
    switch (const auto which = static_cast<VbeIndex>(index)) {
        case VbeIndex::Id: return id_;
        case VbeIndex::Width: return enable_ & vbe_enable::get_capabilities ? capability(which) : width_;
        case VbeIndex::Height: return enable_ & vbe_enable::get_capabilities ? capability(which) : height_;
        case VbeIndex::BitsPerPixel: return enable_ & vbe_enable::get_capabilities ? capability(which) : bits_;
        case VbeIndex::Enable: return enable_;
        case VbeIndex::Bank: return bank_;
        case VbeIndex::VirtualWidth: return virtual_width_;
        case VbeIndex::VirtualHeight: return virtual_height_;
        case VbeIndex::OffsetX: return offset_x_;
        case VbeIndex::OffsetY: return offset_y_;
        case VbeIndex::VideoMemory: return static_cast<u16>(memory_ >> 16);
        default: return 0;
    }
}

bool Vbe::write(u16 index, u16 value) {
    switch (static_cast<VbeIndex>(index)) {
        case VbeIndex::Id:
            if (value >= oldest_id && value <= newest_id) id_ = value;
            return false;
        case VbeIndex::Width: width_ = value; break;
        case VbeIndex::Height: height_ = value; break;
        case VbeIndex::BitsPerPixel: bits_ = value == 0 || !known_depth(value) ? 8 : value; break;
        case VbeIndex::Enable: return set_enable(value);
        case VbeIndex::Bank:
            if (value < bank_count()) bank_ = value;
            return false;
        case VbeIndex::VirtualWidth: virtual_width_ = value; break;
        case VbeIndex::OffsetX: offset_x_ = value; break;
        case VbeIndex::OffsetY: offset_y_ = value; break;
        default: return false;  // the virtual height follows from the virtual width
    }
    if (enabled()) {
        fit_mode();
        fit_view();
    }
    return false;
}

bool Vbe::set_enable(u16 value) {
    const bool rising = (value & vbe_enable::enabled) && !enabled();
    enable_ = value;
    if (!rising) return false;
    virtual_width_ = offset_x_ = offset_y_ = bank_ = 0;
    fit_mode();
    fit_view();
    return !(value & vbe_enable::keep_memory);
}

// Brings width, height and depth into what exists: the screen must lie in memory whatever the guest asked for.
void Vbe::fit_mode() {
    if (!known_depth(bits_)) bits_ = 8;
    width_ = static_cast<u16>(std::clamp<u32>(width_ & ~7u, 8, vbe_most_columns));
    const u32 line = width_ * (bits_ == 4 ? 1u : 2 * bytes_per_pixel()) / 2;
    height_ = static_cast<u16>(std::clamp<u32>(height_, 1, std::min<u32>(vbe_most_lines, memory_ / line)));
    bank_ = std::min<u16>(bank_, bank_count() - 1);
}

// Brings the virtual screen and the place of the visible part in it into memory.
void Vbe::fit_view() {
    const u32 widest = memory_ / height_ * 2 / (bits_ == 4 ? 1 : 2 * bytes_per_pixel());
    virtual_width_ = static_cast<u16>(
        std::clamp<u32>(virtual_width_ & ~7u, width_, std::max<u32>(std::min(widest, 0xFFF8u) & ~7u, width_)));
    virtual_height_ = saturate(memory_ / memory_per_line());
    offset_x_ = static_cast<u16>(std::min<u32>(offset_x_, virtual_width_ - width_));
    offset_y_ = static_cast<u16>(std::min<u32>(offset_y_, virtual_height_ - height_));
}

}  // namespace vellum
