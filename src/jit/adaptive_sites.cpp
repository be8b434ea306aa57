// Patience, and terms that grow.
#include "jit/adaptive_sites.hpp"

#include <algorithm>

namespace vellum {

namespace {
constexpr u32 patience = 16;     // faults at one site before it becomes a callout
constexpr u32 first_term = 256;  // callouts before it is tried again; doubled each time
constexpr u32 most_doublings = 12;
constexpr std::size_t most_sites = 1 << 16;
// A fresh page costs translated code as much as some fifty callouts: a signal, and a page that is mapped and later
// taken out again; another exception some twenty.
constexpr u32 probation = 32, rated_term = 256, most_callouts_per_fault = 4;
}  // namespace

AdaptiveSites::Site& AdaptiveSites::site_at(Physical at) {
    if (sites_.size() >= most_sites) clear();
    return sites_[raw(at)];
}

void AdaptiveSites::begin_term(Physical at, Site& site, u32 term) {
    pages_.insert(raw(page_of(at)));
    site.faults = 0;
    site.again = 0;
    site.term = site.left = term;
}

bool AdaptiveSites::note_fault(Physical at, bool code) {
    Site& site = site_at(at);
    site.code = code;
    if (++site.faults < patience) return false;
    begin_term(at, site, first_term << std::min(site.terms, most_doublings));
    site.rated = false;
    return true;
}

bool AdaptiveSites::note_rated_fault(Physical at) {
    Site& site = site_at(at);
    if (++site.faults < patience << std::min(site.terms, most_doublings)) return false;
    begin_term(at, site, probation);
    site.rated = true;
    return true;
}

bool AdaptiveSites::end_of_term(Physical at, bool again) {
    auto found = sites_.find(raw(at));
    if (found == sites_.end() || found->second.term == 0) return true;
    Site& site = found->second;
    site.again += again;
    if (--site.left != 0) return false;
    if (site.rated && site.again * most_callouts_per_fault >= site.term) {
        begin_term(at, site, rated_term);
        return false;
    }
    site.faults = site.term = 0;
    ++site.terms;
    return true;
}

bool AdaptiveSites::is_callout(Physical at) const {
    auto site = sites_.find(raw(at));
    return site != sites_.end() && site->second.term != 0;
}

bool AdaptiveSites::meets_code(Physical at) const {
    auto site = sites_.find(raw(at));
    return site != sites_.end() && site->second.code && !site->second.rated;
}

void AdaptiveSites::clear() {
    sites_.clear();
    pages_.clear();
}

}  // namespace vellum
