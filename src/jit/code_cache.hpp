// Owns all translations: allocating, finding, linking, unlinking and invalidating live here and nowhere else.
//
// Code memory is a ring of regions. Blocks are appended to the youngest; when that is full, the oldest is emptied as a
// whole. An invalidated block keeps its bytes until then: its entries and return sites are patched to lead out, so
// that whoever still knows an address in it (the jump cache, a return stack) leaves to the dispatcher.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "jit/arena.hpp"
#include "jit/block.hpp"
#include "jit/block_table.hpp"
#include "jit/code_bytes.hpp"
#include "jit/emitter.hpp"
#include "jit/host_code_memory.hpp"
#include "jit/page_group.hpp"

namespace vellum {

class CodeCache {
 public:
    CodeCache(const TranslatorConfig& config, ExitSite& indirect);
    ~CodeCache();

    const Runtime& runtime() const { return runtime_; }
    JitContext& context() { return *runtime_.context; }
    bool contains(u64 host_address) const;

    Block* find(const BlockKey& key) const;
    // Where a block's code contains that address; dead ones too.
    Block* block_at(u64 host_address) const;

    // Translates: `emit` writes into the encoder and fills the block in; where it says false, nothing is kept, and null
    // is given back. May empty the oldest region first, after calling `before_eviction`.
    Block* insert(const GuestBlock& guest, const std::function<bool(Encoder&, Block&, Arena&)>& emit);
    std::function<void()> before_eviction;

    void link(ExitSite& site, Block& target);
    void link_across(ExitSite& site, Block& target);  // remembered by the group of the site's page
    void look_up(ExitSite& site);                     // patches to the lookup through the jump cache
    void remember(ExitSite& site, Block& next);       // site.linked, until one of them ceases
    void unlink(ExitSite& site);
    void drop_links_of_global_pages();

    // The page that holds `place` has no translations as seen there, in that mode. Does it have some as seen elsewhere?
    // The most of them of which `may_move` is true; null: none.
    PageGroup* group_elsewhere(const BlockKey& place, const std::function<bool(const PageGroup&)>& may_move);
    // The group, and those that links join to it, directly or through others, as far as `along` is true of them. At
    // most `most`.
    std::vector<PageGroup*> linked_groups(PageGroup& group, std::size_t most,
                                          const std::function<bool(const PageGroup&)>& along);
    // They are translations of pages that lie so much higher, from now on. No view is a member.
    void move(const std::vector<PageGroup*>& groups, u32 by, const CodeMode& mode);
    bool has_group(const BlockKey& place) const;  // translations of the page that holds it, as seen there

    // The view is about to run code of that page. `shows`: does it show the page of another group, fetched from before?
    void join(PageGroup& group, u32 slot, const std::function<bool(const PageGroup&)>& shows);
    // Of all its groups: the next code that it runs must be found by looking it up.
    void leave(u32 slot);

    // Blocks that have bytes in that part of the page cease. Calls `on_page_empty` when no block is left on it.
    void invalidate(Physical page, u32 first_offset, u32 last_offset);
    void invalidate(Block& block);
    // Instead, where all of them have those bytes in constants: replaces them there too. False: nothing was done.
    bool replace_constant(Physical at, std::span<const u8> bytes, const Block& running);
    void invalidate_at(Linear address);  // what has an instruction that begins there, in any mode and address space
    void clear();
    std::function<void(Physical page)> on_page_used, on_page_empty;

    u64 host_address(u32 code_offset) const { return runtime_.code_base + code_offset; }
    u64 blocks_translated = 0, blocks_invalidated = 0, blocks_evicted = 0, blocks_moved = 0;
    u64 code_bytes() const;

 private:
    static constexpr u32 region_count = 8, most_block_bytes = 24 << 10, most_groups = 1 << 16;
    struct Region {
        u32 begin = 0, end = 0, at = 0;
        std::vector<Block*> blocks;  // by address
        Arena arena;
    };
    using GroupKey = BlockKey;  // of the page
    // Blocks with bytes on one physical page. Each byte of theirs has its bit in `code`; bits of dead blocks stay until
    // somebody writes there.
    struct PageUsers {
        std::vector<Block*> blocks;
        std::vector<PageGroup*> groups;  // of those that begin on the page, or began there once
        CodeBytes code;
    };

    static constexpr u64 no_page = ~u64{0};
    PageUsers* users_of(Physical page);
    void patch_jump(u32 rel32_offset, u32 target_offset);
    void write_jump(u32 at, u32 target_offset);
    static void note_link(ExitSite& site, Block& target);
    static void forget_link(ExitSite& site);
    void empty_region(Region& region);
    static void forget_blocks(Region& region);
    PageGroup& group_of(const GuestBlock& guest);
    static void take_out(std::vector<Block*>& blocks, const Block& block);
    void leave_page(Block& block, Physical page);
    void move(Block& block, u32 by, const CodeMode& mode);
    void tell_of(const Block& block, const CodeMode& mode);
    static void mark_code(PageUsers& users, const Block& block, Physical page);

    CodeObserver* observer_;
    std::unique_ptr<HostCodeMemory> memory_;
    Runtime runtime_;
    std::array<Region, region_count> regions_;
    u32 current_ = 0;
    BlockTable blocks_;
    std::unordered_map<u64, PageUsers> pages_;
    u64 known_page_ = no_page;  // its users, or null: what was looked up last
    PageUsers* known_users_ = nullptr;
    std::vector<u32> places_of_constants_;                    // code offsets; here so that it keeps its memory
    std::array<std::vector<PageGroup*>, most_views> joined_;  // by slot
    std::vector<PageGroup*> global_groups_;
    std::unordered_map<GroupKey, std::unique_ptr<PageGroup>, BlockKeyHash> groups_;
    std::unordered_map<u64, std::vector<PageGroup*>> groups_at_;  // the same by linear page
};

}  // namespace vellum
