// From state to block and back.
#include "jit/dispatcher.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/check.hpp"
#include "cpu/breakpoints.hpp"
#include "cpu/fpu.hpp"
#include "jit/block_contract.hpp"
#include "jit/runtime_stubs.hpp"

namespace vellum {

namespace {
constexpr std::size_t most_modes = 1024;  // each CS of real-mode code is one
constexpr u64 most_limit = u64{1} << 55;
constexpr u32 mode_flags = eflags::vm | eflags::iopl;
}  // namespace

Translator::Translator(Cpu& cpu, const TranslatorConfig& config)
    : state_{cpu.state},
      cpu_{cpu},
      config_{config},
      interpreter_{cpu},
      spaces_{cpu.state, cpu.memory, cpu.mmu},
      memo_{cpu.features},
      frontend_{cpu,
                memo_,
                sites_,
                stops_,
                {.most_instructions = config.most_instructions,
                 .counting = config.counting,
                 .behind_branches = config.regions,
                 .behind_calls = config.regions && config.return_prediction,
                 .checked_stores = config.checked_stores,
                 .system_registers = config.system_registers,
                 .spin_waits = config.spin_waits,
                 .memory_is_private = config.memory_is_private}},
      cache_{config, indirect_exit_},
      views_{cache_.runtime().underflow},
      crossings_{host_has_wrgsbase()} {
    indirect_exit_.kind = ExitSite::Kind::Indirect;
    fault_exit_.kind = ExitSite::Kind::Fault;
    cache_.context().state = reinterpret_cast<u64>(&state_);
    cache_.context().time_stamp = &Translator::time_stamp;
    cache_.context().store_target = &Translator::store_target;
    cache_.context().owner = this;
    cache_.on_page_used = [this](Physical page) { cpu_.memory.watch(page, GuestMemory::Watch::Translated); };
    cache_.on_page_empty = [this](Physical page) { cpu_.memory.unwatch(page, GuestMemory::Watch::Translated); };
    cache_.before_eviction = [this] {
        views_.clear();
        pending_link_ = nullptr;
        next_block_ = nullptr;
    };
    cpu_.memory.set_watcher(GuestMemory::Watch::Translated, this);
    known_control_ = control_state();
}

Translator::~Translator() {
    cache_.clear();
    cpu_.memory.set_watcher(GuestMemory::Watch::Translated, nullptr);
}

void Translator::state_replaced() {
    interpreter_.state_replaced();
    spaces_.everything_changed();
    cache_.clear();
    sites_.clear();
    released_.clear();
    drop_places();
    fpu_wanted_ = false;
}

// Single steps, instructions with breakpoints, shadows and alignment checks are the interpreter's.
bool Translator::must_step() {
    if ((state_.eflags & (eflags::tf | eflags::rf)) || state_.shadow != Shadow::None || state_.debug_traps) return true;
    if (state_.cpl == 3 && (state_.eflags & eflags::ac) && (state_.cr0 & cr0::am)) return true;
    return near_limit_ || stops_.meets(linear_eip());
}

Stop Translator::run() {
    HostFaultScope scope{*this};
    view_ = nullptr;
    next_block_ = nullptr;
    pending_link_ = nullptr;
    near_limit_ = false;
    drop_places();
    heed_breakpoints();
    return run_until_stopped();
}

// What the debugger changed since the last run, or the guest in its debug registers: windows do without the pages that
// are watched, and blocks without the instructions. Nothing else changes. Single steps run no translated code: a
// debugger that takes its points away to step off one of them, and puts them back, costs nothing here.
void Translator::heed_breakpoints() {
    withhold_watched_pages(cpu_);
    if (cpu_.debug.stepping()) return;
    std::copy(std::begin(state_.dr), std::end(state_.dr), debug_registers_.begin());
    spaces_.withhold(cpu_.mmu.withheld());
    for (u32 address : stops_.set(watched_instructions(cpu_))) cache_.invalidate_at(Linear{address});
}

bool Translator::debug_registers_changed() const {
    if (!((state_.dr[7] | debug_registers_[7]) & dr7::enables)) [[likely]]
        return false;
    return state_.dr[7] != debug_registers_[7] || !std::equal(state_.dr, state_.dr + 4, debug_registers_.begin());
}

Stop Translator::run_until_stopped() {
    Attention& attention = cpu_.attention;
    while (true) {
        if (state_.activity == Activity::Shutdown) return Stop::TripleFault;
        if (cpu_.debug.reached()) return Stop::Debug;
        u32 reasons = attention.reasons();
        if (reasons & Attention::Stop) return Stop::Attention;
        if (state_.instructions >= state_.instruction_limit) return Stop::InstructionLimit;
        if (cpu_.debug.stepping()) {
            if (!step_for_debugger()) return Stop::Halted;
            continue;
        }
        // What waits behind IF (GRUB runs so) keeps no blocks from being linked.
        if (attention.due() && interpreter_.take_interrupt()) {
            pending_link_ = nullptr;
            fpu_wanted_ = false;
            ++interrupts_;
            tell_windows(ZYDIS_MNEMONIC_INVALID, Linear{}, cpu_.mmu.generation());
            continue;
        }
        if (state_.activity == Activity::Halted) return Stop::Halted;
        if (cpu_.debug.engaged() && cpu_.debug.stops_before(linear_eip())) return Stop::Debug;
        if (debug_registers_changed()) heed_breakpoints();
        if (must_step()) {
            pending_link_ = nullptr;
            cpu_.occupation.note(Occupation::Kind::Interpreted);
            step();
            // Up to the limit, and not one instruction only: each would otherwise become the beginning of a block.
            near_limit_ = near_limit_ && state_.instruction_limit < state_.instructions + config_.most_instructions;
        } else {
            // What cannot be taken yet must not stop translated code at every poll.
            if (reasons && attention.raised()) attention.disarm();
            run_block();
        }
    }
}

// At each callout: the segment registers are compared in words, without a call.
bool Translator::is_current(const KnownMode& known) const {
    static_assert(offsetof(CpuState, ldtr) == offsetof(CpuState, seg) + 6 * sizeof(Segment));
    constexpr std::size_t words = sizeof known.segments / sizeof(u64);
    u64 ours[words], theirs[words], difference = 0;
    std::memcpy(ours, &known.segments, sizeof ours);
    std::memcpy(theirs, reinterpret_cast<const u8*>(&state_) + offsetof(CpuState, seg), sizeof theirs);
    for (std::size_t i = 0; i < words; ++i) difference |= ours[i] ^ theirs[i];
    difference |= (known.cr0 ^ state_.cr0) | (known.cr4 ^ state_.cr4) | (known.gdtr.base ^ state_.gdtr.base);
    return known.valid && difference == 0 && known.cpl == state_.cpl && known.fpu_live == fpu_wanted_ &&
           known.flags == (state_.eflags & mode_flags) && known.gdtr.limit == state_.gdtr.limit;
}

// The mode that the processor is in now.
Translator::KnownMode& Translator::current_mode() {
    KnownMode& known = known_modes_[2 * (state_.cpl == 3) + state_.segment(Seg::Fs).present()];
    if (is_current(known)) [[likely]]
        return known;
    u32 number = mode_number(code_mode(state_, fpu_wanted_));
    known = {.cr0 = state_.cr0,
             .cr4 = state_.cr4,
             .flags = state_.eflags & mode_flags,
             .cpl = state_.cpl,
             .fpu_live = fpu_wanted_,
             .valid = true,
             .number = number,
             .gdtr = state_.gdtr,
             .loaded = loaded_segments(state_)};
    std::copy(std::begin(state_.seg), std::end(state_.seg), known.segments.begin());
    known.segments.back() = state_.ldtr;
    loaded_ = nullptr;
    return known;
}

// What emitted code must know to get from here to another mode by itself, and what blocks compare loads of segment
// registers with. Alignment checks of level 3 are the interpreter's.
void Translator::note_place(KnownMode& known, View& view) {
    u32 number = static_cast<u32>(&known - known_modes_);
    bool possible = config_.crossings && !fpu_wanted_ && !(state_.eflags & eflags::ac);
    if (views_.times_forgotten() != times_forgotten_) {
        times_forgotten_ = views_.times_forgotten();
        drop_places();
    }
    if (possible && !(known.noted && crossings_.holds(number, state_, view, *mode_state_))) {
        crossings_.note(number, state_, view, *mode_state_, known.loaded);
        known.noted = true;
        loaded_ = nullptr;
    }
    place_ = possible ? &crossings_.place(number) : nullptr;
    cache_.context().place = place_;
    const LoadedSegments& loaded = possible ? crossings_.loaded(number) : known.loaded;
    if (loaded_ == &loaded) return;
    loaded_ = &loaded;
    cache_.context().loaded_segments = loaded;
}

void Translator::drop_places() {
    crossings_.drop();
    loaded_ = nullptr;
}

// Translated code may run in another place than it was entered in.
void Translator::follow_crossings() {
    const Place* place = cache_.context().place;
    if (place == place_) return;
    place_ = place;
    mode_state_ = place->mode_state;
    view_ = place->view;
    gs_base_ = place->window;
}

u32 Translator::mode_number(const CodeMode& mode) {
    auto found = std::find(modes_.begin(), modes_.end(), mode);
    if (found != modes_.end()) return static_cast<u32>(found - modes_.begin());
    if (modes_.size() >= most_modes) {
        cache_.clear();
        views_.forget();
        modes_.clear();
        refused_.clear();
        for (KnownMode& known : known_modes_) known.valid = false;
    }
    modes_.push_back(mode);
    return static_cast<u32>(modes_.size() - 1);
}

void Translator::use_view(const View& view) {
    u64 base = reinterpret_cast<u64>(view.base);
    cache_.context().window = base;
    if (gs_base_ != base || !view_) host_set_gs_base(base);
    gs_base_ = base;
}

void Translator::run_block() {
    cpu_.occupation.note(Occupation::Kind::Views);
    View& view = spaces_.current();
    cpu_.occupation.note(Occupation::Kind::Dispatch);
    refresh(view);
    if (view_ != &view) next_block_ = nullptr;
    use_view(view);
    view_ = &view;
    if (faulted_access_.waits) anticipate_retry(view);
    KnownMode& known = current_mode();
    u32 number = known.number;
    bool plain = modes_[number].flat_code() && modes_[number].code32();
    Block* block = nullptr;
    if (plain || config_.other_segments) {
        mode_state_ = &views_.state(view, number);
        note_place(known, view);
        block = expected_block(view, number);
        if (!block && enter_by_jump_cache(number)) return finish_exit();
        if (!block) block = block_here(view, number);
    }
    if (!block) {
        pending_link_ = nullptr;
        cpu_.occupation.note(Occupation::Kind::Interpreted);
        return step();
    }
    link_pending(view, *block);
    const ModeState* mode_state = mode_state_;
    do {
        enter(block->entry, block->key.mode);
        finish_exit();
        bool elsewhere = view_ != &view || mode_state_ != mode_state || modes_[number].fpu_live();
        block = std::exchange(accessed_port_, false) && !elsewhere ? block_behind_port_access(view, number) : nullptr;
    } while (block);
}

// Has anything from which code was translated gone from the view? Then what was known of it is empty now.
bool Translator::refresh(const View& view) {
    if (!views_.refresh(view)) return false;
    cache_.leave(view.slot);
    pending_link_ = nullptr;
    next_block_ = nullptr;
    drop_places();
    return true;
}

// IN and OUT change neither view nor mode. What followed the last time, unless somebody wants attention, or the device
// changed what translated code must be told before it goes on.
Block* Translator::block_behind_port_access(const View& view, u32 mode) {
    const Attention& attention = cpu_.attention;
    if (attention.due() || attention.raised() || state_.instructions >= state_.instruction_limit) return nullptr;
    if (cpu_.debug.engaged() || state_.debug_traps || near_limit_ || pending_link_ || !loaded_) return nullptr;
    if (&spaces_.current() != &view || refresh(view)) return nullptr;
    return expected_block(view, mode);
}

// What translated code would find. Should the block have ceased, it leaves at once, and is looked for here.
bool Translator::enter_by_jump_cache(u32 mode) {
    bool missed = std::exchange(missed_, false);
    if (missed || pending_link_ || !config_.jump_cache) return false;
    u32 eip = static_cast<u32>(state_.eip);
    const JumpCacheEntry& known = mode_state_->jump(eip);
    if (!known.is_of(eip)) return false;
    enter(known.code, mode);
    return true;
}

// What followed a callout the last time, if it lies on the same page and nothing has changed.
Block* Translator::expected_block(const View& view, u32 mode) {
    Block* block = std::exchange(next_block_, nullptr);
    if (!block || block->dead || block->eip != state_.eip || block->key.mode != mode || view_ != &view) return nullptr;
    enter_page(*block->group, view);
    return block;
}

Block* Translator::block_here(View& view, u32 mode) {
    if (state_.eip > modes_[mode].cs_limit) return nullptr;  // #GP, before A of the page is set
    Linear linear{linear_eip()};
    auto physical = spaces_.fetch(view, page_of(linear));
    if (!physical) return nullptr;
    BlockKey key{page_of(*physical) + offset_in_page(linear), linear, mode};
    Block* block = cache_.find(key);
    if (!block && adopt_page(view, key)) block = cache_.find(key);
    if (block && block->straddles) {
        Linear next = static_cast<Linear>(static_cast<u32>(raw(page_of(linear)) + page_size));
        auto second_page = spaces_.fetch(view, next);
        if (!second_page) return nullptr;
        if (page_of(*second_page) != block->second_page) block = nullptr;
    }
    if (!block) block = translate(view, key);
    if (!block) return nullptr;
    enter_page(*block->group, view);
    mode_state_->note_jump(block->eip, JumpCacheEntry::of(block->eip, block->entry));
    return block;
}

Block* Translator::translate(const View& view, const BlockKey& key) {
    if (std::find(refused_.begin(), refused_.end(), key) != refused_.end()) return nullptr;
    OccupationScope scope{cpu_.occupation, Occupation::Kind::Translation};
    auto start = std::chrono::steady_clock::now();
    if (!frontend_.read(key, modes_[key.mode], static_cast<u32>(state_.eip), guest_block_)) return nullptr;
    guest_block_.global = false;
    if (state_.paging() && !guest_block_.straddles && !view.user) {
        auto walked = cpu_.mmu.walk(key.linear, Access::Fetch, cpu_.privilege());
        guest_block_.global = walked && (*walked).global;
        if (guest_block_.global) global_code_pages_.insert(raw(page_of(key.linear)));
    }
    Block* block = cache_.insert(guest_block_, [&](Encoder& encoder, Block& out, Arena& arena) {
        u64 address = encoder.here();
        BlockEmitter{guest_block_, cache_.runtime(), config_, encoder, arena, emit_tables_, out}.emit();
        return passes(encoder.bytes(), address, out);
    });
    translate_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return block;
}

// A block that the verifier refuses is a mistake of ours, which the guest must neither profit nor suffer from.
bool Translator::passes(std::span<const u8> bytes, u64 address, const Block& block) {
    if (!config_.verifier) return true;
    EmittedCode code = block_contract(bytes, address, block, cache_.runtime());
    code.may_lock = !config_.memory_is_private;
    auto refusal = config_.verifier(code);
    if (!refusal) return true;
    std::string text = fmt::format("block at {:#x}: {}", block.eip, *refusal);
    if (!config_.on_refusal) check(false, text.c_str());
    config_.on_refusal(text);
    ++blocks_refused_;
    if (refused_.size() >= most_refused) refused_.clear();
    refused_.push_back(block.key);
    return false;
}

u64 Translator::time_stamp(void* translator) {
    auto& self = *static_cast<Translator*>(translator);
    return self.cpu_.outside.guest_time() + self.state_.tsc_offset;
}

void Translator::enter(u32 code_offset, u32 mode) {
    ++entries_;
    JitContext& context = cache_.context();
    context.entry = cache_.host_address(code_offset);
    context.flags = state_.eflags;
    context.interrupt_flag = (state_.eflags & eflags::if_) != 0;
    context.limit = std::min(state_.instruction_limit, most_limit);
    context.fpu_live = modes_[mode].fpu_live();
    context.last_x87.forget();
    context.jump_cache = reinterpret_cast<u64>(mode_state_->jump_cache());
    context.return_sp = mode_state_->return_sp;
    const Runtime& runtime = cache_.runtime();
    cpu_.occupation.note(Occupation::Kind::Translated);
    reinterpret_cast<EnterFunction>(context.fpu_live ? runtime.enter_fpu : runtime.enter)();
    cpu_.occupation.note(Occupation::Kind::Dispatch);
    follow_crossings();
    mode_state_->return_sp = context.return_sp;
    leave();
}

// The rest of the guest's state into CpuState: flags and FPU.
void Translator::leave() {
    JitContext& context = cache_.context();
    constexpr u32 kept = eflags::arithmetic | eflags::df;
    state_.eflags =
        (state_.eflags & ~(kept | eflags::if_)) | (context.flags & kept) | (context.interrupt_flag ? eflags::if_ : 0);
    if (context.fpu_live) {
        take_over_fpu(context);
        context.fpu_live = 0;
    }
    const ExitSite& site = *context.exit;
    state_.eip = site.kind == ExitSite::Kind::Indirect ? static_cast<u32>(context.target) : site.eip;
    if (!config_.counting || !site.block) return;
    state_.instructions -= site.ahead;
    if (site.kind == ExitSite::Kind::Fault && site.block->counted_repeat)
        state_.instructions += context.repeat_start - state_.reg(Reg::Ecx);
}

void Translator::finish_exit() {
    ExitSite& site = *cache_.context().exit;
    switch (site.kind) {
        case ExitSite::Kind::Edge: pending_link_ = &site; break;
        case ExitSite::Kind::Indirect: missed_ = true; break;
        case ExitSite::Kind::LoadFpu: fpu_wanted_ = true; break;
        case ExitSite::Kind::Boundary: missed_ = site.block->dead; break;  // a jump cache may know it still
        case ExitSite::Kind::Limit: near_limit_ = true; break;
        case ExitSite::Kind::Interpret:
        case ExitSite::Kind::Fault:
            fpu_wanted_ = false;
            if (site.kind == ExitSite::Kind::Fault) set_flags_of_last_iteration();
            step_at_site(site);
            if (site.kind == ExitSite::Kind::Fault) break;
            next_block_ = site.linked;
            if (!site.linked && site.stays_on_page && site.next_eip == state_.eip) pending_link_ = &site;
            break;
    }
}

std::unique_ptr<Engine> make_translator(Cpu& cpu, const TranslatorConfig& config) {
    return std::make_unique<Translator>(cpu, config);
}

}  // namespace vellum
