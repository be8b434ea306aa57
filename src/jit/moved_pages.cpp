// A page of code that is seen at another linear address than before takes its translations along. Linux loads a program
// and its libraries somewhere else each time; the pages of memory that they lie in stay the same.
#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "jit/dispatcher.hpp"

namespace vellum {

namespace {

BlockKey page_of_key(const BlockKey& key) { return {page_of(key.physical), page_of(key.linear), key.mode}; }

void add_to(u8* constant, u32 by) {
    u32 value;
    std::memcpy(&value, constant, sizeof value);
    value += by;
    std::memcpy(constant, &value, sizeof value);
}

}  // namespace

bool CodeCache::has_group(const BlockKey& place) const { return groups_.contains(page_of_key(place)); }

PageGroup* CodeCache::group_elsewhere(const BlockKey& place, const std::function<bool(const PageGroup&)>& may_move) {
    PageUsers* users = users_of(page_of(place.physical));
    if (!users || has_group(place)) return nullptr;
    PageGroup* most = nullptr;
    for (PageGroup* group : users->groups)
        if (group->page.mode == place.mode && group->blocks.size() > (most ? most->blocks.size() : 0) &&
            may_move(*group))
            most = group;
    return most;
}

std::vector<PageGroup*> CodeCache::linked_groups(PageGroup& group, std::size_t most,
                                                 const std::function<bool(const PageGroup&)>& along) {
    std::vector<PageGroup*> found{&group};
    std::unordered_set<const PageGroup*> asked{&group};
    auto consider = [&](PageGroup& other) {
        if (found.size() < most && asked.insert(&other).second && other.page.mode == group.page.mode && along(other))
            found.push_back(&other);
    };
    for (std::size_t i = 0; i < found.size() && found.size() < most; ++i) {
        for (const ExitSite* site : found[i]->cross_links)
            if (site->linked) consider(*site->linked->group);
        for (const Block* block : found[i]->blocks)
            for (const ExitSite* site = block->incoming; site; site = site->next_incoming)
                consider(*site->block->group);
    }
    return found;
}

// Links among the pages stay, since both of their ends move. Others need not hold any more; nor what exits to the
// interpreter remember, which may be of another mode.
void CodeCache::move(const std::vector<PageGroup*>& groups, u32 by, const CodeMode& mode) {
    auto moves = [&](const PageGroup* group) { return std::find(groups.begin(), groups.end(), group) != groups.end(); };
    for (PageGroup* group : groups) {
        for (Block* block : group->blocks) {
            for (ExitSite* site = block->exits; site; site = site->next)
                if (site->linked && !moves(site->linked->group)) unlink(*site);
            for (ExitSite *site = block->incoming, *next; site; site = next) {
                next = site->next_incoming;
                if (!moves(site->block->group)) unlink(*site);
            }
        }
        std::erase_if(group->cross_links, [](const ExitSite* site) { return !site->linked; });
    }
    for (PageGroup* group : groups) {
        auto node = groups_.extract(group->page);
        std::erase(groups_at_[raw(group->page.linear)], group);
        group->page.linear = Linear{static_cast<u32>(raw(group->page.linear) + by)};
        node.key() = group->page;
        groups_.insert(std::move(node));
        groups_at_[raw(group->page.linear)].push_back(group);
        for (Block* block : std::vector<Block*>{group->blocks}) move(*block, by, mode);  // some may cease
    }
}

void CodeCache::move(Block& block, u32 by, const CodeMode& mode) {
    if (block.fixed) return invalidate(block);
    blocks_.remove(block);
    block.key.linear = Linear{static_cast<u32>(raw(block.key.linear) + by)};
    block.eip += by;
    for (u32& eip : block.eips) eip += by;
    for (ExitSite* site = block.exits; site; site = site->next) {
        site->eip += by;
        site->next_eip += by;
    }
    for (const EipConstant& c : block.eip_constants) add_to(memory_->writable() + c.host, c.negative ? 0 - by : by);
    blocks_.add(block);
    ++blocks_moved;
    tell_of(block, mode);
}

// Only where nobody sees the page where it was: whoever does would translate it anew.
bool Translator::may_move(const PageGroup& group, const View& view) {
    bool seen = group.global || group.members.has(view.slot);
    group.members.for_each(
        [&](u32 slot) { seen |= spaces_.still_maps_code(slot, group.page.linear, group.page.physical); });
    return !seen;
}

// Pages of the same program or library lie as far from where they were. Blocks end before breakpoints, which lie at
// linear addresses: those that come from elsewhere would not.
bool Translator::adopt_page(View& view, const BlockKey& place) {
    constexpr std::size_t most_at_once = 64;  // some 1,500 blocks, a millisecond
    const CodeMode& mode = modes_[place.mode];
    if (!config_.moved_pages || stops_.any_on(place.linear) || !mode.flat_code() || !mode.code32()) return false;
    PageGroup* group = cache_.group_elsewhere(place, [&](const PageGroup& old) { return may_move(old, view); });
    if (!group) return false;
    u32 by = static_cast<u32>(raw(page_of(place.linear)) - raw(group->page.linear));
    auto comes_along = [&](const PageGroup& other) {
        BlockKey there = other.page;
        there.linear = Linear{static_cast<u32>(raw(there.linear) + by)};
        return may_move(other, view) && !cache_.has_group(there) && !stops_.any_on(there.linear) &&
               spaces_.would_fetch(view, there.linear, there.physical);
    };
    std::vector<PageGroup*> groups = cache_.linked_groups(*group, most_at_once, comes_along);
    for (const PageGroup* moving : groups) expel(moving->members);
    cache_.move(groups, by, mode);
    return true;
}

}  // namespace vellum
