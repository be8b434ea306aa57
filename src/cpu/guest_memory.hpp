// The guest's physical address space: RAM and ROM pages backed by one SharedMemory, everything else MMIO; and the one
// place that knows which pages are being watched for writes.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "base/guest_bytes.hpp"
#include "base/shared_memory.hpp"
#include "base/types.hpp"

namespace vellum {

// Told before bytes of a watched page change, whoever changes them through GuestMemory (interpreter, DMA, loader).
class PageWatcher {
 public:
    virtual void page_will_change(Physical page, u32 first_offset, u32 last_offset) = 0;

 protected:
    ~PageWatcher() = default;
};

// Told when host pointers or permissions of physical pages that were handed out no longer hold: the pages were mapped
// to something else, or became watched.
class MapListener {
 public:
    virtual void page_map_changed(Physical first, u64 bytes) = 0;
    // The page became watched and is otherwise what it was: writing through pointers to it must stop.
    virtual void page_watched(Physical page) { page_map_changed(page, page_size); }

 protected:
    ~MapListener() = default;
};

class GuestMemory final : public GuestBytes {
 public:
    enum class Watch : u8 { Decoded = 1, Translated = 2 };  // one bit for each watcher

    // `backing_bytes` of storage (RAM, ROM images, screen memory); nothing is mapped yet. Physical space is 4 GiB.
    explicit GuestMemory(u64 backing_bytes);

    SharedMemory& backing() { return backing_; }

    // Maps [at, at + bytes) to the storage from backing_offset. All arguments are page multiples.
    // Reads of unreadable and writes of unwritable pages are MMIO.
    void map(Physical at, u64 bytes, u64 backing_offset, bool readable, bool writable);
    void unmap(Physical at, u64 bytes);  // back to MMIO

    // Host address of the page's first byte, or null when such an access is MMIO. A watched page has no write pointer.
    const u8* read_pointer(Physical page) const;
    u8* write_pointer(Physical page) const;
    // Where the page lives in the storage, for mappings of other kinds; nullopt when it is MMIO for reads.
    struct Backing {
        u64 offset;
        bool writable;  // mapped writable, watched or not
        bool watched;
    };
    std::optional<Backing> backing_of(Physical page) const;
    bool writable(Physical page) const;  // RAM, watched or not

    void read(Physical address, std::span<u8> bytes) const override;
    void write(Physical address, std::span<const u8> bytes) override;  // tells watchers

    void watch(Physical page, Watch why);
    void unwatch(Physical page, Watch why);
    bool watched(Physical page) const;
    void set_watcher(Watch why, PageWatcher* watcher);
    void add_listener(MapListener* listener) { listeners_.push_back(listener); }
    void remove_listener(MapListener* listener) { std::erase(listeners_, listener); }
    // Before writing through a pointer obtained otherwise: tells the watchers of the page, if any. One page only.
    void will_change(Physical address, u32 bytes);

 private:
    // 4 GiB of pages, one word each: backing page number << 8 | flags. Untouched parts cost no memory.
    static constexpr u32 readable_flag = 1, writable_flag = 2, watch_shift = 2, watch_mask = 3u << watch_shift;
    static constexpr u64 page_count = u64{1} << (32 - page_shift);
    u32 entry(Physical page) const;
    void changed(Physical first, u64 bytes);

    SharedMemory backing_;
    SharedMemory table_;
    std::array<PageWatcher*, 2> watchers_{};
    std::vector<MapListener*> listeners_;
};

}  // namespace vellum
