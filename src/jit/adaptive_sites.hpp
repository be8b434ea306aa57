// Instructions that keep faulting. Each becomes a callout, for a while: what it touches may change. By physical address
// of the instruction.
#pragma once

#include <unordered_map>
#include <unordered_set>

#include "base/types.hpp"

namespace vellum {

class AdaptiveSites {
 public:
    // It faulted in translated code, where the interpreter has to help. True: from now on it is to be a callout.
    // `code`: it wrote to a page with code.
    bool note_fault(Physical at, bool code);
    // The same where it met a fresh page, which no window showed (the guest's own page fault, or the first touch of a
    // page), or raised another exception. As a callout it is looked at whether it keeps doing so.
    bool note_rated_fault(Physical at);
    // It was executed as a callout, and did one of these or not. True: that was the last time, and it is to be
    // translated again.
    bool end_of_term(Physical at, bool again);

    bool none_on(Physical page) const { return !pages_.contains(raw(page)); }
    bool is_callout(Physical at) const;
    bool meets_code(Physical at) const;  // what it faulted at last
    void clear();

 private:
    struct Site {
        u32 faults = 0;  // while it is translated
        u32 again = 0;   // callouts of the term that would have faulted too
        u32 term = 0;    // callouts before it is judged again; 0: it is translated
        u32 left = 0;    // ... of which so many are still to come
        u32 terms = 0;   // how often it has been a callout and was given up: the next time takes longer, or more faults
        bool rated = false;
        bool code = false;
    };

    Site& site_at(Physical at);
    void begin_term(Physical at, Site& site, u32 term);

    std::unordered_map<u64, Site> sites_;
    std::unordered_set<u64> pages_;  // that have had callouts
};

}  // namespace vellum
