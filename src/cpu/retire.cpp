// Retirement, exceptions and debug traps (SDM 3A 6.8.3, 6.9).
#include "cpu/retire.hpp"

#include "cpu/breakpoints.hpp"
#include "cpu/interpreter.hpp"
#include "cpu/interrupts.hpp"
#include "cpu/specialise.hpp"

namespace vellum {

namespace {

void note_shutdown(Cpu& cpu, Fault f) {
    if (f.kind == Fault::Kind::Shutdown) cpu.state.activity = Activity::Shutdown;
}

}  // namespace

bool retire(Cpu& cpu, Fault f, u32 length) {
    CpuState& state = cpu.state;
    switch (f.kind) {
        case Fault::Kind::Halt: state.activity = Activity::Halted; [[fallthrough]];
        case Fault::Kind::None: state.eip = static_cast<u32>(state.eip + length); [[fallthrough]];
        case Fault::Kind::Retired: ++state.instructions; return true;
        case Fault::Kind::Exception: return raise(cpu, f), false;
        case Fault::Kind::Shutdown: state.activity = Activity::Shutdown; return false;
    }
    return false;
}

void raise(Cpu& cpu, Fault f) {
    ++cpu.state.instructions;
    note_shutdown(cpu, deliver_exception(cpu, f));
}

bool conclude(Cpu& cpu, Fault f, u32 length, u32 held_off, bool single_step) {
    CpuState& state = cpu.state;
    // What an instruction touched before it faulted, it will touch again.
    if (f.kind == Fault::Kind::Exception && f.vector != vector::db) state.debug_traps = held_off;
    bool retired = retire(cpu, f, length);
    // After MOV SS there is no single-step trap; TF is still set at the next instruction. Other traps are held off.
    if (!retired || state.shadow == Shadow::MovSs) return !retired;
    if (single_step) state.debug_traps |= dr6::single_step;
    if (!state.debug_traps) return false;
    state.activity = Activity::Running;
    note_shutdown(cpu, deliver_exception(cpu, Fault::exception(vector::db)));
    return true;
}

bool prepare(Instruction& in) {
    if (in.rep || in.repne) return false;
    in.row = find_row(in);
    if (!in.row) return false;
    in.execute = specialised(in);
    return true;
}

bool execute_prepared(Cpu& cpu, const Instruction& in) {
    CpuState& state = cpu.state;
    Fault f = in.execute(cpu, in);
    if (f.kind == Fault::Kind::Retired && !state.debug_traps) [[likely]] {
        ++state.instructions;
        return false;
    }
    return conclude(cpu, f, in.length, 0, false);
}

}  // namespace vellum
