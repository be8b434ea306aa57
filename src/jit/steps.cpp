// What the interpreter does for translated code, and what the windows must be told of it.
#include <algorithm>
#include <utility>

#include "cpu/memory_access.hpp"
#include "cpu/retire.hpp"
#include "jit/dispatcher.hpp"

#include <Zydis/Zydis.h>

namespace vellum {

namespace {
bool accesses_port(Mnemonic m) { return m == ZYDIS_MNEMONIC_IN || m == ZYDIS_MNEMONIC_OUT; }
}  // namespace

Translator::ControlState Translator::control_state() const {
    return {state_.cr0, state_.cr4, state_.efer, state_.a20_mask};
}

Linear Translator::invalidated_address(const Instruction& in) const {
    return static_cast<Linear>(static_cast<u32>(state_.segment(in.memory.segment).base + cpu_.effective_address(in)));
}

// The software TLB counts its flushes: one of them, or another control register, is all that windows depend on.
void Translator::tell_windows(Mnemonic mnemonic, Linear invalidated, u64 generation_before) {
    ControlState now = control_state();
    if (!(now == known_control_)) {
        known_control_ = now;
        drop_places();
        spaces_.everything_changed();
        cache_.drop_links_of_global_pages();
        return;
    }
    if (cpu_.mmu.generation() == generation_before) return;
    if (mnemonic == ZYDIS_MNEMONIC_INVLPG) {
        spaces_.page_invalidated(invalidated);
        if (view_) fresh_pages_.forget(view_->slot, invalidated);
        if (global_code_pages_.contains(raw(page_of(invalidated)))) cache_.drop_links_of_global_pages();
    } else if (mnemonic == ZYDIS_MNEMONIC_MOV || state_.cr3 != cr3_before_) {
        drop_places();
        spaces_.cr3_written();
    } else {
        drop_places();
        spaces_.everything_changed();
        cache_.drop_links_of_global_pages();
    }
}

// Whatever is at CS:EIP.
void Translator::step() {
    u64 generation = cpu_.mmu.generation();
    cr3_before_ = state_.cr3;
    interpreter_.step();
    tell_windows(ZYDIS_MNEMONIC_INVALID, Linear{}, generation);
}

// What a block left to the interpreter. Did it raise an exception?
bool Translator::execute(const Instruction& in) {
    Linear invalidated{};
    if (in.mnemonic == ZYDIS_MNEMONIC_INVLPG) invalidated = invalidated_address(in);
    u64 generation = cpu_.mmu.generation();
    cr3_before_ = state_.cr3;
    u64 instructions = state_.instructions;
    bool faulted = execute_prepared(cpu_, in);
    executed_ += state_.instructions - instructions;
    tell_windows(in.mnemonic, invalidated, generation);
    return faulted;
}

bool Translator::step_for_debugger() {
    pending_link_ = nullptr;
    fpu_wanted_ = false;
    near_limit_ = false;
    u64 generation = cpu_.mmu.generation();
    cr3_before_ = state_.cr3;
    bool stepped = interpreter_.step_once();
    tell_windows(ZYDIS_MNEMONIC_INVALID, Linear{}, generation);
    return stepped;
}

// The instruction that faulted in translated code, as it was fetched. A cache of such would have its page watched once
// more.
void Translator::execute_faulted(const ExitSite& site) {
    DecodeStatus status;
    const Instruction* decoded =
        memo_.decode(std::span{faulted_bytes_}.first(faulted_length_), modes_[site.block->key.mode].code32(), status);
    if (!decoded) return step();
    Instruction in = *decoded;
    if (prepare(in))
        execute(in);
    else
        step();
}

// What the callout is about to touch.
std::optional<Linear> Translator::operand_of(const Instruction& in) const {
    if (!in.has_memory || !view_) return {};
    u64 address = state_.segment(in.memory.segment).base + cpu_.effective_address(in);
    return static_cast<Linear>(static_cast<u32>(address));
}

// An instruction that would be translated if it did not keep faulting. Would it have faulted again?
bool Translator::execute_adaptive(const Instruction& in) {
    std::optional<Linear> operand = operand_of(in);
    bool withheld = operand && cpu_.mmu.withholds(page_of(*operand), true);
    if (withheld || !operand || spaces_.shows(*view_, *operand)) {
        bool faulted = execute(in);
        return faulted || withheld;
    }
    View& view = *view_;
    bool in_use = fresh_pages_.touch(view.slot, *operand);
    if (execute(in))
        fresh_pages_.forget(view.slot, *operand);
    else if (in_use)
        spaces_.anticipate(view, *operand, Access::Read);
    return true;
}

void Translator::step_at_site(const ExitSite& site) {
    bool asked_for = site.kind == ExitSite::Kind::Interpret;
    ++(asked_for ? callouts_[site.mnemonic] : exceptions_);
    cpu_.occupation.note(Occupation::callout(asked_for ? u32{site.mnemonic} : Occupation::faulted));
    std::optional<Physical> changed = std::exchange(site_to_retranslate_, std::nullopt), callout;
    if (site.adaptive) callout = site.block->key.physical + (site.eip - site.block->eip);
    bool again = false;
    if (callout && site.instruction)
        again = execute_adaptive(*site.instruction);
    else if (site.instruction)
        accessed_port_ = !execute(*site.instruction) && accesses_port(site.mnemonic);
    else if (site.kind == ExitSite::Kind::Fault)
        execute_faulted(site);
    else
        step();
    if (callout && sites_.end_of_term(*callout, again)) changed = callout;
    // In every block that has it: which of them is entered depends on where the guest's handlers return to.
    if (changed) cache_.invalidate(page_of(*changed), offset_in_page(*changed), offset_in_page(*changed));
}

EngineStatistics Translator::statistics() const {
    EngineStatistics s = interpreter_.statistics();
    s.interpreted_instructions += executed_;
    s.blocks_translated = cache_.blocks_translated;
    s.blocks_invalidated = cache_.blocks_invalidated;
    s.blocks_evicted = cache_.blocks_evicted;
    s.blocks_moved = cache_.blocks_moved;
    s.blocks_refused = blocks_refused_;
    s.translate_seconds = translate_seconds_;
    s.code_bytes = cache_.code_bytes();
    s.entries = entries_;
    s.host_faults = host_faults_;
    s.window_fills = window_fills_;
    s.mmio_faults = mmio_faults_;
    s.guest_page_faults = guest_page_faults_;
    s.code_write_faults = code_write_faults_;
    for (std::size_t i = 0; i < callouts_.size(); ++i)
        if (callouts_[i]) s.callouts[ZydisMnemonicGetString(static_cast<ZydisMnemonic>(i))] = callouts_[i];
    if (exceptions_) s.callouts["fault"] = exceptions_;
    if (interrupts_) s.callouts["interrupt"] = interrupts_;
    return s;
}

}  // namespace vellum
