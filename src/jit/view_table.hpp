// Which views exist, for which address space each stands, and which was used least recently.
#pragma once

#include <memory>
#include <vector>

#include "cpu/state.hpp"
#include "jit/host_window.hpp"
#include "jit/shadow_pages.hpp"
#include "jit/view.hpp"

namespace vellum {

// Everything that makes two address spaces (or two sights of one) different.
struct ViewKey {
    u32 directory = 0;  // CR3 without its flags; 0 with paging off
    bool paging = false, user = false;
    bool write_protect = false;  // CR0.WP, for a supervisor only
    bool pae = false, page_size_extensions = false, no_execute = false;

    static ViewKey of(const CpuState& state);
    bool same_tables(const ViewKey& other) const {
        return paging && other.paging && directory == other.directory && pae == other.pae;
    }
    bool operator==(const ViewKey&) const = default;
};

struct ShadowView {
    View face;
    ViewKey key;
    bool in_use = false;
    u64 last_use = 0;
    u64 validated = 0;         // number of CR3 writes seen when its entries were last compared
    u64 validated_global = 0;  // number of flushes of everything then
    u64 pdpte[4] = {};
    ShadowPages pages;
};

class ViewTable {
 public:
    explicit ViewTable(const HostWindows& windows) : windows_{windows} {}

    ShadowView* find(const ViewKey& key);
    ShadowView* unused();                             // null: all are in use
    ShadowView& least_recent(const ShadowView* but);  // among those in use; two or more must be
    void use(ShadowView& view) { view.last_use = ++clock_; }
    ShadowView& at(u32 slot) { return *views_[slot]; }
    u32 count_in_use() const;
    template <typename F>
    void for_each(F&& f) {
        for (auto& view : views_)
            if (view->in_use) f(*view);
    }

 private:
    const HostWindows& windows_;
    std::vector<std::unique_ptr<ShadowView>> views_;  // by slot; made when they are first wanted
    u64 clock_ = 0;
};

}  // namespace vellum
