// Searching the shadow of a window.
#include "jit/shadow_pages.hpp"

#include <algorithm>

namespace vellum {

bool ShadowPages::any_shown(u32 from, u32 to) const {
    for (u32 page = from; page < to;) {
        u32 index = page / ShadowLeaf::pages, start = index * ShadowLeaf::pages, end = start + ShadowLeaf::pages;
        const ShadowLeaf* l = leaf(index);
        if (l && l->shown.any(page - start, std::min(to, end) - start)) return true;
        page = end;
    }
    return false;
}

}  // namespace vellum
