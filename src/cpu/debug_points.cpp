// The table of a debugger's points, and what follows from it.
#include "cpu/debug_points.hpp"

#include <algorithm>
#include <utility>

namespace vellum {

void add_watched_page(std::vector<WatchedPage>& pages, WatchedPage added) {
    auto at = std::lower_bound(pages.begin(), pages.end(), added.address,
                               [](const WatchedPage& w, u32 address) { return w.address < address; });
    if (at == pages.end() || at->address != added.address)
        pages.insert(at, added);
    else
        at->reads |= added.reads;
}

bool DebugPoints::add(DebugPoint point) {
    if (point.is_break()) point.length = 1;
    if (point.length == 0 || point.length > longest_watch || point.address + (point.length - 1) < point.address)
        return false;
    if (std::find(points_.begin(), points_.end(), point) != points_.end()) return true;
    if (points_.size() == most_points) return false;
    points_.push_back(point);
    derive();
    return true;
}

void DebugPoints::remove(DebugPoint point) {
    if (point.is_break()) point.length = 1;
    std::erase(points_, point);
    derive();
}

void DebugPoints::clear() {
    points_.clear();
    derive();
}

void DebugPoints::derive() {
    breakpoints_.clear();
    watched_pages_.clear();
    for (const DebugPoint& point : points_) {
        if (point.is_break()) {
            breakpoints_.push_back(point.address);
            continue;
        }
        bool reads = point.watches(false);
        u32 first = point.address & ~page_offset_mask, last = (point.address + point.length - 1) & ~page_offset_mask;
        for (u32 page : {first, last}) add_watched_page(watched_pages_, {page, reads});
    }
    std::sort(breakpoints_.begin(), breakpoints_.end());
}

bool DebugPoints::breakpoint_at(u32 linear) const {
    return std::binary_search(breakpoints_.begin(), breakpoints_.end(), linear);
}

void DebugPoints::begin_run(bool step) {
    stepping_ = step;
    passed_.reset();
    if (reached_ && reached_->point && reached_->point->is_break()) passed_ = reached_->address;
    reached_.reset();
}

bool DebugPoints::stops_before(u32 linear) {
    if (std::exchange(passed_, std::nullopt) == linear || !breakpoint_at(linear)) return false;
    auto point = std::find_if(points_.begin(), points_.end(),
                              [&](const DebugPoint& p) { return p.is_break() && p.address == linear; });
    reached_ = {*point, linear};
    return true;
}

void DebugPoints::step_done() {
    if (!reached_) reached_ = Reached{};
}

void DebugPoints::touched(u32 linear, u32 bytes, bool write) {
    if (reached_) return;  // the first one counts
    for (const DebugPoint& point : points_) {
        if (point.is_break() || !point.watches(write)) continue;
        u64 first = std::max(linear, point.address);
        u64 end = std::min(u64{linear} + bytes, u64{point.address} + point.length);
        if (first < end) {
            reached_ = {point, static_cast<u32>(first)};
            return;
        }
    }
}

}  // namespace vellum
