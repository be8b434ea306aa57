// Which view is current, what a fault in it means, and how changes reach all views.
#include "jit/address_spaces.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "jit/shadow_check.hpp"
#include "jit/shadow_entries.hpp"
#include "jit/window_filler.hpp"

namespace vellum {

namespace {

// Above this many pages, remapping physical memory empties all views instead of looking each page up.
constexpr u64 most_pages_looked_up = 4096;
constexpr u32 block = 16;  // pages protected together in a large page, as window_filler.cpp maps them

u32 limit_or_default(u32 wanted) { return wanted ? wanted : host_map_limit() / 4 * 3; }

Privilege privilege_of(const ShadowView& view) { return view.key.user ? Privilege::User : Privilege::Supervisor; }
u32 page_number(Linear address) { return static_cast<u32>(raw(address)) >> page_shift; }

}  // namespace

struct AddressSpaces::Impl final : private MapListener {
    Impl(CpuState& s, GuestMemory& m, Mmu& u, AddressSpaceLimits limits)
        : state{s},
          memory{m},
          mmu{u},
          windows{m.backing(), std::max(limits.views, 2u)},
          views{windows},
          mapper{s, m, windows, views, statistics, limit_or_default(limits.mappings)},
          filler{s, m, mapper},
          shadow_check{s, m, mapper} {
        memory.add_listener(this);
    }
    ~Impl() { memory.remove_listener(this); }

    // The last answers of current(), for the supervisor and the user.
    struct Latest {
        ShadowView* view = nullptr;
        u64 cr0 = 0, cr3 = 0, cr4 = 0, efer = 0;
    };

    View& current();
    ShadowView& select();
    ShadowView& obtain();
    void forget_latest() { latest[0].view = latest[1].view = nullptr; }
    void give_up(ShadowView& view);
    void make_room(ShadowView& keep);
    FillResult fill(ShadowView& view, Linear address, Access access);
    OrFault<Physical> fetch(ShadowView& view, Linear address);
    void page_invalidated(Linear address);
    void everything_changed();
    bool withholds(u32 page, bool write) const;
    void keep_withheld_out(ShadowView& view);

    void page_watched(Physical page) override;
    void page_map_changed(Physical first, u64 bytes) override;

    CpuState& state;
    GuestMemory& memory;
    Mmu& mmu;
    AddressSpaceStatistics statistics;
    HostWindows windows;
    ViewTable views;
    WindowMapper mapper;
    WindowFiller filler;
    ShadowCheck shadow_check;
    Latest latest[2];
    std::vector<WatchedPage> withheld;
    u64 cr3_writes = 0, flushes = 0;
    static constexpr u32 no_page = ~u32{0} - 1;
    u32 last_invalidated = no_page;  // by INVLPG, and its mapping had changed
    u64 a20_mask = state.a20_mask;   // under which everything was mapped
};

View& AddressSpaces::Impl::current() {
    constexpr u64 bits0 = cr0::pg | cr0::wp, bits4 = cr4::pse | cr4::pae;
    Latest& l = latest[state.cpl == 3];
    if (l.view && l.cr3 == state.cr3 && !((l.cr0 ^ state.cr0) & bits0) && !((l.cr4 ^ state.cr4) & bits4) &&
        l.efer == state.efer) [[likely]]
        return l.view->face;
    ShadowView& view = select();
    l = {&view, state.cr0, state.cr3, state.cr4, state.efer};
    return view.face;
}

ShadowView& AddressSpaces::Impl::select() {
    ViewKey key = ViewKey::of(state);
    ShadowView* view = views.find(key);
    if (!view) {
        view = &obtain();
        view->key = key;
        view->face.user = key.user;
        view->in_use = true;
        view->validated = cr3_writes;
        view->validated_global = flushes;
        std::copy(std::begin(state.pdpte), std::end(state.pdpte), view->pdpte);
        ++statistics.views_made;
    } else if (view->validated != cr3_writes) {
        bool global_too = view->validated_global != flushes;
        view->validated = cr3_writes;
        view->validated_global = flushes;
        ++statistics.revalidations;
        shadow_check.all(*view, global_too);
        keep_withheld_out(*view);
    }
    views.use(*view);
    return *view;
}

// A view that shows nothing.
ShadowView& AddressSpaces::Impl::obtain() {
    if (ShadowView* view = views.unused()) return *view;
    ShadowView& view = views.least_recent(nullptr);
    give_up(view);
    ++statistics.views_evicted;
    return view;
}

void AddressSpaces::Impl::give_up(ShadowView& view) {
    mapper.empty(view);
    ++view.face.code_generation;
    view.in_use = false;
    for (Latest& l : latest)
        if (l.view == &view) l.view = nullptr;
}

// Keeps the host's count of mappings below the limit. What is counted exactly is well below the bound that was reached;
// if not, views go until half of the limit is left, so that this is rare.
void AddressSpaces::Impl::make_room(ShadowView& keep) {
    if (!mapper.crowded()) [[likely]]
        return;
    u32 limit = mapper.mapping_limit(), count = mapper.count_mappings();
    if (count <= limit / 4 * 3) return;
    while (count > limit / 2 && views.count_in_use() > 1) {
        ShadowView& victim = views.least_recent(&keep);
        count -= mapper.count_mappings(victim);
        give_up(victim);
        ++statistics.views_evicted;
    }
    if (count > limit / 2) mapper.empty(keep);
    mapper.count_mappings();
}

AddressSpaces::FillResult AddressSpaces::Impl::fill(ShadowView& view, Linear address, Access access) {
    auto found = mmu.walk(address, access, privilege_of(view));
    if (!found) return {Fill::GuestFault, found.fault()};
    auto backing = memory.backing_of((*found).page);
    if (!backing || (access == Access::Write && !backing->writable)) return {Fill::Mmio};
    if (withholds(page_number(address), access == Access::Write)) return {Fill::Mmio};
    if (access == Access::Write && backing->watched) return {Fill::WatchedWrite};
    make_room(view);
    ++statistics.fills;
    u32 page = page_number(address);
    filler.show(view, page, *found, access);
    if (access == Access::Fetch) view.pages.leaf_of_page(page)->code.add(page % ShadowLeaf::pages);
    keep_withheld_out(view);
    return {Fill::Mapped};
}

OrFault<Physical> AddressSpaces::Impl::fetch(ShadowView& view, Linear address) {
    u32 page = page_number(address), i = page % ShadowLeaf::pages;
    ShadowLeaf* leaf = view.pages.leaf_of_page(page);
    if (leaf && leaf->code.has(i)) return Physical{leaf->physical(i, state.a20_mask)};
    auto found = mmu.walk(address, Access::Fetch, privilege_of(view));
    if (!found) return found.fault();
    if (memory.backing_of((*found).page)) {
        make_room(view);
        filler.learn(view, page, *found);
        leaf = view.pages.leaf_of_page(page);
        if (leaf->live.has(i)) leaf->code.add(i);
        keep_withheld_out(view);
    }
    return (*found).page;
}

bool AddressSpaces::Impl::withholds(u32 page, bool write) const {
    for (const WatchedPage& watched : withheld)
        if (watched.address >> page_shift == page) return write || watched.reads;
    return false;
}

// After pages were shown: withheld ones among them are taken out again, before the guest runs. They stay live.
void AddressSpaces::Impl::keep_withheld_out(ShadowView& view) {
    if (withheld.empty()) [[likely]]
        return;
    RangeHider hider = mapper.hider(view);
    for (const WatchedPage& watched : withheld) {
        u32 page = watched.address >> page_shift, i = page % ShadowLeaf::pages;
        ShadowLeaf* leaf = view.pages.leaf_of_page(page);
        if (!leaf || !leaf->shown.has(i)) continue;
        if (watched.reads) {
            leaf->shown.remove(i);
            leaf->writable.remove(i);
            hider.add(page);
        } else if (leaf->writable.has(i)) {
            mapper.protect(view, page, 1, HostAccess::Read);
        }
    }
}

// A guest that takes a row of pages away, one after the other, is anticipated after the second: a call to the host for
// each page costs many times what the guest does. (Linux maps and unmaps 15 pages 1,500 times when it looks for the
// table of processors.)
void AddressSpaces::Impl::page_invalidated(Linear address) {
    u32 page = page_number(address);
    ViewKey now = ViewKey::of(state);
    bool one_more = page == last_invalidated + 1;
    last_invalidated = no_page;
    views.for_each([&](ShadowView& view) {
        const ShadowLeaf* leaf = view.pages.leaf_of_page(page);
        if (!leaf || !(view.key.same_tables(now) || leaf->global.has(page % ShadowLeaf::pages))) return;
        bool forgotten = shadow_check.one(view, page);
        keep_withheld_out(view);
        if (!forgotten) return;
        last_invalidated = page;
        if (one_more) mapper.hide_row(view, page + 1);
    });
}

// Mode bits are part of the views' keys, and what a view shows is compared with the tables before it is used again: an
// operating system that flushes by toggling CR4.PGE keeps what did not change. (Emptying 64 views of 300 pages: 43 ms.)
void AddressSpaces::Impl::everything_changed() {
    ++cr3_writes;
    ++flushes;
    forget_latest();
    if (a20_mask == state.a20_mask) return;
    a20_mask = state.a20_mask;
    views.for_each([&](ShadowView& view) { give_up(view); });
    mapper.count_mappings();
}

void AddressSpaces::Impl::page_watched(Physical page) {
    mapper.for_each_place(page, [&](ShadowView& view, ShadowLeaf& leaf, u32 p) {
        u32 i = p % ShadowLeaf::pages;
        if (!leaf.writable.has(i)) return;
        u32 from = i, to = i + 1;
        if (leaf.large) {
            // The whole block around it: code lies together, and the next page to be watched is likely to be near.
            while (from % block && leaf.writable.has(from - 1)) --from;
            while (to % block && leaf.writable.has(to)) ++to;
        }
        if (mapper.exhausted())
            mapper.empty(view);
        else
            mapper.protect(view, p - i + from, to - from, HostAccess::Read);
    });
}

void AddressSpaces::Impl::page_map_changed(Physical first, u64 bytes) {
    if (bytes / page_size > most_pages_looked_up) {
        views.for_each([&](ShadowView& view) { mapper.empty(view); });
        return;
    }
    for (u64 done = 0; done < bytes; done += page_size)
        mapper.for_each_place(first + done, [&](ShadowView& view, ShadowLeaf&, u32 p) {
            RangeHider hider = mapper.hider(view);
            mapper.forget(view, p, hider);
        });
}

AddressSpaces::AddressSpaces(CpuState& state, GuestMemory& memory, Mmu& mmu, AddressSpaceLimits limits)
    : impl_{std::make_unique<Impl>(state, memory, mmu, limits)} {}
AddressSpaces::~AddressSpaces() = default;

View& AddressSpaces::current() { return impl_->current(); }
AddressSpaces::FillResult AddressSpaces::fill(View& view, Linear address, Access access) {
    return impl_->fill(impl_->views.at(view.slot), address, access);
}
bool AddressSpaces::would_mark(Linear address, Access access) const {
    return !nothing_to_mark(impl_->state, impl_->memory, address, access == Access::Write);
}
void AddressSpaces::anticipate(View& view, Linear address, Access access) {
    if (!would_mark(address, access)) fill(view, address, access);
}
OrFault<Physical> AddressSpaces::fetch(View& view, Linear page) {
    return impl_->fetch(impl_->views.at(view.slot), page);
}
bool AddressSpaces::shows(const View& view, Linear page) const {
    u32 number = page_number(page);
    const ShadowLeaf* leaf = impl_->views.at(view.slot).pages.leaf_of_page(number);
    return leaf && leaf->shown.has(number % ShadowLeaf::pages);
}
bool AddressSpaces::shows_code(const View& view, Linear page, Physical where) const {
    u32 number = page_number(page), i = number % ShadowLeaf::pages;
    const ShadowLeaf* leaf = impl_->views.at(view.slot).pages.leaf_of_page(number);
    return leaf && leaf->code.has(i) && leaf->physical(i, impl_->state.a20_mask) == raw(where);
}
bool AddressSpaces::would_fetch(View& view, Linear page, Physical where) {
    if (would_mark(page, Access::Fetch)) return false;
    auto found = fetch(view, page);
    return found && *found == where;
}
bool AddressSpaces::still_maps_code(u32 slot, Linear page, Physical where) {
    ShadowView& view = impl_->views.at(slot);
    return shows_code(view.face, page, where) && impl_->shadow_check.holds(view, page_number(page));
}
void AddressSpaces::cr3_written() {
    ++impl_->cr3_writes;
    impl_->forget_latest();
}
void AddressSpaces::page_invalidated(Linear address) { impl_->page_invalidated(address); }
void AddressSpaces::everything_changed() { impl_->everything_changed(); }
void AddressSpaces::withhold(const std::vector<WatchedPage>& pages) {
    if (pages == impl_->withheld) return;
    impl_->withheld = pages;
    impl_->views.for_each([&](ShadowView& view) { impl_->keep_withheld_out(view); });
}
const AddressSpaceStatistics& AddressSpaces::statistics() const { return impl_->statistics; }

}  // namespace vellum
