// What blocks may reach and touch: the words of JitContext and CpuState one by one, the stubs one by one. And what
// becomes of a block that is refused.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstring>

#include "jit/block_contract.hpp"
#include "jit/translator.hpp"
#include "support/test_machine.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

// A block at host address 7000h of a runtime whose stubs lie between 1000h and 2000h.
struct Contract {
    JitContext context;
    Runtime runtime{&context, 0x1000, 0x1000, 0x1100, 0x1200, 0x1210, 0x1300, 0x1400, 0x1500, 0x1600, 0x1700};
    Block block;
    EmittedCode code = block_contract({}, 0x7000, block, runtime);

    bool context_word(std::size_t offset, u32 bytes, bool write) const {
        return code.may_touch(reinterpret_cast<u64>(&context) + offset, bytes, write);
    }
    bool state_word(std::size_t offset, u32 bytes, bool write) const {
        return code.may_touch_state(offset, bytes, write);
    }
    bool jumps(u64 target) const { return code.may_reach(target, EmittedCode::Way::Jump); }
    bool calls(u64 target) const { return code.may_reach(target, EmittedCode::Way::Call); }
};

}  // namespace

TEST_CASE("block contract: the runtime's words of the context are neither read nor written", "[jit]") {
    Contract c;
    auto offset =
        GENERATE(offsetof(JitContext, host_rsp), offsetof(JitContext, return_sp), offsetof(JitContext, jump_cache),
                 offsetof(JitContext, state), offsetof(JitContext, window), offsetof(JitContext, entry),
                 offsetof(JitContext, exit), offsetof(JitContext, target), offsetof(JitContext, flags),
                 offsetof(JitContext, host_mxcsr), offsetof(JitContext, fpu_live), offsetof(JitContext, time_stamp),
                 offsetof(JitContext, store_target), offsetof(JitContext, owner), offsetof(JitContext, fpu));
    CHECK_FALSE(c.context_word(offset, 1, false));
    CHECK_FALSE(c.context_word(offset, 1, true));
}

TEST_CASE("block contract: the words of the context that blocks need, and not a byte beside them", "[jit]") {
    Contract c;
    CHECK(c.context_word(offsetof(JitContext, interrupt_flag), 1, true));
    CHECK(c.context_word(offsetof(JitContext, scratch), 8, true));
    CHECK(c.context_word(offsetof(JitContext, repeat_start), 8, true));
    CHECK(c.context_word(offsetof(JitContext, limit), 8, false));
    CHECK_FALSE(c.context_word(offsetof(JitContext, limit), 8, true));
    CHECK(c.context_word(offsetof(JitContext, loaded_segments), sizeof(LoadedSegments), false));
    for (u32 at = 0; at < sizeof(LoadedSegments); ++at)
        CHECK_FALSE(c.context_word(offsetof(JitContext, loaded_segments) + at, 1, true));
    CHECK_FALSE(c.context_word(offsetof(JitContext, loaded_segments) + sizeof(LoadedSegments), 1, false));
    CHECK_FALSE(c.context_word(offsetof(JitContext, interrupt_flag), 2, true));
    CHECK_FALSE(c.context_word(offsetof(JitContext, scratch) - 1, 8, true));
    CHECK_FALSE(c.context_word(sizeof(JitContext), 1, false));
}

TEST_CASE("block contract: blocks write the instruction counter and CR2 of the state and nothing else", "[jit]") {
    Contract c;
    std::vector<std::size_t> written;
    for (std::size_t offset = 0; offset < sizeof(CpuState); ++offset)
        if (c.state_word(offset, 1, true)) written.push_back(offset);
    REQUIRE(written.size() == sizeof CpuState::instructions + sizeof CpuState::cr2);
    CHECK(written.front() == offsetof(CpuState, instructions));
    CHECK(written.back() == offsetof(CpuState, cr2) + sizeof CpuState::cr2 - 1);
    CHECK(c.state_word(offsetof(CpuState, seg) + offsetof(Segment, base), 4, false));
    CHECK(c.state_word(offsetof(CpuState, eflags), 4, false));
    CHECK(c.state_word(offsetof(CpuState, attention), 4, false));
    CHECK_FALSE(c.state_word(offsetof(CpuState, poll), 8, false));
    CHECK_FALSE(c.state_word(sizeof(CpuState), 8, false));
}

TEST_CASE("block contract: the words of the state that blocks read, and not a byte beside them", "[jit]") {
    Contract c;
    std::vector<bool> expected(sizeof(CpuState));
    auto readable = [&](std::size_t offset, std::size_t bytes) {
        std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>(offset), bytes, true);
    };
    readable(offsetof(CpuState, instructions), sizeof CpuState::instructions);
    readable(offsetof(CpuState, attention), sizeof CpuState::attention);
    readable(offsetof(CpuState, eflags), sizeof CpuState::eflags);
    readable(offsetof(CpuState, seg), sizeof CpuState::seg);
    for (std::size_t control :
         {offsetof(CpuState, cr0), offsetof(CpuState, cr2), offsetof(CpuState, cr3), offsetof(CpuState, cr4)})
        readable(control, sizeof CpuState::cr0);
    for (std::size_t offset = 0; offset < sizeof(CpuState); ++offset) {
        CAPTURE(offset);
        CHECK(c.state_word(offset, 1, false) == expected[offset]);
    }
}

TEST_CASE("block contract: blocks reach five stubs, each in its way", "[jit]") {
    Contract c;
    const Runtime& r = c.runtime;
    CHECK(c.jumps(r.lookup));
    CHECK(c.jumps(r.miss));
    CHECK(c.jumps(r.exit));
    CHECK(c.calls(r.lookup));
    CHECK(c.calls(r.time_stamp));
    CHECK_FALSE(c.jumps(r.time_stamp));
    CHECK(c.calls(r.checked_store));
    CHECK_FALSE(c.jumps(r.checked_store));
    CHECK(c.code.checked_store == r.checked_store);
    CHECK_FALSE(c.calls(r.exit));
    CHECK_FALSE(c.calls(r.miss));
    for (u64 elsewhere : {r.enter, r.enter_fpu, r.underflow, r.lookup_poll, r.exit + 1, u64{0x6FF0}, u64{0x7000}}) {
        CAPTURE(elsewhere);
        CHECK_FALSE(c.jumps(elsewhere));
        CHECK_FALSE(c.calls(elsewhere));
    }
}

namespace {

std::optional<std::string> refuse_all(const EmittedCode&) { return "refused by the test"; }

}  // namespace

TEST_CASE("block contract: refused blocks are interpreted, and their refusal is told", "[jit]") {
    std::vector<std::string> told;
    TranslatorConfig config;
    config.verifier = refuse_all;
    config.on_refusal = [&](const std::string& refusal) { told.push_back(refusal); };
    FlatMachine m{1u << 20, [&](Cpu& cpu) { return make_translator(cpu, config); }};
    // mov ecx,100; again: add eax,3; dec ecx; jnz again; hlt
    m.run({0xB9, 0x64, 0x00, 0x00, 0x00, 0x83, 0xC0, 0x03, 0x49, 0x75, 0xFA, 0xF4});
    CHECK(m.state.activity == Activity::Halted);
    CHECK(m.reg(Reg::Eax) == 300);
    CHECK(m.engine->statistics().blocks_translated == 0);
    CHECK(m.engine->statistics().blocks_refused == told.size());
    REQUIRE(told.size() == 5);  // one for each instruction, however often it is run
    CHECK(told.front().find("refused by the test") != std::string::npos);
}
