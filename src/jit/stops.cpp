// The addresses in order, and how they lapse.
#include "jit/stops.hpp"

#include <algorithm>

namespace vellum {

namespace {
constexpr auto before = [](const auto& stop, u32 address) { return stop.address < address; };
}

std::vector<u32> Stops::set(const std::vector<u32>& breakpoints) {
    for (Stop& stop : stops_) {
        if (!stop.lapsed) stop.asked = 0;
        stop.lapsed = true;
    }
    std::vector<u32> added;
    for (u32 address : breakpoints) {
        auto at = std::lower_bound(stops_.begin(), stops_.end(), address, before);
        if (at == stops_.end() || at->address != address) {
            at = stops_.insert(at, {address, 0, false});
            added.push_back(address);
        }
        at->lapsed = false;
    }
    auto has_lapsed = [](const Stop& stop) { return stop.lapsed; };
    if (static_cast<std::size_t>(std::count_if(stops_.begin(), stops_.end(), has_lapsed)) > most_lapsed)
        std::erase_if(stops_, has_lapsed);
    return added;
}

bool Stops::has(u32 address) const {
    auto at = std::lower_bound(stops_.begin(), stops_.end(), address, before);
    return at != stops_.end() && at->address == address;
}

bool Stops::any_on(Linear page) const {
    auto first = static_cast<u32>(raw(page_of(page)));
    auto at = std::lower_bound(stops_.begin(), stops_.end(), first, before);
    return at != stops_.end() && at->address - first < page_size;
}

bool Stops::meets(u32 address) {
    auto at = std::lower_bound(stops_.begin(), stops_.end(), address, before);
    if (at == stops_.end() || at->address != address) return false;
    if (!at->lapsed || ++at->asked <= most_asked) return true;
    stops_.erase(at);
    return false;
}

}  // namespace vellum
