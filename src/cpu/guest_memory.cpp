// The physical page table and the door for writes.
#include "cpu/guest_memory.hpp"

#include <algorithm>
#include <cstring>

#include "base/check.hpp"

namespace vellum {

namespace {
constexpr u64 page_number(Physical a) { return raw(a) >> page_shift; }
u32* entries_of(const SharedMemory& table) { return reinterpret_cast<u32*>(table.bytes().data()); }
}  // namespace

GuestMemory::GuestMemory(u64 backing_bytes) : backing_{backing_bytes}, table_{page_count * sizeof(u32)} {}

u32 GuestMemory::entry(Physical page) const {
    u64 number = page_number(page);
    return number < page_count ? entries_of(table_)[number] : 0;
}

void GuestMemory::changed(Physical first, u64 bytes) {
    for (MapListener* listener : listeners_) listener->page_map_changed(first, bytes);
}

void GuestMemory::map(Physical at, u64 bytes, u64 backing_offset, bool readable, bool writable) {
    check(offset_in_page(at) == 0 && bytes % page_size == 0 && backing_offset % page_size == 0,
          "memory is mapped in pages");
    check(backing_offset + bytes <= backing_.bytes().size(), "a mapping lies inside the storage");
    check(page_number(at) + (bytes >> page_shift) <= page_count, "physical space ends at 4 GiB");
    for (u64 i = 0; i < bytes; i += page_size) {
        will_change(at + i, page_size);
        u32 watch = entry(at + i) & watch_mask;
        entries_of(table_)[page_number(at + i)] = static_cast<u32>(((backing_offset + i) >> page_shift) << 8) | watch |
                                                  (readable ? readable_flag : 0) | (writable ? writable_flag : 0);
    }
    changed(at, bytes);
}

void GuestMemory::unmap(Physical at, u64 bytes) {
    for (u64 i = 0; i < bytes; i += page_size) {
        if (page_number(at + i) >= page_count) break;
        will_change(at + i, page_size);
        entries_of(table_)[page_number(at + i)] &= watch_mask;
    }
    changed(at, bytes);
}

const u8* GuestMemory::read_pointer(Physical page) const {
    u32 e = entry(page);
    return e & readable_flag ? backing_.bytes().data() + (u64{e >> 8} << page_shift) : nullptr;
}

u8* GuestMemory::write_pointer(Physical page) const {
    u32 e = entry(page);
    return (e & (writable_flag | watch_mask)) == writable_flag ? backing_.bytes().data() + (u64{e >> 8} << page_shift)
                                                               : nullptr;
}

std::optional<GuestMemory::Backing> GuestMemory::backing_of(Physical page) const {
    u32 e = entry(page);
    if (!(e & readable_flag)) return std::nullopt;
    return Backing{u64{e >> 8} << page_shift, (e & writable_flag) != 0, (e & watch_mask) != 0};
}

bool GuestMemory::writable(Physical page) const { return entry(page) & writable_flag; }
bool GuestMemory::watched(Physical page) const { return entry(page) & watch_mask; }

void GuestMemory::read(Physical address, std::span<u8> bytes) const {
    while (!bytes.empty()) {
        std::size_t here = std::min<std::size_t>(bytes.size(), page_size - offset_in_page(address));
        if (const u8* page = read_pointer(page_of(address)))
            std::memcpy(bytes.data(), page + offset_in_page(address), here);
        else
            std::memset(bytes.data(), 0xFF, here);
        bytes = bytes.subspan(here);
        address = address + here;
    }
}

void GuestMemory::write(Physical address, std::span<const u8> bytes) {
    while (!bytes.empty()) {
        std::size_t here = std::min<std::size_t>(bytes.size(), page_size - offset_in_page(address));
        u32 e = entry(address);
        if (e & writable_flag) {
            will_change(address, static_cast<u32>(here));
            std::memcpy(backing_.bytes().data() + (u64{e >> 8} << page_shift) + offset_in_page(address), bytes.data(),
                        here);
        }
        bytes = bytes.subspan(here);
        address = address + here;
    }
}

void GuestMemory::will_change(Physical address, u32 bytes) {
    u32 e = entry(address);
    if (!(e & watch_mask)) [[likely]]
        return;
    for (u32 i = 0; i < watchers_.size(); ++i)
        if ((e >> watch_shift) & (1u << i) && watchers_[i])
            watchers_[i]->page_will_change(page_of(address), offset_in_page(address),
                                           offset_in_page(address) + bytes - 1);
}

void GuestMemory::watch(Physical page, Watch why) {
    u64 number = page_number(page);
    if (number >= page_count) return;
    u32& e = entries_of(table_)[number];
    bool first = !(e & watch_mask);
    e |= static_cast<u32>(why) << watch_shift;
    if (first)
        for (MapListener* listener : listeners_) listener->page_watched(page_of(page));
}

void GuestMemory::unwatch(Physical page, Watch why) {
    u64 number = page_number(page);
    if (number < page_count) entries_of(table_)[number] &= ~(static_cast<u32>(why) << watch_shift);
}

void GuestMemory::set_watcher(Watch why, PageWatcher* watcher) { watchers_[static_cast<u32>(why) - 1] = watcher; }

}  // namespace vellum
