// Each instruction is looked at before the interpreter executes it.
#include "oracle/piece_walk.hpp"

#include <cstring>

#include "cpu/interpreter.hpp"

namespace vellum::test {

namespace {
constexpr u64 most_instructions = 30'000, most_steps = 3'000;
}

void EndlessLoop::begin() {
    constexpr u64 first_mark = 32;
    step_ = 0;
    next_mark_ = first_mark;
    marked_ = false;
}

// All that the next instruction depends on: not how many there were.
bool EndlessLoop::same_registers(const CpuState& state) {
    if (mark_.eip != state.eip || std::memcmp(mark_.gpr, state.gpr, sizeof mark_.gpr) != 0) return false;
    mark_.instructions = state.instructions;
    return std::memcmp(&mark_, &state, sizeof mark_) == 0;
}

// Marks at powers of two find a loop of any length. Memory is looked at only when the registers are the same again, and
// not often: a loop may count in memory.
bool EndlessLoop::found(const CpuState& state, std::span<const u8> ram) {
    if (++step_ == next_mark_) {
        next_mark_ *= 2;
        std::memcpy(&mark_, &state, sizeof mark_);
        marked_ = true;
        has_ram_ = false;
        looks_ = 0;
        return false;
    }
    constexpr u32 most_looks = 2;
    if (!marked_ || looks_ > most_looks || !same_registers(state)) return false;
    if (has_ram_ && std::memcmp(ram_.data(), ram.data(), ram.size()) == 0) return true;
    ram_.assign(ram.begin(), ram.end());
    has_ram_ = true;
    ++looks_;
    return false;
}

PieceWalker::Code PieceWalker::code_at(u32 linear) const {
    Code code;
    while (code.count < code.bytes.size()) {
        u32 at = linear + code.count;
        auto physical = machine_.physical(at);
        if (!physical) break;
        std::size_t here = std::min<std::size_t>(code.bytes.size() - code.count, page_size - (at & page_offset_mask));
        std::memcpy(&code.bytes[code.count], &machine_.ram()[raw(*physical)], here);
        code.count = static_cast<u8>(code.count + here);
    }
    return code;
}

const PieceWalker::Known& PieceWalker::known(u32 linear, const Code& code) {
    Known& known = known_[linear % known_.size()];
    bool code32 = machine_.state.code32();
    if (known.code == code && known.code32 == code32) return known;
    known = {.code = code, .code32 = code32};
    known.status = decoder_.decode(std::span{code.bytes}.first(code.count), code32, known.in);
    if (known.status == DecodeStatus::NeedMoreBytes) {
        Instruction with_zeroes;
        known.begins_defined = decoder_.decode(code.bytes, code32, with_zeroes) == DecodeStatus::Ok;
    }
    if (known.status != DecodeStatus::Ok) return known;
    known.in.row = find_row(known.in);
    known.may_run = known.in.row && may_run_in_piece(known.in) && !leaves_half_done(known.in);
    return known;
}

// May the host execute the instruction that the interpreter is about to execute?
bool PieceWalker::host_may_go_on(const Known& next, bool first, Tolerance& tolerance) const {
    const CpuState& state = machine_.state;
    // How much of an undefined instruction is fetched before #UD is the processor's affair.
    if (next.status == DecodeStatus::NeedMoreBytes)
        return next.begins_defined && is_near(static_cast<u32>(state.segment(Seg::Cs).base + state.eip));
    if (next.status != DecodeStatus::Ok) return false;
    if (next.in.mnemonic == ZYDIS_MNEMONIC_INT3) return true;
    if (!next.may_run || (leaves_flags_of_its_own(next.in.mnemonic) && !first)) return false;
    if (!stays_near(machine_.cpu, next.in) || is_misaligned_sha(machine_.cpu, next.in)) return false;
    if (locks_two_lines(machine_.cpu, next.in)) return false;
    if (tolerance.hides(next.in)) return false;
    tolerance.executes(machine_.cpu, next.in);
    return true;
}

// Between two iterations the host may be interrupted, and then fetches the instruction again.
bool PieceWalker::may_be_fetched_again(const Known& done, u32 linear) const {
    bool repeats = done.in.rep || done.in.repne;
    if (!repeats || done.in.row->translation != TranslationClass::String) return false;
    return std::memcmp(code_at(linear).bytes.data(), done.code.bytes.data(), done.in.length) != 0;
}

Walk PieceWalker::walk(bool for_host) {
    Walk walk;
    walk.for_host = for_host;
    auto& engine = static_cast<Interpreter&>(*machine_.engine);
    CpuState& state = machine_.state;
    state.instruction_limit = ~u64{0};
    endless_.begin();
    u64 instructions = 0;  // before the first step at `last_linear`
    u32 last_linear = 0;
    for (u32 n = 0; n < most_steps && state.instructions < most_instructions; ++n) {
        if (state.activity != Activity::Running) {
            walk.ends = true;
            break;
        }
        if (endless_.found(state, machine_.ram())) break;
        u32 linear = static_cast<u32>(state.segment(Seg::Cs).base + state.eip);
        Code code = code_at(linear);
        if (linear != last_linear) instructions = state.instructions;
        last_linear = linear;
        const Known* next = walk.for_host && state.cpl == 3 ? &known(linear, code) : nullptr;
        if (next) walk.for_host = host_may_go_on(*next, n == 0, walk.tolerance);
        engine.step();
        if (next && next->may_run && may_be_fetched_again(*next, linear)) walk.for_host = false;
        // A repeated string instruction that has overwritten itself goes on as what it was, until it pauses for
        // attention: when that is, is the engine's own affair.
        constexpr u64 surely_without_pause = 2000;
        if (state.instructions - instructions <= surely_without_pause) continue;
        if (code_at(linear) != code) break;
    }
    return walk;
}

}  // namespace vellum::test
