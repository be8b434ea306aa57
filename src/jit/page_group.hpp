// Blocks of one page as seen at one linear address in one mode, and the address spaces that see it so.
//
// A link to another page holds for a view that shows both pages where the link was made. Hence the rule that makes
// every link true by construction: all members of the group that it leaves are members of the group where it leads. A
// view joins a group before it runs code of it, and then the groups that links lead to, or these links are given up.
#pragma once

#include <vector>

#include "jit/block.hpp"
#include "jit/view.hpp"

namespace vellum {

struct PageGroup {
    BlockKey page;        // of its first byte
    bool global = false;  // a global page: links to other such pages hold in every view until global pages are flushed
    ViewSet members;
    std::vector<Block*> blocks;          // that live
    std::vector<ExitSite*> cross_links;  // linked, or were once
    std::vector<ExitSite*> looked_up;    // ask the jump cache, because a member did not see where they lead
};

}  // namespace vellum
