// Keys and ages of views. They are at most some hundreds: searching is linear.
#include "jit/view_table.hpp"

#include "base/check.hpp"

namespace vellum {

ViewKey ViewKey::of(const CpuState& state) {
    ViewKey key;
    if (!state.paging()) return key;
    key.paging = true;
    key.user = state.cpl == 3;
    key.write_protect = !key.user && state.cr0 & cr0::wp;
    key.pae = state.cr4 & cr4::pae;
    key.page_size_extensions = state.cr4 & cr4::pse;
    key.no_execute = state.efer & efer::nxe;
    key.directory = static_cast<u32>(state.cr3) & (key.pae ? ~u32{0x1F} : ~u32{0xFFF});
    return key;
}

ShadowView* ViewTable::find(const ViewKey& key) {
    for (auto& view : views_)
        if (view->in_use && view->key == key) return view.get();
    return nullptr;
}

ShadowView* ViewTable::unused() {
    for (auto& view : views_)
        if (!view->in_use) return view.get();
    u32 slot = static_cast<u32>(views_.size());
    if (slot == windows_.count()) return nullptr;
    views_.push_back(std::make_unique<ShadowView>());
    views_.back()->face.base = windows_.base(slot);
    views_.back()->face.slot = slot;
    return views_.back().get();
}

ShadowView& ViewTable::least_recent(const ShadowView* but) {
    ShadowView* oldest = nullptr;
    for (auto& view : views_)
        if (view->in_use && view.get() != but && (!oldest || view->last_use < oldest->last_use)) oldest = view.get();
    check(oldest, "there is a view that can be given up");
    return *oldest;
}

u32 ViewTable::count_in_use() const {
    u32 count = 0;
    for (auto& view : views_) count += view->in_use;
    return count;
}

}  // namespace vellum
