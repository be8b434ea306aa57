// Each REP MOVS is looked at before the interpreter executes it: where do its operands lie?
#include "oracle/aliased_moves.hpp"

#include "cpu/interpreter.hpp"

namespace vellum::test {

namespace {

constexpr u32 line = 64;
constexpr u32 most_steps = 3'000;

bool is_repeated_move(const Instruction& in) {
    return (in.rep || in.repne) && in.opcode_map == 0 && (in.opcode & 0xFE) == 0xA4;
}

struct Move {
    u32 source, destination;  // linear
    u64 bytes;
};

Move move_of(const Instruction& in, const CpuState& state) {
    u32 mask = in.address_size == 4 ? 0xFFFFFFFF : 0xFFFF;
    auto reg = [&](Reg r) { return static_cast<u32>(state.gpr[static_cast<u8>(r)]) & mask; };
    auto linear = [&](Seg segment, u32 offset) { return static_cast<u32>(state.segment(segment).base + offset); };
    u64 element = in.opcode & 1 ? in.operand_size : 1;
    return {linear(in.string_segment(), reg(Reg::Esi)), linear(Seg::Es, reg(Reg::Edi)), reg(Reg::Ecx) * element};
}

// As far as both operands are mapped: how far the destination lies ahead changes at page ends only.
bool feeds_itself_by_alias(const Move& move, Mmu& mmu) {
    if (move.destination - move.source < line) return false;  // seen by the processor
    for (u64 done = 0; done < move.bytes;) {
        u32 from = static_cast<u32>(move.source + done), to = static_cast<u32>(move.destination + done);
        auto source = mmu.look_up(Linear{from}), destination = mmu.look_up(Linear{to});
        if (!source || !destination) return false;
        u64 ahead = raw(*destination) - raw(*source);
        if (ahead != 0 && ahead < line) return true;
        done += page_size - std::max(from & page_offset_mask, to & page_offset_mask);
    }
    return false;
}

}  // namespace

bool moves_into_itself_by_alias(PieceMachine& interp) {
    auto& engine = static_cast<Interpreter&>(*interp.engine);
    const CpuState& state = interp.state;
    Decoder decoder{host_features()};
    for (u32 n = 0; n < most_steps && state.activity == Activity::Running; ++n) {
        const Instruction in = interp.next_instruction(decoder);
        bool upwards = !(state.eflags & eflags::df);
        if (is_repeated_move(in) && upwards && feeds_itself_by_alias(move_of(in, state), interp.cpu.mmu)) return true;
        engine.step();
    }
    return false;
}

}  // namespace vellum::test
