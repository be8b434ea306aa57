// A page of code that is seen at another linear address than before takes its translations along. Linux loads a program
// and its libraries somewhere else each time; the pages of memory that they lie in stay the same.
#include <algorithm>
#include <cstring>

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

PageGroup* CodeCache::group_elsewhere(const BlockKey& place, const std::function<bool(const PageGroup&)>& may_move) {
    PageUsers* users = users_of(page_of(place.physical));
    if (!users || groups_.contains(page_of_key(place))) return nullptr;
    std::vector<std::pair<PageGroup*, u32>> counts;
    for (const Block* block : users->blocks) {
        const BlockKey& page = block->group->page;
        if (page.physical != page_of(place.physical) || page.mode != place.mode) continue;
        auto known = std::find_if(counts.begin(), counts.end(), [&](const auto& c) { return c.first == block->group; });
        if (known == counts.end())
            counts.emplace_back(block->group, 1);
        else
            ++known->second;
    }
    std::erase_if(counts, [&](const auto& c) { return c.first->global || !may_move(*c.first); });
    auto most = std::max_element(counts.begin(), counts.end(),
                                 [](const auto& a, const auto& b) { return a.second < b.second; });
    return most == counts.end() ? nullptr : most->first;
}

void CodeCache::move(PageGroup& group, Linear page, const CodeMode& mode) {
    std::vector<Block*> blocks;
    for (Block* block : users_of(group.page.physical)->blocks)
        if (block->group == &group) blocks.push_back(block);
    u32 by = static_cast<u32>(raw(page) - raw(group.page.linear));
    // Pages that were neighbours need not be.
    for (ExitSite* site : group.cross_links) unlink(*site);
    group.cross_links.clear();
    auto node = groups_.extract(group.page);
    group.page.linear = page;
    node.key() = group.page;
    groups_.insert(std::move(node));
    for (Block* block : blocks) move(*block, by, mode);
}

// Links inside of the page stay: both ends move.
void CodeCache::move(Block& block, u32 by, const CodeMode& mode) {
    if (block.fixed) return invalidate(block);
    for (ExitSite *site = block.incoming, *next; site; site = next) {
        next = site->next_incoming;
        if (site->block->group != block.group) unlink(*site);
    }
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

// Only where nobody sees the page where it was: whoever does would translate it anew. Blocks end before breakpoints,
// which lie at linear addresses.
bool Translator::adopt_page(const View& view, const BlockKey& place) {
    const CodeMode& mode = modes_[place.mode];
    if (!config_.moved_pages || !breakpoints_.empty() || !mode.flat_code() || !mode.code32()) return false;
    PageGroup* group = cache_.group_elsewhere(place, [&](const PageGroup& old) {
        bool seen = old.members.has(view.slot);
        old.members.for_each(
            [&](u32 slot) { seen |= spaces_.still_maps_code(slot, old.page.linear, old.page.physical); });
        return !seen;
    });
    if (!group) return false;
    expel(group->members);
    cache_.move(*group, page_of(place.linear), mode);
    return true;
}

}  // namespace vellum
