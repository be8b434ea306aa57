// Windows kept in step with the guest's page tables: shadow paging (docs/architecture.md). Filled by faults, emptied
// by TLB rules. Everything is correct without them (the software TLB of cpu/mmu.hpp); they make it fast.
#pragma once

#include <memory>

#include "cpu/guest_memory.hpp"
#include "cpu/mmu.hpp"
#include "jit/view.hpp"

namespace vellum {

struct AddressSpaceStatistics {
    u64 fills = 0, pages_filled = 0, unmaps = 0, views_made = 0, views_evicted = 0, revalidations = 0;
};

struct AddressSpaceLimits {
    u32 views = most_views;
    u32 mappings = 0;  // of the host, at which views are evicted; 0: three quarters of what it permits a process
};

class AddressSpaces {
 public:
    // Throws HostError when the host has no room for windows.
    AddressSpaces(CpuState& state, GuestMemory& memory, Mmu& mmu, AddressSpaceLimits limits = {});
    ~AddressSpaces();

    // The view for the CPU's CR0/CR3/CR4/EFER/CPL as they are now. Cheap when nothing changed since the last call;
    // never fails (evicts the least recently used view before the host's map count is reached). The reference is good
    // until the next call.
    View& current();

    enum class Fill : u8 {
        Mapped,        // go on: the access will succeed now
        GuestFault,    // the guest's tables forbid it: deliver `fault`
        Mmio,          // not memory (or ROM written): the interpreter does this access
        WatchedWrite,  // a page with translated or decoded code: invalidate, then the interpreter does the store
    };
    struct FillResult {
        Fill what;
        Fault fault{};
    };
    // Called for a host fault at view.base + address, in signal context or not, for the view that current() gave last:
    // allocates nothing from the C++ heap on the common path, takes no lock. Sets A, and D for writes, as the walk
    // does; maps read-only while D is clear.
    FillResult fill(View& view, Linear address, Access access);

    // Would filling for that access set A or D?
    bool would_mark(Linear address, Access access) const;

    // The same ahead of the access, for one that the guest is likely to try again. Changes nothing of the guest, and
    // does nothing where A or D would have to be set.
    void anticipate(View& view, Linear address, Access access);

    // May code be fetched from that page in this view, and where does it lie? Sets A. The answer is remembered: asking
    // again is cheap, and view.code_generation counts when it may have ceased to be true. Every page of which
    // translated code runs in a view must have been asked for there. A page that is not memory is not remembered.
    OrFault<Physical> fetch(View& view, Linear page);

    // Has that been the answer of fetch() in this view, and is it still, as far as the view has been told?
    bool shows_code(const View& view, Linear page, Physical where) const;

    // Is that the answer of fetch(), asked now? False where A would have to be set to know it.
    bool would_fetch(View& view, Linear page, Physical where);

    // Do the tables of the view with that slot still say so, whether it has been told or not? False too where the
    // view knows nothing of the page.
    bool still_maps_code(u32 slot, Linear page, Physical where);

    // Is there a window on that page in this view, for reads at least?
    bool shows(const View& view, Linear page) const;

    // What the CPU did, told after its state changed.
    void cr3_written();             // views are compared with their tables when they are next used; global pages stay
    void page_invalidated(Linear);  // INVLPG
    void everything_changed();      // CR0.PG/WP, CR4.PSE/PAE/PGE, EFER.NXE, A20, physical map, state replaced

    // These pages, in rising order, stay out of all windows (or read-only, if only writes are watched): what fill()
    // would show, it calls Mmio.
    void withhold(const std::vector<WatchedPage>& pages);

    const AddressSpaceStatistics& statistics() const;

 private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace vellum
