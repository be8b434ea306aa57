// What stores call that keep meeting pages with code: most of them write beside it, and can go on at once.
#include <cstring>

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
    OccupationScope scope{cpu_.occupation, Occupation::fault(Occupation::Fault::CodeWrite)};
    if (offset_in_page(address) + site.stored_bytes > page_size || cpu_.mmu.withholds(page_of(address), true))
        return nullptr;
    OrFault<Physical> at = cpu_.mmu.translate(address, Access::Write, cpu_.privilege());
    if (!at) return nullptr;
    auto backing = cpu_.memory.backing_of(page_of(*at));
    if (!backing || !backing->writable) return nullptr;
    if (backing->watched)
        write_beside_code(*at, site);
    else if (sites_.end_of_term(site.block->key.physical + (site.eip - site.block->eip), false))
        return nullptr;
    std::span<u8> storage = cpu_.memory.backing().bytes();
    u64 place = backing->offset + offset_in_page(*at);
    return site.block->dead || place + most_stored_bytes > storage.size() ? nullptr : storage.data() + place;
}

// The code that changes here may run some instructions later.
void Translator::write_beside_code(Physical at, const ExitSite& site) {
    u64 before = cache_.blocks_invalidated;
    constant_replaced_ = replace_constant(at, site);
    cpu_.memory.will_change(at, site.stored_bytes);
    if (constant_replaced_ || cache_.blocks_invalidated != before) host_serialize();
    constant_replaced_ = false;
}

// MOV of a register or of an immediate tells what is about to be stored.
bool Translator::replace_constant(Physical at, const ExitSite& site) {
    const Instruction* in = site.instruction;
    if (!config_.replaced_constants || !in || in->mnemonic != ZYDIS_MNEMONIC_MOV || site.stored_bytes > sizeof(u32))
        return false;
    const Operand& from = in->op[1];
    bool known = from.kind == Operand::Kind::Gpr || from.kind == Operand::Kind::Immediate;
    u32 value = from.kind == Operand::Kind::Gpr ? static_cast<u32>(state_.gpr[from.reg]) : in->immediate;
    std::array<u8, sizeof value> bytes;
    std::memcpy(bytes.data(), &value, sizeof value);
    return known && cache_.replace_constant(at, std::span{bytes}.first(site.stored_bytes), *site.block);
}

}  // namespace vellum
