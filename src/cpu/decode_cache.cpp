// Keeping decoded instructions and dropping those whose bytes change.
#include "cpu/decode_cache.hpp"

#include <algorithm>
#include <cstring>

namespace vellum {

DecodeCache::DecodeCache(GuestMemory& memory) : memory_{memory} {
    memory_.set_watcher(GuestMemory::Watch::Decoded, this);
}

DecodeCache::~DecodeCache() {
    drop_all();
    memory_.set_watcher(GuestMemory::Watch::Decoded, nullptr);
}

DecodeCache::Page* DecodeCache::page(Physical address, bool code32) {
    auto found = pages_.find(key(address, code32));
    if (found != pages_.end()) return found->second.get();
    Page* made = pages_.emplace(key(address, code32), std::make_unique<Page>()).first->second.get();
    made->physical = page_of(address);
    return made;
}

const Instruction* DecodeCache::add(Page& page, u32 offset, const Instruction& instruction) {
    drop(page, offset);
    if (!page.watched) {
        memory_.watch(page.physical, GuestMemory::Watch::Decoded);
        page.watched = true;
    }
    u16 index;
    if (page.unused.empty()) {
        index = static_cast<u16>(page.pool.size());
        page.pool.push_back(instruction);
        ++instructions_;
    } else {
        index = page.unused.back();
        page.unused.pop_back();
        page.pool[index] = instruction;
    }
    page.slots[offset] = static_cast<u16>(index + 1);
    page.starts[offset / 64] |= u64{1} << offset % 64;
    return &page.pool[index];
}

void DecodeCache::drop(Page& page, u32 offset) {
    if (!page.slots[offset]) return;
    page.unused.push_back(static_cast<u16>(page.slots[offset] - 1));
    page.slots[offset] = 0;
    page.starts[offset / 64] &= ~(u64{1} << offset % 64);
}

void DecodeCache::forget(Physical address) {
    for (bool code32 : {false, true}) {
        auto found = pages_.find(key(address, code32));
        if (found == pages_.end()) continue;
        Page& page = *found->second;
        page.for_each(0, page_size - 1, [&](u32 offset) { drop(page, offset); });
        page.watched = false;
    }
    memory_.unwatch(page_of(address), GuestMemory::Watch::Decoded);
}

void DecodeCache::drop_all() {
    for (auto& [page_key, page] : pages_)
        memory_.unwatch(Physical{page_key >> 1 << page_shift}, GuestMemory::Watch::Decoded);
    pages_.clear();
    instructions_ = 0;
}

void DecodeCache::drop_changed() {
    for (auto& [page_key, page] : pages_) {
        const u8* bytes = memory_.read_pointer(Physical{page_key >> 1 << page_shift});
        page->for_each(0, page_size - 1, [&](u32 offset) {
            const Instruction& in = *page->find(offset);
            u32 here = std::min<u32>(in.length, page_size - offset);
            if (!bytes || std::memcmp(bytes + offset, in.bytes.data(), here) != 0) drop(*page, offset);
        });
    }
}

void DecodeCache::page_will_change(Physical address, u32 first_offset, u32 last_offset) {
    constexpr u32 longest = 15;
    u32 from = first_offset < longest ? 0 : first_offset - (longest - 1);
    for (bool code32 : {false, true}) {
        auto found = pages_.find(key(address, code32));
        if (found == pages_.end()) continue;
        Page& page = *found->second;
        page.for_each(from, std::min(last_offset, page_size - 1), [&](u32 offset) {
            if (offset + page.find(offset)->length > first_offset) drop(page, offset);
        });
    }
}

}  // namespace vellum
