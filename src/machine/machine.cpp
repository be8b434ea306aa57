// The loop around an engine.
#include "machine/machine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/check.hpp"
#include "base/host_error.hpp"
#include "cpu/interpreter.hpp"
#include "jit/switches.hpp"
#include "jit/translator.hpp"
#include "machine/lockstep.hpp"
#include "machine/snapshot.hpp"

namespace vellum {

namespace {

// Once: whoever meets it will want to report it, and the guest runs on.
void tell_refusal(const std::string& refusal, bool& told) {
    if (std::exchange(told, true)) return;
    std::fputs(fmt::format("vellum: internal error: {}; interpreted instead\n", refusal).c_str(), stderr);
}

std::unique_ptr<Engine> make_plain_engine(const MachineConfig& config, Cpu& cpu, CodeObserver* observer) {
    if (config.engine == EngineKind::Interp) return std::make_unique<Interpreter>(cpu);
    TranslatorConfig translation;
    translation.on_refusal = [told = false](const std::string& refusal) mutable { tell_refusal(refusal, told); };
    translation.counting = config.count || config.clock == ClockKind::Instructions;
    translation.gauge = config.gauge_speed;
    translation.memory_is_private = true;  // one processor, and the devices are its thread's
    for (const std::string& name : config.without) {
        const TranslatorSwitch* off = find_switch(name);
        check(off, "whoever fills the configuration in knows the switches");
        off->turn_off(translation);
    }
    translation.cache_bytes = config.code_cache_bytes.value_or(translation.cache_bytes);
    translation.observer = observer;
    return make_translator(cpu, translation);
}

}  // namespace

Machine::Machine(const MachineConfig& config, BoardParts parts, Log& log, std::optional<BoardParts> shadow_parts,
                 CodeObserver* observer)
    : reboot_{config.reboot}, host_time_{parts.host_time} {
    check((config.engine == EngineKind::Lockstep) == shadow_parts.has_value(), "lockstep wants parts for two machines");
    board_ = std::make_unique<Board>(config, std::move(parts), log);
    engine_ = make_plain_engine(config, board_->cpu(), observer);
    if (shadow_parts) {
        second_board_ = std::make_unique<Board>(config, std::move(*shadow_parts), log);
        board_->set_mirror(second_board_.get());
        auto lockstep = std::make_unique<LockstepEngine>(std::move(engine_), *board_, *second_board_);
        lockstep_ = lockstep.get();
        engine_ = std::move(lockstep);
    }
    if (config.clock == ClockKind::Host)
        keeper_ = std::make_unique<TimeKeeper>([this] { board_->cpu().attention.raise(Attention::Stop); });
    board_->on_deadline_moved = [this] { set_deadline(); };
}

Machine::~Machine() = default;

// Tells the engine, or the keeper who will tell it, when the next timer is due.
void Machine::set_deadline() {
    Nanoseconds next = board_->announced_deadline();
    GuestClock& clock = board_->clock();
    if (clock.kind() == ClockKind::Instructions) {
        u64 at = next == ~Nanoseconds{0} ? ~u64{0} : clock.instructions_at(next);
        board_->state().instruction_limit = std::min(limit_, at);
    } else {
        // Whether or not a timer runs: somebody looks at the clock at least once a second (guest_clock.hpp).
        Nanoseconds now = clock.guest_time();
        keeper_->set(host_time_() + (next > now ? std::min<Nanoseconds>(next - now, second) : 0));
    }
}

void Machine::press_reset() { reset(); }

void Machine::restore(const Snapshot& snapshot) {
    shutdown_shown_ = false;
    snapshot.load(*board_);
    if (second_board_) snapshot.load(*second_board_);
    engine_->state_replaced();
}

void Machine::compare_boards() {
    if (lockstep_) lockstep_->compare_all();
}

void Machine::reset() {
    shutdown_shown_ = false;
    board_->reset();
    engine_->state_replaced();
}

std::optional<int> Machine::handle_events() {
    BoardEvents events = board_->take_events();
    if (events.debug_exit) return exit_status::debug_exit(*events.debug_exit);
    if (events.power_off) return exit_status::ok;
    if (events.reset) {
        if (!reboot_) return exit_status::ok;
        reset();
    } else if (events.physical_map_replaced) {
        engine_->state_replaced();
    }
    return std::nullopt;
}

Machine::Slice Machine::run_slice(u64 limit) {
    limit_ = limit;
    CpuState& state = board_->state();
    GuestClock& clock = board_->clock();
    board_->advance();
    if (auto status = handle_events()) return {Slice::Kind::Ended, 0, *status};
    set_deadline();
    if (state.instructions >= limit_) return {Slice::Kind::Stopped};
    Stop stop = engine_->run();
    board_->cpu().occupation.note(Occupation::Kind::Other);
    if (auto status = handle_events()) return {Slice::Kind::Ended, 0, *status};
    switch (stop) {
        case Stop::TripleFault:
            if (shows_shutdowns_ && !std::exchange(shutdown_shown_, true)) return {Slice::Kind::Debug};
            if (!reboot_) return {Slice::Kind::Ended, 0, exit_status::triple_fault};
            reset();
            return {Slice::Kind::Stopped};
        case Stop::Halted: {
            Nanoseconds next = board_->scheduler().next_deadline();
            if (clock.kind() == ClockKind::Instructions && next != ~Nanoseconds{0}) {
                board_->skip_to(next);
                return {Slice::Kind::Stopped};
            }
            if (keeper_) keeper_->set(TimeKeeper::never);  // whoever waits for the guest wakes by himself
            return {Slice::Kind::Idle, next};
        }
        case Stop::Debug: return {Slice::Kind::Debug};
        case Stop::Attention:
            if (clock.ahead() >= SpinWatch::most_ahead) return {Slice::Kind::Ahead, clock.guest_time() + clock.ahead()};
            break;
        case Stop::InstructionLimit: break;
    }
    return {Slice::Kind::Stopped};
}

}  // namespace vellum
