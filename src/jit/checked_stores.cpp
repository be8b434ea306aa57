// What stores call that keep meeting pages with code: most of them write beside it, and can go on at once.
#include "jit/dispatcher.hpp"

namespace vellum {

namespace {
constexpr u32 most_stored_bytes = 16;  // the verifier lets no store be longer
}

u64 Translator::store_target(void* translator, u32 address, const ExitSite* site) {
    return reinterpret_cast<u64>(static_cast<Translator*>(translator)->checked_target(Linear{address}, *site));
}

// The host address of bytes that the guest may write now, and that are no code of the block that asks; those of other
// blocks cease. Null: the interpreter does it, with all that it may come to.
u8* Translator::checked_target(Linear address, const ExitSite& site) {
    if (offset_in_page(address) + site.stored_bytes > page_size || !cpu_.mmu.withheld().empty()) return nullptr;
    OrFault<Physical> at = cpu_.mmu.translate(address, Access::Write, cpu_.privilege());
    if (!at) return nullptr;
    auto backing = cpu_.memory.backing_of(page_of(*at));
    if (!backing || !backing->writable) return nullptr;
    if (backing->watched)
        cpu_.memory.will_change(*at, site.stored_bytes);
    else if (sites_.end_of_term(site.block->key.physical + (site.eip - site.block->eip), false))
        return nullptr;
    std::span<u8> storage = cpu_.memory.backing().bytes();
    u64 place = backing->offset + offset_in_page(*at);
    return site.block->dead || place + most_stored_bytes > storage.size() ? nullptr : storage.data() + place;
}

}  // namespace vellum
