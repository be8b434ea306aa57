// Patience, and terms that grow.
#include "jit/adaptive_sites.hpp"

#include <algorithm>

namespace vellum {

namespace {
constexpr u32 patience = 16;     // faults at one site before it becomes a callout
constexpr u32 first_term = 256;  // callouts before it is tried again; doubled each time
constexpr u32 most_doublings = 12;
constexpr std::size_t most_sites = 1 << 16;
}  // namespace

bool AdaptiveSites::note_fault(Physical at) {
    if (sites_.size() >= most_sites) clear();
    pages_.insert(raw(page_of(at)));
    Site& site = sites_[raw(at)];
    if (++site.faults < patience) return false;
    site.faults = 0;
    site.budget = first_term << std::min(site.terms, most_doublings);
    ++site.terms;
    return true;
}

bool AdaptiveSites::end_of_term(Physical at) {
    auto site = sites_.find(raw(at));
    return site != sites_.end() && site->second.budget != 0 && --site->second.budget == 0;
}

bool AdaptiveSites::is_callout(Physical at) const {
    auto site = sites_.find(raw(at));
    return site != sites_.end() && site->second.budget != 0;
}

void AdaptiveSites::clear() {
    sites_.clear();
    pages_.clear();
}

}  // namespace vellum
