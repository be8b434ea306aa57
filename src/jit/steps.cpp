// What the interpreter does for translated code, and what the windows must be told of it.
#include <utility>

#include "cpu/memory_access.hpp"
#include "jit/dispatcher.hpp"

#include <Zydis/Zydis.h>

namespace vellum {

namespace {

// The instruction at CS:EIP as it lies in memory; false if it cannot be read without side effects that matter.
bool peek(Cpu& cpu, const Decoder& decoder, Instruction& in) {
    const CpuState& state = cpu.state;
    std::array<u8, 15> bytes{};
    u32 count = 0;
    while (count < bytes.size()) {
        Linear at = static_cast<Linear>(static_cast<u32>(state.segment(Seg::Cs).base + state.eip + count));
        auto physical = cpu.mmu.translate(at, Access::Fetch, cpu.privilege());
        if (!physical) break;
        cpu.memory.read(*physical, std::span{bytes}.subspan(count, 1));
        ++count;
        if (decoder.decode(std::span{bytes}.first(count), state.code32(), in) == DecodeStatus::Ok) return true;
    }
    return false;
}

}  // namespace

Translator::ControlState Translator::control_state() const {
    return {state_.cr0, state_.cr4, state_.efer, state_.a20_mask};
}

Linear Translator::invalidated_address() const {
    Instruction in;
    if (!peek(cpu_, decoder_, in) || !in.has_memory) return Linear{};
    u64 base = state_.segment(in.memory.segment).base;
    return static_cast<Linear>(static_cast<u32>(base + cpu_.effective_address(in)));
}

void Translator::drop_links_of_global_pages() { cache_.drop_cross_links_of(PageGroup::everybody); }

// The software TLB counts its flushes: one of them, or another control register, is all that windows depend on.
void Translator::tell_windows(Mnemonic mnemonic, Linear invalidated, u64 generation_before) {
    ControlState now = control_state();
    if (!(now == known_control_)) {
        known_control_ = now;
        spaces_.everything_changed();
        drop_links_of_global_pages();
        return;
    }
    if (cpu_.mmu.generation() == generation_before) return;
    if (mnemonic == ZYDIS_MNEMONIC_INVLPG) {
        spaces_.page_invalidated(invalidated);
        if (global_code_pages_.contains(raw(page_of(invalidated)))) drop_links_of_global_pages();
    } else if (mnemonic == ZYDIS_MNEMONIC_MOV || state_.cr3 != cr3_before_) {
        spaces_.cr3_written();
    } else {
        spaces_.everything_changed();
        drop_links_of_global_pages();
    }
}

void Translator::step(Mnemonic mnemonic) {
    Linear invalidated{};
    if (mnemonic == ZYDIS_MNEMONIC_INVLPG) invalidated = invalidated_address();
    u64 generation = cpu_.mmu.generation();
    cr3_before_ = state_.cr3;
    interpreter_.step();
    tell_windows(mnemonic, invalidated, generation);
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

// Whether this callout was the last of its site's term.
bool Translator::end_of_term(const ExitSite& exit) {
    auto site = sites_.find(raw(exit.block->key.physical) + (exit.eip - exit.block->eip));
    return site != sites_.end() && site->second.budget != 0 && --site->second.budget == 0;
}

void Translator::step_at_site(const ExitSite& site) {
    if (site.kind == ExitSite::Kind::Interpret)
        ++callouts_[site.mnemonic];
    else
        ++exceptions_;
    Block* doomed = std::exchange(site_to_retranslate_, nullptr);
    if (site.adaptive && end_of_term(site)) doomed = site.block;
    step(site.mnemonic);
    if (doomed) cache_.invalidate(*doomed);
}

EngineStatistics Translator::statistics() const {
    EngineStatistics s = interpreter_.statistics();
    s.blocks_translated = cache_.blocks_translated;
    s.blocks_invalidated = cache_.blocks_invalidated;
    s.blocks_evicted = cache_.blocks_evicted;
    s.blocks_refused = blocks_refused_;
    s.translate_seconds = translate_seconds_;
    s.code_bytes = cache_.code_bytes();
    s.entries = entries_;
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
