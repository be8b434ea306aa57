// Instructions that keep faulting where the interpreter has to help. Each becomes a callout, for a while: what it
// touches may change. By physical address of the instruction.
#pragma once

#include <unordered_map>
#include <unordered_set>

#include "base/types.hpp"

namespace vellum {

class AdaptiveSites {
 public:
    // It faulted in translated code. True: from now on it is to be a callout.
    bool note_fault(Physical at);
    // It was executed as a callout. True: that was the last of its term, and it is to be translated again.
    bool end_of_term(Physical at);

    bool none_on(Physical page) const { return !pages_.contains(raw(page)); }
    bool is_callout(Physical at) const;
    void clear();

 private:
    struct Site {
        u32 faults = 0;
        u32 budget = 0;  // callouts left before it is tried in translated code again; 0: it is translated
        u32 terms = 0;   // how often it has been a callout: each term is longer
    };
    std::unordered_map<u64, Site> sites_;
    std::unordered_set<u64> pages_;  // that have sites
};

}  // namespace vellum
