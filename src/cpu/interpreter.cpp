// The loop around Execute: what is retired, what is delivered, and what is looked at between two instructions.
#include "cpu/interpreter.hpp"

#include <algorithm>

#include "cpu/breakpoints.hpp"
#include "cpu/fetch.hpp"
#include "cpu/interrupts.hpp"
#include "cpu/retire.hpp"

namespace vellum {

namespace {

bool limit_reached(const CpuState& state) { return state.instructions >= state.instruction_limit; }

// Takes a limit back that was lowered for one instruction, unless that instruction had a device set another.
void restore_limit(CpuState& state, u64 lowered, u64 limit) {
    if (state.instruction_limit == lowered) state.instruction_limit = limit;
}

u32 linear_eip(const CpuState& state) { return static_cast<u32>(state.segment(Seg::Cs).base + state.eip); }

// Does something besides the next instruction have to be thought of?
bool unusual(const CpuState& state) {
    return (state.eflags & (eflags::tf | eflags::rf)) || state.shadow != Shadow::None || breakpoints_enabled(state) ||
           state.debug_traps;
}

// INT n clears TF before its handler runs and is not single-stepped (SDM 3B 17.3.1.4).
bool is_software_interrupt(Mnemonic mnemonic) {
    return mnemonic == ZYDIS_MNEMONIC_INT || mnemonic == ZYDIS_MNEMONIC_INT3 || mnemonic == ZYDIS_MNEMONIC_INTO ||
           mnemonic == ZYDIS_MNEMONIC_INT1;
}

}  // namespace

struct Interpreter::Cache {
    Cache(Cpu& cpu, const Decoder& decoder) : fetcher{cpu, decoder} {}
    Fetcher fetcher;
    u64 interpreted = 0;
};

Interpreter::Interpreter(Cpu& cpu)
    : cpu_{cpu}, decoder_{cpu.features}, cache_{std::make_unique<Cache>(cpu, decoder_)} {}
Interpreter::~Interpreter() = default;

void Interpreter::state_replaced() {
    cpu_.mmu.flush();
    cache_->fetcher.forget();
}

void Interpreter::forget_decoded(Physical page) { cache_->fetcher.forget_page(page); }

EngineStatistics Interpreter::statistics() const {
    EngineStatistics statistics;
    statistics.interpreted_instructions = cache_->interpreted;
    return statistics;
}

bool Interpreter::finish(Fault f, u32 length) { return retire(cpu_, f, length); }

void Interpreter::raise(Fault f) { vellum::raise(cpu_, f); }

void Interpreter::deliver(Fault f) {
    if (f.kind == Fault::Kind::Shutdown) cpu_.state.activity = Activity::Shutdown;
}

// Is #DB due before the next instruction? Traps come first: the delivery of something touched what is watched. Behind
// MOV SS they wait, and an instruction breakpoint is not even looked at (SDM 3A 6.8.3).
bool Interpreter::debug_exception_is_due() {
    CpuState& state = cpu_.state;
    if (state.shadow == Shadow::MovSs) return false;
    if (!state.debug_traps && !(state.eflags & eflags::rf))
        state.debug_traps = instruction_breakpoints(state, linear_eip(state));
    return state.debug_traps;
}

// TF, RF, breakpoints and the shadow of STI and MOV SS concern exactly one instruction: this one.
void Interpreter::step_with_care() {
    CpuState& state = cpu_.state;
    if (debug_exception_is_due()) return raise(Fault::exception(vector::db));
    bool single_step = state.eflags & eflags::tf;
    u32 held_off = state.debug_traps;
    state.eflags &= ~eflags::rf;
    state.shadow = Shadow::None;
    u64 limit = state.instruction_limit;
    u64 lowered = single_step ? std::min(limit, state.instructions + 1) : limit;  // each iteration of REP
    state.instruction_limit = lowered;
    Fault f;
    bool software_interrupt = false;
    u32 length = 0;
    if (const Instruction* in = cache_->fetcher.fetch(f)) {
        length = in->length;
        f = in->execute(cpu_, *in);
        software_interrupt = is_software_interrupt(in->mnemonic) && f.kind == Fault::Kind::Retired;
    }
    restore_limit(state, lowered, limit);
    conclude(cpu_, f, length, held_off, single_step && !software_interrupt);
}

void Interpreter::step(u64 most_iterations) {
    CpuState& state = cpu_.state;
    u64 limit = state.instruction_limit, before = state.instructions;
    u64 lowered = std::max(before + 1, std::min(limit, before + most_iterations));
    state.instruction_limit = lowered;
    step_with_care();
    restore_limit(state, lowered, limit);
    cache_->interpreted += state.instructions - before;
}

bool Interpreter::take_interrupt() {
    CpuState& state = cpu_.state;
    Attention& attention = cpu_.attention;
    if (state.shadow != Shadow::None || state.debug_traps) return false;
    u32 reasons = attention.reasons();
    if (reasons & Attention::Nmi && !state.nmi_blocked) {
        OccupationScope scope{cpu_.occupation, Occupation::Kind::Interrupts};
        attention.clear(Attention::Nmi);
        state.activity = Activity::Running;
        deliver(deliver_nmi(cpu_));
        return true;
    }
    if (!(reasons & Attention::Interrupt) || !(state.eflags & eflags::if_)) return false;
    OccupationScope scope{cpu_.occupation, Occupation::Kind::Interrupts};
    bool pending = cpu_.outside.interrupt_pending();
    if (pending) {
        state.activity = Activity::Running;
        deliver(deliver_external_interrupt(cpu_, cpu_.outside.acknowledge_interrupt()));
    }
    if (!cpu_.outside.interrupt_pending()) attention.clear(Attention::Interrupt);
    return pending;
}

// The hot loop: nothing but instructions, until something has to be thought of.
template <bool debugged>
void Interpreter::run_plainly() {
    CpuState& state = cpu_.state;
    Fetcher& fetcher = cache_->fetcher;
    do {
        Fault f;
        u32 length = 0;
        if (const Instruction* in = fetcher.fetch(f)) [[likely]] {
            length = in->length;
            f = in->execute(cpu_, *in);
        }
        if (!f) [[likely]] {
            state.eip = static_cast<u32>(state.eip + length);
            ++state.instructions;
        } else if (f.kind == Fault::Kind::Retired) {
            ++state.instructions;
        } else {
            finish(f, length);
            if (state.activity != Activity::Running) return;
        }
    } while (!limit_reached(state) && !cpu_.attention.reasons() && !unusual(state) &&
             !(debugged && cpu_.debug.stops_at(linear_eip(state))));
}

bool Interpreter::step_once() {
    if (cpu_.state.activity == Activity::Running)
        step(1);
    else if (!take_interrupt())
        return false;
    if (cpu_.state.activity != Activity::Shutdown) cpu_.debug.step_done();
    return true;
}

Stop Interpreter::run_until_stopped() {
    CpuState& state = cpu_.state;
    while (true) {
        if (state.activity == Activity::Shutdown) return Stop::TripleFault;
        if (cpu_.debug.reached()) return Stop::Debug;
        u32 reasons = cpu_.attention.reasons();
        if (reasons & Attention::Stop) return Stop::Attention;
        if (limit_reached(state)) return Stop::InstructionLimit;
        if (cpu_.debug.stepping()) {
            if (!step_once()) return Stop::Halted;
            continue;
        }
        if (reasons && take_interrupt()) continue;
        if (state.activity == Activity::Halted) return Stop::Halted;
        bool debugged = cpu_.debug.engaged();
        if (debugged && cpu_.debug.stops_before(linear_eip(state))) continue;
        if (unusual(state))
            step_with_care();
        else if (debugged)
            run_plainly<true>();
        else
            run_plainly<false>();
    }
}

Stop Interpreter::run() {
    u64 before = cpu_.state.instructions, interpreted = cache_->interpreted;
    cpu_.occupation.note(Occupation::Kind::Interpreted);
    withhold_watched_pages(cpu_);
    Stop stop = run_until_stopped();
    cache_->interpreted = interpreted + (cpu_.state.instructions - before);
    return stop;
}

}  // namespace vellum
