// The walk of the guest's page tables (SDM 3A chapter 4) and the TLB over it.
#include "cpu/mmu.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace vellum {

namespace {

// Bits of paging-structure entries, the same in both formats.
constexpr u64 present = 1, writable = 2, user = 4, accessed = 0x20, dirty = 0x40, large = 0x80, global = 0x100;
constexpr u64 no_execute = u64{1} << 63;
constexpr u64 physical_bits = (u64{1} << physical_address_bits) - 1;
constexpr u64 pae_address = physical_bits & ~u64{page_offset_mask};
constexpr u64 pae_reserved = ~no_execute & ~physical_bits;

// #PF error code (SDM 3A 4.7).
constexpr u16 error_present = 1, error_write = 2, error_user = 4, error_reserved = 8, error_fetch = 16;

// One walk: the entries on the way, and what their path permits.
struct Path {
    struct Step {
        Physical address{};
        u64 value = 0;
    };
    Step steps[2];
    u32 count = 0;
    u64 frame = 0;
    u64 page_bytes = page_size;
    u64 rights = writable | user;  // ANDed over the path
    bool executable = true;
    u16 error = 0;  // error bits so far, when `failed`
    bool failed = false;

    void fail(u16 bits) { failed = true, error = bits; }
    u64 leaf() const { return steps[count - 1].value; }
};

class Walker {
 public:
    Walker(const CpuState& state, GuestMemory& memory) : state_{state}, memory_{memory} {}

    Path find(u32 address) { return state_.cr4 & cr4::pae ? find_pae(address) : find_two_level(address); }

    void mark(Path& path, bool write) {
        for (u32 i = 0; i < path.count; ++i) {
            u64 bits = accessed | (write && i + 1 == path.count ? dirty : 0);
            Path::Step& step = path.steps[i];
            if ((step.value & bits) == bits) continue;
            step.value |= bits;
            auto low = static_cast<u32>(step.value);
            memory_.write(step.address, {reinterpret_cast<const u8*>(&low), sizeof low});
        }
    }

 private:
    Path find_two_level(u32 address) {
        Path path;
        u64 pde = take<u32>(path, (state_.cr3 & 0xFFFFF000) + (address >> 22) * 4);
        if (!(pde & present)) return path.fail(0), path;
        if (pde & large && state_.cr4 & cr4::pse) {
            if (pde & 0x3FE000) return path.fail(error_present | error_reserved), path;  // no PSE-36
            path.page_bytes = 4u << 20;
            path.frame = (pde & 0xFFC00000) | (address & 0x003FF000);
            return path;
        }
        u64 pte = take<u32>(path, (pde & 0xFFFFF000) + (address >> 12 & 0x3FF) * 4);
        if (!(pte & present)) return path.fail(0), path;
        path.frame = pte & 0xFFFFF000;
        return path;
    }

    Path find_pae(u32 address) {
        Path path;
        u64 pdpte = state_.pdpte[address >> 30];
        if (!(pdpte & present)) return path.fail(0), path;
        u64 pde = take<u64>(path, (pdpte & pae_address) + (address >> 21 & 0x1FF) * 8);
        if (!check_pae(path, pde, pde & large ? 0x1FE000 : 0)) return path;
        if (pde & large) {
            path.page_bytes = 2u << 20;
            path.frame = (pde & pae_address & ~u64{0x1FFFFF}) | (address & 0x001FF000);
            return path;
        }
        u64 pte = take<u64>(path, (pde & pae_address) + (address >> 12 & 0x1FF) * 8);
        if (!check_pae(path, pte, 0)) return path;
        path.frame = pte & pae_address;
        return path;
    }

    bool check_pae(Path& path, u64 entry, u64 more_reserved) const {
        u64 reserved = pae_reserved | more_reserved | (state_.efer & efer::nxe ? 0 : no_execute);
        if (!(entry & present))
            path.fail(0);
        else if (entry & reserved)
            path.fail(error_present | error_reserved);
        return !path.failed;
    }

    template <typename T>
    u64 take(Path& path, u64 at) {
        Physical address{at & state_.a20_mask};
        T value = static_cast<T>(~T{0});  // open bus
        if (const u8* page = memory_.read_pointer(page_of(address)))
            std::memcpy(&value, page + offset_in_page(address), sizeof value);
        path.steps[path.count++] = {address, value};
        path.rights &= value;
        if (value & no_execute) path.executable = false;
        return value;
    }

    const CpuState& state_;
    GuestMemory& memory_;
};

u16 access_bits(const CpuState& state, Access access, Privilege privilege) {
    bool tells_fetches = state.cr4 & cr4::pae && state.efer & efer::nxe;
    return static_cast<u16>((access == Access::Write ? error_write : 0) |
                            (privilege == Privilege::User ? error_user : 0) |
                            (access == Access::Fetch && tells_fetches ? error_fetch : 0));
}

Translation without_paging(const CpuState& state, u32 address) {
    Translation t;
    t.page = Physical{address & 0xFFFFF000 & state.a20_mask};
    t.writable = t.dirty = t.user = t.executable = true;
    t.page_bytes = u64{1} << 32;
    return t;
}

constexpr u64 a20_region = 1u << 20;
bool a20_closed(const CpuState& state) { return !(state.a20_mask & a20_region); }

}  // namespace

Mmu::Mmu(CpuState& state, GuestMemory& memory) : state_{state}, memory_{memory} { memory_.add_listener(this); }
Mmu::~Mmu() { memory_.remove_listener(this); }

OrFault<Translation> Mmu::walk(Linear address, Access access, Privilege privilege) {
    auto linear = static_cast<u32>(raw(address));
    Translation t;
    if (!state_.paging()) {
        t = without_paging(state_, linear);
    } else {
        Walker walker{state_, memory_};
        Path path = walker.find(linear);
        auto fault = [&](u16 bits) {
            return Fault::page(linear, static_cast<u16>(bits | access_bits(state_, access, privilege)));
        };
        if (path.failed) return fault(path.error);
        bool as_user = privilege == Privilege::User;
        t.user = path.rights & user;
        t.writable = path.rights & writable ? !as_user || t.user : !as_user && !(state_.cr0 & cr0::wp);
        t.executable = path.executable && (!as_user || t.user);
        if ((as_user && !t.user) || (access == Access::Write && !t.writable) ||
            (access == Access::Fetch && !t.executable))
            return fault(error_present);
        walker.mark(path, access == Access::Write);
        t.page = Physical{path.frame & state_.a20_mask};
        t.dirty = path.leaf() & dirty;
        t.global = path.leaf() & global && state_.cr4 & cr4::pge;
        t.page_bytes = path.page_bytes;
        for (u32 i = 0; i < path.count; ++i) {
            t.entry_address[i] = path.steps[i].address;
            t.entry_value[i] = path.steps[i].value;
        }
    }
    if (a20_closed(state_)) t.page_bytes = std::min(t.page_bytes, a20_region);
    return t;
}

OrFault<Physical> Mmu::translate(Linear address, Access access, Privilege privilege) {
    Linear page{raw(address) & 0xFFFFF000};
    Entry& e = entries_[static_cast<u8>(privilege)][index(page)];
    u64 tag = access == Access::Read ? e.read_tag : access == Access::Write ? e.write_tag : e.fetch_tag;
    if (tag != raw(page)) {
        OrFault<Translation> found = walk(address, access, privilege);
        if (!found) return found.fault();
        fill(page, privilege, *found);
    } else if (access == Access::Write && !e.write && !withholds(page, true)) {
        e.write = memory_.write_pointer(e.physical);  // it may have ceased to be watched
    }
    return e.physical + offset_in_page(address);
}

void Mmu::fill(Linear page, Privilege privilege, const Translation& found) {
    u32 slot = index(page);
    Entry& e = entries_[static_cast<u8>(privilege)][slot];
    e.physical = found.page;
    e.global = found.global;
    e.read_tag = raw(page);
    e.fetch_tag = found.executable ? raw(page) : ~u64{0};
    bool may_write = found.writable && found.dirty;  // a clean page needs a walk to set D
    e.write_tag = may_write ? raw(page) : ~u64{0};
    take_pointers(e, page);
    used_[static_cast<u8>(privilege)][slot / 64] |= u64{1} << (slot % 64);
    if (found.page_bytes > page_size && state_.paging()) {
        u64 region = raw(page) >> 22;
        large_regions_[region / 64] |= u64{1} << (region % 64);
    }
}

std::optional<Physical> Mmu::look_up(Linear address) {
    auto linear = static_cast<u32>(raw(address));
    if (!state_.paging()) return without_paging(state_, linear).page + offset_in_page(address);
    Path path = Walker{state_, memory_}.find(linear);
    if (path.failed) return std::nullopt;
    return Physical{path.frame & state_.a20_mask} + offset_in_page(address);
}

void Mmu::take_pointers(Entry& e, Linear page) {
    e.read = withholds(page, false) ? nullptr : memory_.read_pointer(e.physical);
    e.write = e.write_tag == raw(page) && !withholds(page, true) ? memory_.write_pointer(e.physical) : nullptr;
}

// No flush: a guest may change its breakpoints at each switch of tasks, and what the tables say is the same.
void Mmu::withhold(const std::vector<WatchedPage>& pages) {
    if (pages == withheld_) return;
    std::vector<WatchedPage> concerned = std::exchange(withheld_, pages);
    concerned.insert(concerned.end(), pages.begin(), pages.end());
    for (const WatchedPage& watched : concerned)
        for (auto& entries : entries_) {
            Linear page{watched.address};
            Entry& e = entries[index(page)];
            if (e.read_tag == raw(page)) take_pointers(e, page);
        }
}

bool Mmu::withholds(Linear page, bool write) const {
    for (const WatchedPage& watched : withheld_)
        if (watched.address == raw(page)) return write || watched.reads;
    return false;
}

void Mmu::drop(u32 privilege, u32 slot) {
    Entry& e = entries_[privilege][slot];
    e.read_tag = e.write_tag = e.fetch_tag = ~u64{0};
    used_[privilege][slot / 64] &= ~(u64{1} << (slot % 64));
}

template <typename Predicate>
void Mmu::drop_where(Predicate stale) {
    for (u32 privilege = 0; privilege < 2; ++privilege)
        for (u32 word = 0; word < used_[privilege].size(); ++word)
            for (u64 bits = used_[privilege][word]; bits; bits &= bits - 1) {
                u32 slot = word * 64 + static_cast<u32>(std::countr_zero(bits));
                if (stale(entries_[privilege][slot])) drop(privilege, slot);
            }
    ++generation_;
}

void Mmu::flush() {
    drop_where([](const Entry&) { return true; });
    large_regions_ = {};
}

void Mmu::flush_non_global() {
    // Regions stay marked: global large pages may have stayed too.
    drop_where([](const Entry& e) { return !e.global; });
}

void Mmu::flush_page(Linear page) {
    u64 linear = raw(page) & 0xFFFFF000, region = linear >> 22;
    if (large_regions_[region / 64] & u64{1} << (region % 64)) {
        // One INVLPG ends a whole large page, of which we hold 4 KiB pieces.
        drop_where([&](const Entry& e) { return e.read_tag >> 22 == region; });
        return;
    }
    for (u32 privilege = 0; privilege < 2; ++privilege)
        if (u32 slot = index(Linear{linear}); entries_[privilege][slot].read_tag == linear) drop(privilege, slot);
    ++generation_;
}

void Mmu::page_map_changed(Physical first, u64 bytes) {
    drop_where([&](const Entry& e) { return raw(e.physical) - raw(first) < bytes; });
}

}  // namespace vellum
