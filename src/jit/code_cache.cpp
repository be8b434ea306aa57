// Allocation in regions, links and their undoing.
#include "jit/code_cache.hpp"

#include <algorithm>
#include <new>

#include "base/check.hpp"
#include "jit/code_names.hpp"
#include "jit/runtime_stubs.hpp"

namespace vellum {

namespace {
constexpr u64 data_bytes = 2 * page_size, runtime_bytes = page_size;
constexpr u32 line = 64;  // bytes: blocks begin at one of the host's cache lines (docs/decisions/where-code-lies.md)
static_assert(sizeof(JitContext) <= data_bytes);
}  // namespace

CodeCache::CodeCache(const TranslatorConfig& config, ExitSite& indirect)
    : observer_{config.observer}, memory_{std::make_unique<HostCodeMemory>(config.cache_bytes, data_bytes)} {
    runtime_.context = new (memory_->data()) JitContext;
    Encoder encoder{memory_->writable(), memory_->executable(), static_cast<u32>(runtime_bytes)};
    emit_runtime(encoder, runtime_, indirect, config);
    if (observer_) tell_of_runtime(runtime_, memory_->writable(), *observer_);
    u32 each = static_cast<u32>((memory_->size() - runtime_bytes) / region_count) & ~63u;
    for (u32 i = 0; i < region_count; ++i) {
        regions_[i].begin = regions_[i].at = static_cast<u32>(runtime_bytes) + i * each;
        regions_[i].end = regions_[i].begin + each;
    }
}

CodeCache::~CodeCache() = default;

bool CodeCache::contains(u64 host_address) const {
    return host_address >= runtime_.code_base && host_address < runtime_.code_base + memory_->size();
}

Block* CodeCache::find(const BlockKey& key) const { return blocks_.find(key); }

Block* CodeCache::block_at(u64 host_address) const {
    u32 offset = static_cast<u32>(host_address - runtime_.code_base);
    for (const Region& region : regions_) {
        if (offset < region.begin || offset >= region.at) continue;
        auto after = std::upper_bound(region.blocks.begin(), region.blocks.end(), offset,
                                      [](u32 at, const Block* b) { return at < b->entry; });
        if (after == region.blocks.begin()) return nullptr;
        Block* block = *std::prev(after);
        return offset < block->end ? block : nullptr;
    }
    return nullptr;
}

u64 CodeCache::code_bytes() const {
    u64 bytes = 0;
    for (const Region& region : regions_) bytes += region.at - region.begin;
    return bytes;
}

Block* CodeCache::insert(const GuestBlock& guest, const std::function<bool(Encoder&, Block&, Arena&)>& emit) {
    if (groups_.size() >= most_groups) clear();
    if (regions_[current_].end - regions_[current_].at < most_block_bytes) {
        if (before_eviction) before_eviction();
        current_ = (current_ + 1) % region_count;
        empty_region(regions_[current_]);
    }
    Region& region = regions_[current_];
    Arena::Mark before = region.arena.mark();
    Block& block = *region.arena.make<Block>();
    Encoder encoder{memory_->writable() + region.at, host_address(region.at), most_block_bytes};
    if (!emit(encoder, block, region.arena)) {
        region.arena.rewind(before);
        return nullptr;
    }
    region.at = (block.end + line - 1) & ~(line - 1);
    region.blocks.push_back(&block);
    ++blocks_translated;
    tell_of(block, guest.mode);
    if (Block* old = find(block.key)) invalidate(*old);
    blocks_.add(block);
    block.group = &group_of(guest);
    block.group->blocks.push_back(&block);
    auto use_page = [&](Physical page) -> PageUsers& {
        known_page_ = no_page;
        PageUsers& users = pages_[raw(page)];
        if (users.blocks.empty() && on_page_used) on_page_used(page);
        users.blocks.push_back(&block);
        mark_code(users, block, page);
        return users;
    };
    std::vector<PageGroup*>& groups = use_page(page_of(block.key.physical)).groups;
    if (std::find(groups.begin(), groups.end(), block.group) == groups.end()) groups.push_back(block.group);
    if (block.straddles && block.second_page != page_of(block.key.physical)) use_page(block.second_page);
    return &block;
}

void CodeCache::tell_of(const Block& block, const CodeMode& mode) {
    if (!observer_) return;
    std::span<const u8> bytes{memory_->writable() + block.entry, block.end - block.entry};
    observer_->code_added({block_name(block.key.linear, mode), host_address(block.entry), bytes});
}

PageGroup& CodeCache::group_of(const GuestBlock& guest) {
    BlockKey page{page_of(guest.key.physical), page_of(guest.key.linear), guest.key.mode};
    auto& group = groups_[page];
    if (!group) {
        group = std::make_unique<PageGroup>(PageGroup{.page = page});
        groups_at_[raw(page.linear)].push_back(group.get());
    }
    if (guest.global && !group->global && group->cross_links.empty()) {
        group->global = true;
        global_groups_.push_back(group.get());
    }
    return *group;
}

void CodeCache::patch_jump(u32 rel32_offset, u32 target_offset) {
    u32 relative = target_offset - (rel32_offset + 4);
    std::memcpy(memory_->writable() + rel32_offset, &relative, 4);
}

void CodeCache::write_jump(u32 at, u32 target_offset) {
    memory_->writable()[at] = 0xE9;
    patch_jump(at + 1, target_offset);
}

void CodeCache::link(ExitSite& site, Block& target) {
    if (!site.patch || site.linked) return;
    patch_jump(site.patch, target.entry);
    note_link(site, target);
}

void CodeCache::link_across(ExitSite& site, Block& target) {
    if (!site.patch || site.linked) return;
    link(site, target);
    site.block->group->cross_links.push_back(&site);
}

void CodeCache::remember(ExitSite& site, Block& next) {
    if (site.linked || site.block->dead) return;
    note_link(site, next);
}

void CodeCache::look_up(ExitSite& site) {
    if (!site.patch || site.linked || !site.cross_stub) return;
    patch_jump(site.patch, site.cross_stub);
    site.block->group->looked_up.push_back(&site);
}

void CodeCache::note_link(ExitSite& site, Block& target) {
    site.linked = &target;
    site.previous_incoming = nullptr;
    site.next_incoming = target.incoming;
    if (target.incoming) target.incoming->previous_incoming = &site;
    target.incoming = &site;
}

void CodeCache::forget_link(ExitSite& site) {
    if (!site.linked) return;
    ExitSite*& before = site.previous_incoming ? site.previous_incoming->next_incoming : site.linked->incoming;
    before = site.next_incoming;
    if (site.next_incoming) site.next_incoming->previous_incoming = site.previous_incoming;
    site.linked = nullptr;
}

void CodeCache::unlink(ExitSite& site) {
    forget_link(site);
    if (site.patch) patch_jump(site.patch, site.stub);
}

void CodeCache::drop_links_of_global_pages() {
    for (PageGroup* group : global_groups_) {
        for (ExitSite* site : group->cross_links) unlink(*site);
        group->cross_links.clear();
    }
}

void CodeCache::join(PageGroup& group, u32 slot, const std::function<bool(const PageGroup&)>& shows) {
    check(slot < most_views, "there are no more views than bits for them");
    std::vector<PageGroup*> fresh;
    auto add = [&](PageGroup& next) {
        next.members.add(slot);
        joined_[slot].push_back(&next);
        if (!next.global) fresh.push_back(&next);
    };
    // A block over two pages is checked where it is looked up, and only there.
    auto holds = [&](ExitSite& site) {
        if (site.linked->straddles) return false;
        PageGroup& there = *site.linked->group;
        if (there.members.has(slot)) return true;
        if (!shows(there)) return false;
        add(there);
        return true;
    };
    add(group);
    while (!fresh.empty()) {
        PageGroup& next = *fresh.back();
        fresh.pop_back();
        std::erase_if(next.cross_links, [&](ExitSite* site) {
            if (site->linked && holds(*site)) return false;
            if (site->linked) unlink(*site);
            return true;
        });
    }
}

void CodeCache::leave(u32 slot) {
    for (PageGroup* group : joined_[slot]) {
        group->members.remove(slot);
        // Perhaps they can be linked now.
        for (ExitSite* site : group->looked_up) patch_jump(site->patch, site->stub);
        group->looked_up.clear();
    }
    joined_[slot].clear();
}

// The youngest die first.
void CodeCache::take_out(std::vector<Block*>& blocks, const Block& block) {
    auto at = std::find(blocks.rbegin(), blocks.rend(), &block);
    if (at == blocks.rend()) return;
    *at = blocks.back();
    blocks.pop_back();
}

void CodeCache::leave_page(Block& block, Physical page) {
    auto users = pages_.find(raw(page));
    if (users == pages_.end()) return;
    std::vector<Block*>& blocks = users->second.blocks;
    take_out(blocks, block);
    if (!blocks.empty()) return;
    known_page_ = no_page;
    pages_.erase(users);
    if (on_page_empty) on_page_empty(page);
}

void CodeCache::invalidate(Block& block) {
    if (block.dead) return;
    block.dead = true;
    ++blocks_invalidated;
    while (block.incoming) unlink(*block.incoming);
    for (ExitSite* site = block.exits; site; site = site->next) {
        std::erase(block.group->cross_links, site);
        std::erase(block.group->looked_up, site);
        if (site->linked) unlink(*site);
    }
    write_jump(block.entry, block.stale_exit->stub);
    // Who returns here goes on at the EIP in r11d.
    for (u32 site : block.return_sites) write_jump(site, static_cast<u32>(runtime_.lookup - runtime_.code_base));
    blocks_.remove(block);
    take_out(block.group->blocks, block);
    leave_page(block, page_of(block.key.physical));
    if (block.straddles) leave_page(block, block.second_page);
}

void CodeCache::mark_code(PageUsers& users, const Block& block, Physical page) {
    u32 begin = offset_in_page(block.key.physical), end = begin + block.guest_bytes;
    if (page == page_of(block.key.physical)) users.code.mark(begin, std::min(end, page_size));
    if (block.straddles && page == block.second_page && end > page_size) users.code.mark(0, end - page_size);
}

// Stores beside code ask for the same page again and again.
CodeCache::PageUsers* CodeCache::users_of(Physical page) {
    if (known_page_ == raw(page)) return known_users_;
    auto found = pages_.find(raw(page));
    known_page_ = raw(page);
    return known_users_ = found == pages_.end() ? nullptr : &found->second;
}

void CodeCache::invalidate(Physical page, u32 first_offset, u32 last_offset) {
    last_offset = std::min(last_offset, page_size - 1);
    PageUsers* found = users_of(page);
    if (!found || !found->code.any(first_offset, last_offset + 1)) return;
    PageUsers& users = *found;
    std::vector<Block*> doomed;
    for (Block* block : users.blocks)
        if (block->has_bytes(page, first_offset, last_offset)) doomed.push_back(block);
    if (doomed.empty()) {
        users.code.clear();
        for (Block* block : users.blocks) mark_code(users, *block, page);
    }
    for (Block* block : doomed) invalidate(*block);
}

bool CodeCache::replace_constant(Physical at, std::span<const u8> bytes, const Block& running) {
    PageUsers* users = users_of(page_of(at));
    u32 first = offset_in_page(at), last = first + static_cast<u32>(bytes.size()) - 1;
    if (!users || !users->code.any(first, last + 1)) return false;
    std::vector<u32>& places = places_of_constants_;
    places.clear();
    for (const Block* block : users->blocks) {
        if (!block->has_bytes(page_of(at), first, last)) continue;
        u32 offset = first - offset_in_page(block->key.physical);
        auto constant = std::find_if(block->constants.begin(), block->constants.end(), [&](const CodeConstant& c) {
            return offset >= c.guest && offset + bytes.size() <= c.guest + sizeof(u32);
        });
        if (block == &running || constant == block->constants.end()) return false;
        places.push_back(constant->host + offset - constant->guest);
    }
    for (u32 place : places) std::memcpy(memory_->writable() + place, bytes.data(), bytes.size());
    return !places.empty();
}

// Of a block over two pages it is the only instruction, which begins on the first.
void CodeCache::invalidate_at(Linear address) {
    auto groups = groups_at_.find(raw(page_of(address)));
    if (groups == groups_at_.end()) return;
    std::vector<Block*> doomed;
    for (const PageGroup* group : groups->second)
        for (Block* block : group->blocks)
            if (raw(address) - raw(block->key.linear) < block->guest_bytes) doomed.push_back(block);
    for (Block* block : doomed) invalidate(*block);
}

void CodeCache::empty_region(Region& region) {
    u64 invalidated_before = blocks_invalidated;
    for (Block* block : region.blocks) {
        if (!block->dead) ++blocks_evicted;
        invalidate(*block);
    }
    blocks_invalidated = invalidated_before;
    forget_blocks(region);
}

void CodeCache::forget_blocks(Region& region) {
    region.blocks.clear();
    region.arena.rewind({});
    region.at = region.begin;
}

void CodeCache::clear() {
    if (before_eviction) before_eviction();
    // Nobody is left who could enter a block or link to it: none has to be taken leave of.
    blocks_evicted += blocks_.size();
    blocks_.clear();
    for (Region& region : regions_) forget_blocks(region);
    if (on_page_empty)
        for (const auto& [page, users] : pages_) on_page_empty(Physical{page});
    known_page_ = no_page;
    pages_.clear();
    for (auto& groups : joined_) groups.clear();
    global_groups_.clear();
    groups_at_.clear();
    groups_.clear();
}

}  // namespace vellum
