// Linear addresses at which translations end and none begins: breakpoints of a debugger, and instruction breakpoints of
// the guest's debug registers. What is there is the interpreter's.
#pragma once

#include <algorithm>
#include <vector>

#include "base/types.hpp"

namespace vellum {

class CodeStops {
 public:
    bool at(u32 linear) const {
        return !addresses_.empty() && std::binary_search(addresses_.begin(), addresses_.end(), linear);
    }
    bool on_page(Linear page) const {
        auto first = std::lower_bound(addresses_.begin(), addresses_.end(), static_cast<u32>(raw(page)));
        return first != addresses_.end() && raw(page_of(Linear{*first})) == raw(page);
    }
    // Those that were not among them before.
    std::vector<u32> replace(std::vector<u32> addresses) {
        std::sort(addresses.begin(), addresses.end());
        std::vector<u32> more;
        std::set_difference(addresses.begin(), addresses.end(), addresses_.begin(), addresses_.end(),
                            std::back_inserter(more));
        addresses_ = std::move(addresses);
        return more;
    }

 private:
    std::vector<u32> addresses_;  // rising
};

}  // namespace vellum
