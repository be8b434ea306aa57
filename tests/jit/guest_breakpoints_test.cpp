// The guest's debug registers are a matter of the pages that they name: all else is translated, and a write to DR7
// leaves code and windows as they are.
#include "jit/debug_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

constexpr u32 code = FlatMachine::code_at, data = FlatMachine::data_at, other = data + 0x4000, unused = 0x80000;
constexpr u32 write4 = dr7_global(0, dr7_data_write, 4), access4 = dr7_global(0, dr7_data_access, 4);

// mov ecx, COUNT; then over and over: inc eax; mov [data], eax; add edx, [other]; dec ecx; jnz
constexpr u32 loop_at = code + 5, store_at = code + 6, load_at = code + 11, count_at = code + 17;
Bytes loop(u32 count) {
    return with_address({0xB9}, count) + Bytes{0x40} + store32(data) + with_address({0x03, 0x15}, other) +
           Bytes{0x49, 0x75, 0xF1};
}

struct LoopPair : DebugPair {
    EngineStatistics statistics() { return bt.engine->statistics(); }
    // What the translator left to the interpreter of such a run.
    u64 interpreted(u32 count) {
        u64 before = statistics().interpreted_instructions;
        run(loop(count));
        return statistics().interpreted_instructions - before;
    }
};

}  // namespace

TEST_CASE("guest breakpoints: four of them on pages that a program does not use leave it translated") {
    for (u32 kind : {0u, dr7_data_write, dr7_port, dr7_data_access}) {
        INFO("kind " << kind);
        LoopPair pair;
        for (u32 i = 0; i < 4; ++i) pair.set_breakpoint(i, unused + 0x1000 * i, dr7_global(i, kind, 1));
        CHECK(pair.interpreted(1000) < 50);
        CHECK(pair.entries().empty());
    }
}

TEST_CASE("guest breakpoints: on a page that is used they cost what touches that page, and nothing else") {
    LoopPair pair;
    pair.set_breakpoint(0, data + 0x100, write4);
    u64 interpreted = pair.interpreted(1000);
    CHECK(interpreted >= 900);
    CHECK(interpreted < 1100);  // of 5,000
    CHECK(pair.entries().empty());
}

TEST_CASE("guest breakpoints: an instruction breakpoint costs the instruction that it is on") {
    LoopPair pair;
    pair.resume_with_rf();
    pair.set_breakpoint(0, load_at, dr7_global(0, 0, 1));
    pair.set_breakpoint(1, load_at + 2, dr7_global(1, 0, 1));  // within it: never met
    u64 interpreted = pair.interpreted(20);
    CHECK(pair.entries().size() == 20);
    CHECK(pair.entries().front().eip == load_at);
    CHECK(interpreted < 200);  // the handler has 20 instructions, of which four are the interpreter's
}

TEST_CASE("guest breakpoints: code and data that have been used are watched from the moment that DR7 says so") {
    LoopPair pair;
    pair.resume_with_rf();
    pair.run(loop(500));
    pair.set_breakpoint(0, load_at, dr7_global(0, 0, 1));
    CHECK(pair.run(loop(3)).size() == 3);
    pair.both([](FlatMachine& m) { m.state.dr[7] = dr7::fixed; });
    CHECK(pair.run(loop(500)).empty());
    pair.set_breakpoint(0, other, access4);
    CHECK(pair.run(loop(4)).size() == 4);
    pair.both([](FlatMachine& m) { m.state.dr[7] = dr7::fixed; });
    CHECK(pair.run(loop(500)).empty());
    pair.set_breakpoint(0, data, write4);
    CHECK(pair.run(loop(5)).size() == 5);
}

// mov edx, DR7's value; then over and over: mov dr7, edx; xor edx, [esi]; inc dword [data]; loop
TEST_CASE("guest breakpoints: a write to DR7 throws no code away and takes no page out of a window") {
    LoopPair pair;
    pair.set_breakpoint(0, unused, 0);
    pair.set_breakpoint(1, unused + 0x1000, 0);
    pair.set_reg(Reg::Edx, dr7_global(0, 0, 1) | dr7_global(1, dr7_data_access, 4));
    pair.set_reg(Reg::Esi, other);
    pair.both(
        [](FlatMachine& m) { m.poke_value<u32>(other, dr7_global(0, 0, 1) | dr7_global(1, dr7_data_access, 4)); });
    const Bytes bytes = with_address({0xB9}, 1000) + Bytes{0x0F, 0x23, 0xFA, 0x33, 0x16} +
                        with_address({0xFF, 0x05}, data) + Bytes{0xE2, 0xF3};
    CHECK(pair.run(bytes).empty());
    CHECK(pair.interp.peek<u32>(data) == 1000);
    CHECK(pair.statistics().blocks_invalidated == 0);
    CHECK(pair.statistics().blocks_translated < 20);
    CHECK(pair.statistics().window_fills < 20);
    CHECK(pair.statistics().interpreted_instructions < 1000 + 50);  // MOV DR7 itself
}

TEST_CASE("guest breakpoints: a page that two of them watch, for stores and for all, is watched for loads") {
    LoopPair pair;
    pair.set_breakpoint(0, other + 0x10, write4);
    pair.set_breakpoint(1, other, dr7_global(1, dr7_data_access, 4));
    CHECK(pair.run(loop(3)).size() == 3);
}

TEST_CASE("guest breakpoints: stores into code elsewhere go on beside a watched page") {
    LoopPair pair;
    pair.set_breakpoint(0, unused, write4);
    // mov ecx, 2000; again: mov [code + 800h], ecx; loop again; the page holds code, so that each store meets it
    const Bytes bytes = with_address({0xB9}, 2000) + with_address({0x89, 0x0D}, code + 0x800) + Bytes{0xE2, 0xF8};
    CHECK(pair.run(bytes).empty());
    CHECK(pair.statistics().interpreted_instructions < 500);
}

// Breakpoints come and go while a loop runs that touches all that they watch.
TEST_CASE("guest breakpoints: a program that changes its debug registers runs alike on both engines") {
    for (u32 seed = 1; seed <= 6; ++seed) {
        LoopPair pair;
        pair.resume_with_rf();
        const u32 addresses[] = {loop_at, store_at, load_at, count_at, data, other, other + 0xFFC, unused, code};
        u32 random = seed * 2654435761u;
        auto below = [&random](u32 n) { return (random = random * 1664525 + 1013904223) / 65536 % n; };
        pair.both([](FlatMachine& m) {
            m.poke(code, loop(100'000) + Bytes{0xF4});
            m.state.eip = code;
        });
        for (u32 n = 0; n < 120; ++n) {
            u32 number = below(4), address = addresses[below(std::size(addresses))];
            u32 kind = address <= count_at ? 0 : below(2) ? dr7_data_write : dr7_data_access;
            u64 enabled = dr7_global(number, kind, kind ? 4 : 1);
            bool on = below(3) != 0;
            pair.both([&](FlatMachine& m) {
                m.state.dr[number] = address;
                m.state.dr[7] &= ~u64{dr7_global(number, 3, 4)};
                if (on) m.state.dr[7] |= enabled;
                m.poke_value<u32>(DebugPair::diary_end, DebugPair::diary);
            });
            REQUIRE(pair.advance(below(400) + 1) == "");
        }
        CHECK(pair.statistics().interpreted_instructions < pair.bt.state.instructions);
    }
}
