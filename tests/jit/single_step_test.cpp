// EFLAGS.TF and the T bit of a TSS on both engines (SDM 3B 17.3.1.4 and 17.3.1.5).
#include "jit/debug_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

constexpr u32 code = DebugPair::code, data = DebugPair::data;
constexpr u8 nop = 0x90, inc_ecx = 0x41;
// What follows is stepped from its second instruction on: PUSHF, OR [ESP], 100h, POPF take nine bytes.
const Bytes set_tf = {0x9C, 0x81, 0x0C, 0x24, 0x00, 0x01, 0x00, 0x00, 0x9D};
const Bytes clear_tf = {0x9C, 0x81, 0x24, 0x24, 0xFF, 0xFE, 0xFF, 0xFF, 0x9D};
constexpr u32 from = code + 9;  // behind set_tf

// The places of the steps, the three of clear_tf left out.
std::vector<u32> steps(DebugPair& pair, const Bytes& stepped) {
    Diary diary = pair.run(set_tf + stepped + clear_tf);
    std::vector<u32> places;
    for (const DebugEntry& entry : diary) {
        CHECK(entry.dr6 == bs);
        places.push_back(entry.eip - from);
    }
    u32 end = static_cast<u32>(stepped.size());
    REQUIRE(places.size() >= 3);
    CHECK(std::vector<u32>(places.end() - 3, places.end()) == std::vector<u32>{end + 1, end + 8, end + 9});
    places.resize(places.size() - 3);
    return places;
}

}  // namespace

TEST_CASE(
    "single step: a trap behind each instruction, the one that clears TF included, but not the one that sets it") {
    DebugPair pair;
    CHECK(steps(pair, {nop, inc_ecx, 0x89, 0xC8}) == std::vector<u32>{1, 2, 4});
    CHECK(pair.interp.reg(Reg::Eax) == 1);
}

TEST_CASE("single step: the handler runs without TF, and the image has it") {
    DebugPair pair;
    Diary diary = pair.run(set_tf + Bytes{nop} + clear_tf);
    REQUIRE(diary.size() == 4);
    CHECK(diary[0].flags == (eflags::fixed | eflags::tf));
    CHECK((diary[3].flags & eflags::tf) == 0);
}

TEST_CASE("single step: over each iteration of a REP, with RF in all images but the last") {
    DebugPair pair;
    pair.both([](FlatMachine& m) { m.state.eflags |= eflags::tf; });
    pair.set_reg(Reg::Edi, data);
    pair.set_reg(Reg::Ecx, 3);
    constexpr u32 image = eflags::fixed | eflags::tf;
    Diary diary = pair.run(Bytes{0xF3, 0xAA} + clear_tf);
    REQUIRE(diary.size() >= 3);
    diary.resize(3);
    CHECK(diary == Diary{{code, bs, image | eflags::rf}, {code, bs, image | eflags::rf}, {code + 2, bs, image}});
    CHECK(pair.interp.reg(Reg::Edi) == data + 3);
}

TEST_CASE("single step: a REP with a count of zero is one instruction") {
    DebugPair pair;
    CHECK(steps(pair, {0xF3, 0xAA}) == std::vector<u32>{2});
}

TEST_CASE("single step: INT n runs its handler without TF, and the trap comes behind the instruction after IRET") {
    DebugPair pair;
    pair.both([](FlatMachine& m) { m.poke(FlatMachine::handlers_at + 0x40, {nop, 0xCF}); });
    CHECK(steps(pair, {0xCD, 0x40, inc_ecx}) == std::vector<u32>{3});
}

TEST_CASE("single step: INTO that does nothing is stepped") {
    DebugPair pair;
    CHECK(steps(pair, {0xCE, nop}) == std::vector<u32>{1, 2});
}

TEST_CASE("single step: MOV SS is not stepped, and STI is") {
    DebugPair pair;
    pair.set_reg(Reg::Edx, 16);
    CHECK(steps(pair, {0x8E, 0xD2, nop, nop}) == std::vector<u32>{3, 4});
    CHECK(steps(pair, {0xFB, nop, 0xFA}) == std::vector<u32>{1, 2, 3});
}

TEST_CASE("single step: a fault is not stepped, and its handler is not either") {
    DebugPair pair;
    CHECK(pair.run(set_tf + Bytes{0x0F, 0x0B}).empty());
    CHECK(pair.interp.halted_by() == vector::ud);
}

TEST_CASE("single step: HLT is stepped and wakes") {
    DebugPair pair;
    CHECK(steps(pair, {0xF4, nop}) == std::vector<u32>{1, 2});
}

TEST_CASE("single step: together with a data breakpoint it is one exception") {
    DebugPair pair;
    pair.set_breakpoint(0, data, dr7_global(0, dr7_data_write, 4));
    Diary diary = pair.places(set_tf + store32(data) + clear_tf);
    REQUIRE(diary.size() == 4);
    CHECK(diary[0] == DebugEntry{from + 5, bs | 1, 0});
    CHECK(diary[1].dr6 == bs);
}

TEST_CASE("single step: the trap comes before the breakpoint of the next instruction") {
    DebugPair pair;
    pair.resume_with_rf();
    pair.set_breakpoint(0, from + 1, dr7_global(0, 0, 1));
    pair.both([](FlatMachine& m) { m.poke_value<u32>(DebugPair::or_flags, 0); });
    Diary diary = pair.places(set_tf + Bytes{nop} + Bytes{0x0F, 0x23, 0xFA} + clear_tf);  // mov dr7, edx ends it
    REQUIRE(diary.size() >= 2);
    CHECK(diary[0] == DebugEntry{from + 1, bs, 0});
    CHECK(diary[1] == DebugEntry{from + 1, b0, 0});
}

TEST_CASE("single step: general detect comes instead of the trap, behind MOV SS too") {
    DebugPair pair;
    pair.set_breakpoint(0, 0, dr7::general_detect);
    pair.set_reg(Reg::Edx, 16);
    Diary diary = pair.places(set_tf + Bytes{0x8E, 0xD2, 0x0F, 0x21, 0xC0} + clear_tf);  // mov ss, edx; mov eax, dr0
    REQUIRE(diary.size() == 5);
    CHECK(diary[0] == DebugEntry{from + 2, dr6::fixed | dr6::general_detect, 0});
    CHECK(diary[1] == DebugEntry{from + 5, bs, 0});
}

TEST_CASE("single step: behind SYSENTER the trap comes at level 0") {
    DebugPair pair;
    pair.both([](FlatMachine& m) {
        m.state.sysenter_cs = 8;
        m.state.sysenter_eip = code + 0x100;
        m.state.sysenter_esp = FlatMachine::stack_top;
        m.poke(code + 0x100, {0xF4});
        m.poke(DebugPair::handler, {0xF4});
    });
    pair.run(set_tf + Bytes{0x0F, 0x34});
    CHECK(pair.interp.state.dr[6] == bs);
    CHECK(pair.interp.peek<u32>(FlatMachine::stack_top - 12) == code + 0x100);
}

// --- tasks

namespace {

// A TSS of another task that begins at `task_code`, in the place of a fourth descriptor; the current one in a third.
struct TaskPair : DebugPair {
    static constexpr u32 other = 0x12000, current = 0x13000, task_code = code + 0x200, task_stack = 0x7000;
    TaskPair() {
        both([](FlatMachine& m) {
            auto descriptor = [](u64 base, u64 access) { return 0x67 | base << 16 | access << 40; };
            m.poke_value<u64>(FlatMachine::gdt_at + 24, descriptor(current, 0x8B));
            m.poke_value<u64>(FlatMachine::gdt_at + 32, descriptor(other, 0x89));
            m.state.gdtr.limit = 39;
            m.state.tr = {24, 0x8B, 0x67, current};
            m.poke_value<u32>(other + 0x20, task_code);
            m.poke_value<u32>(other + 0x24, eflags::fixed);
            m.poke_value<u32>(other + 0x38, task_stack);
            for (u32 segment = 0; segment < 6; ++segment)
                m.poke_value<u32>(other + 0x48 + 4 * segment, segment == 1 ? 8 : 16);
            m.poke(task_code, {inc_ecx, 0xF4});
        });
    }
    const Bytes jump = {0xEA, 0, 0, 0, 0, 32, 0};
};

}  // namespace

TEST_CASE("single step: the T bit traps before the first instruction of the task") {
    TaskPair pair;
    pair.both([](FlatMachine& m) { m.poke_value<u16>(TaskPair::other + 0x64, 1); });
    CHECK(pair.places(pair.jump) == Diary{{TaskPair::task_code, dr6::fixed | dr6::task_switch, 0}});
    CHECK(pair.interp.reg(Reg::Ecx) == 1);
}

TEST_CASE("single step: TF of a TSS traps behind the first instruction of the task") {
    TaskPair pair;
    pair.both([](FlatMachine& m) { m.poke_value<u32>(TaskPair::other + 0x24, eflags::fixed | eflags::tf); });
    Diary diary = pair.places(pair.jump);
    REQUIRE(!diary.empty());
    CHECK(diary[0] == DebugEntry{TaskPair::task_code + 1, bs, 0});
}

TEST_CASE("debug registers: a task switch ends local breakpoints and keeps global ones") {
    TaskPair pair;
    pair.set_breakpoint(0, TaskPair::task_code, 0x101);                            // L0, LE
    pair.set_breakpoint(1, TaskPair::task_code + 1, dr7_global(1, 0, 1) | 0x200);  // GE
    pair.resume_with_rf();
    CHECK(pair.places(pair.jump) == Diary{{TaskPair::task_code + 1, b1, 0}});
    CHECK(pair.interp.state.dr[7] == (dr7::fixed | 0x208));
}
