// Linear addresses of instructions that are the interpreter's, since a breakpoint lies there: a debugger's, or one of
// the guest's debug registers. Translated blocks end before them, in every address space, and none begins there.
#pragma once

#include <vector>

#include "base/types.hpp"

namespace vellum {

class Stops {
 public:
    // These and no others are breakpoints from now on. Gives back those among them where blocks may lie.
    //
    // What was one until now *lapses*: it stays for some time without being one. Debuggers take their breakpoints away
    // and put them back around each stop, and operating systems at each switch of tasks; no block need cease for it.
    std::vector<u32> set(const std::vector<u32>& breakpoints);

    bool has(u32 address) const;
    bool any_on(Linear page) const;

    // The instruction at this address is next: is it the interpreter's? One that has lapsed ceases to be when it was
    // asked for often.
    bool meets(u32 address);

 private:
    struct Stop {
        u32 address;
        u32 asked;  // since it lapsed
        bool lapsed;
    };
    static constexpr u32 most_asked = 100;  // steps of the interpreter: what translating two blocks costs
    static constexpr std::size_t most_lapsed = 64;

    std::vector<Stop> stops_;  // by address
};

}  // namespace vellum
