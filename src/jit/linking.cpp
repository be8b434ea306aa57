// Which block may be linked to which, and in which views that holds (page_group.hpp).
#include "jit/dispatcher.hpp"

namespace vellum {

namespace {

bool same_page(const BlockKey& a, const BlockKey& b) {
    return page_of(a.physical) == page_of(b.physical) && page_of(a.linear) == page_of(b.linear);
}

}  // namespace

void Translator::enter_page(PageGroup& group, const View& view) {
    if (group.members.has(view.slot)) [[likely]]
        return;
    cache_.join(group, view.slot, [&](const PageGroup& other) {
        return spaces_.shows_code(view, other.page.linear, other.page.physical);
    });
}

// The last exit wanted to go on exactly here: let it, without us, the next time.
void Translator::link_pending(const View& view, Block& block) {
    ExitSite* site = pending_link_;
    pending_link_ = nullptr;
    if (!site || !config_.chaining || site->linked || site->block->dead) return;
    if (site->next_eip != block.eip) return;
    if (site->kind == ExitSite::Kind::Interpret) {
        if (site->stays_on_page && !block.straddles && same_page(site->block->key, block.key))
            cache_.remember(*site, block);
        return;
    }
    if (site->block->key.mode != block.key.mode) return;
    if (site->stays_on_page && !block.straddles) return cache_.link(*site, block);
    if (config_.page_links && may_cross(*site->block->group, block, view)) return cache_.link_across(*site, block);
    if (config_.jump_cache) cache_.look_up(*site);
}

// From that page to a block on another one.
bool Translator::may_cross(const PageGroup& from, const Block& to, const View& view) {
    if (from.global) return to.group->global;
    if (!from.members.has(view.slot)) return false;
    ViewSet self;
    self.add(view.slot);
    ViewSet in_the_way = from.members.without(to.straddles ? self : to.group->members);
    // It costs them some hundred look-ups, so none is asked often.
    constexpr u64 entries_between = 5000;
    bool spared = false;
    in_the_way.for_each([&](u32 slot) { spared |= expelled_[slot] && entries_ - expelled_[slot] < entries_between; });
    if (spared) return false;
    in_the_way.for_each([&](u32 slot) { expelled_[slot] = entries_; });
    expel(in_the_way);
    return true;
}

// They have to look their code up anew when they run again, if they ever do: the processes of most have ended.
void Translator::expel(const ViewSet& members) {
    if (!members.empty()) drop_places();
    members.for_each([&](u32 slot) {
        views_.expire(slot);
        cache_.leave(slot);
    });
}

}  // namespace vellum
