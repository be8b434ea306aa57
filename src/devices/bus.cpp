// Routing of accesses.
#include "devices/bus.hpp"

namespace vellum {

void Bus::claim(std::string_view owner, u32 first, u32 count, BusTarget& target, Width width, Timing timing) {
    check(count > 0 && !find_in(fixed_, first) && !find_in(fixed_, first + count - 1), "bus range claimed twice");
    fixed_[first] = Range{first, count, &target, owner, width, timing};
}

void Bus::claim_movable(std::string_view owner, u32 first, u32 count, BusTarget& target) {
    movable_[first] = Range{first, count, &target, owner, Width::Any, Timing::Timed};
}

void Bus::release_movable(u32 first, const BusTarget& target) {
    auto at = movable_.find(first);
    if (at != movable_.end() && at->second.target == &target) movable_.erase(at);
}

const Bus::Range* Bus::find_in(const std::map<u32, Range>& ranges, u32 address) {
    auto next = ranges.upper_bound(address);
    if (next == ranges.begin()) return nullptr;
    const Range& hit = (--next)->second;
    return hit.holds(address) ? &hit : nullptr;
}

const Bus::Range* Bus::find(u32 address) const {
    if (latest_ && latest_->holds(address)) return latest_;
    if (const Range* hit = find_in(fixed_, address)) return latest_ = hit;
    return find_in(movable_, address);
}

bool Bus::timeless(u32 address, u8 size) const {
    const Range* hit = find(address);
    return hit && hit->timing == Timing::Timeless && hit->holds(address + size - 1);
}

bool Bus::nobody_at(u32 address, u8 size) const {
    for (u8 i = 0; i < size; ++i)
        if (find(address + i)) return false;
    return true;
}

u32 Bus::read(u32 address, u8 size) const {
    const Range* hit = find(address);
    if (!hit && nobody_at(address, size)) {
        if (on_unclaimed_) on_unclaimed_(address, size, false);
        return open_bus(size);
    }
    if (size == 1 || (hit && hit->width == Width::Any && address - hit->first + size <= hit->count))
        return hit->target->read(address - hit->first, size) & open_bus(size);
    u32 value = 0;
    for (u8 i = 0; i < size; ++i) value |= read(address + i, 1) << (8 * i);
    return value;
}

void Bus::write(u32 address, u8 size, u32 value) const {
    const Range* hit = find(address);
    if (!hit && nobody_at(address, size)) {
        if (on_unclaimed_) on_unclaimed_(address, size, true);
        return;
    }
    if (size == 1 || (hit && hit->width == Width::Any && address - hit->first + size <= hit->count))
        return hit->target->write(address - hit->first, size, value & open_bus(size));
    for (u8 i = 0; i < size; ++i) write(address + i, 1, (value >> (8 * i)) & 0xFF);
}

}  // namespace vellum
