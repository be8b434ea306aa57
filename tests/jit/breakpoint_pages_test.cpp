// The guest's debug registers beside translated code: what they cover is the interpreter's, and nothing else is.
#include "jit/debug_fixture.hpp"
#include "jit/guest_program.hpp"
#include "jit/paging_fixture.hpp"

using namespace vellum;
using namespace vellum::test;
namespace x86 = asmjit::x86;

namespace {

constexpr u32 write4 = dr7_global(0, dr7_data_write, 4), access4 = dr7_global(0, dr7_data_access, 4),
              execution = dr7_global(0, 0, 1);
// Four breakpoints of one kind, at one address.
constexpr u32 four(u32 kind, u32 bytes) {
    return dr7_global(0, kind, bytes) | dr7_global(1, kind, bytes) | dr7_global(2, kind, bytes) |
           dr7_global(3, kind, bytes);
}

// A loop over two pages of code, with loads, stores, a call and a return, in which EDX counts calls. EBX is the data,
// EDI other data.
struct LoopPair : DebugPair {
    static constexpr u32 function = 0x50000, other_data = 0x60000, rounds = 1000, round = 7;

    LoopPair() {
        auto loop = assemble(code, [](x86::Assembler& a) {
            auto again = a.newLabel();
            a.bind(again);
            a.mov(x86::eax, x86::ptr(x86::ebx));
            a.mov(x86::ptr(x86::edi), x86::eax);
            a.call(function);
            a.dec(x86::ecx);
            a.jnz(again);
            a.hlt();
        });
        both([&](FlatMachine& m) {
            m.poke(code, loop);
            m.poke(function, {0x42, 0xC3});  // inc edx; ret
            m.state.eip = code;
            m.set_reg(Reg::Ecx, 1u << 30);
            m.set_reg(Reg::Ebx, data);
            m.set_reg(Reg::Edi, other_data);
        });
        resume_with_rf();
        interpreted_in(rounds);
    }

    // Instructions that the interpreter did for the translator in so many rounds.
    u64 interpreted_in(u32 some_rounds) {
        u64 before = bt.engine->statistics().interpreted_instructions;
        REQUIRE(advance(some_rounds * round) == "");
        return bt.engine->statistics().interpreted_instructions - before;
    }
    // In place of the breakpoint 0 that there is.
    void replace_breakpoint(u32 address, u32 dr7) {
        both([&](FlatMachine& m) {
            m.state.dr[0] = address;
            m.state.dr[7] = dr7::fixed | dr7;
        });
    }
    u64 blocks_translated() const { return bt.engine->statistics().blocks_translated; }
    u64 blocks_invalidated() const { return bt.engine->statistics().blocks_invalidated; }
    u64 window_fills() const { return bt.engine->statistics().window_fills; }
};

constexpr u64 few = 100;  // what ends of runs leave to the interpreter

}  // namespace

// Seen with an operating system in Java, which keeps them at all times and was too slow to be used.
TEST_CASE("breakpoint pages: four breakpoints at address 0 leave everything to translated code") {
    u32 dr7 = GENERATE(four(0, 1), four(dr7_data_write, 4), four(dr7_data_access, 4), four(dr7_port, 1));
    LoopPair pair;
    pair.both([&](FlatMachine& m) { m.state.dr[7] |= dr7; });
    CHECK(pair.interpreted_in(LoopPair::rounds) < few);
}

TEST_CASE("breakpoint pages: a data breakpoint steps what touches its page, and nothing else") {
    LoopPair pair;
    pair.set_breakpoint(0, LoopPair::data + 0x100, access4);
    u64 interpreted = pair.interpreted_in(LoopPair::rounds);
    CHECK(interpreted >= LoopPair::rounds - few);
    CHECK(interpreted < LoopPair::rounds + few);
}

TEST_CASE("breakpoint pages: loads of a page in which only stores are watched stay in translated code") {
    LoopPair pair;
    pair.set_breakpoint(0, LoopPair::data, write4);
    CHECK(pair.interpreted_in(LoopPair::rounds) < few);
    CHECK(pair.entries().empty());
}

TEST_CASE("breakpoint pages: stores to a page in which stores are watched are stepped") {
    LoopPair pair;
    pair.set_breakpoint(0, LoopPair::other_data + 4, write4);
    u64 interpreted = pair.interpreted_in(LoopPair::rounds);
    CHECK(interpreted >= LoopPair::rounds - few);
    CHECK(interpreted < LoopPair::rounds + few);
    CHECK(pair.entries().empty());
}

TEST_CASE("breakpoint pages: an instruction breakpoint beside the code that runs steps nothing") {
    LoopPair pair;
    pair.set_breakpoint(0, LoopPair::function + 2, execution);
    CHECK(pair.interpreted_in(LoopPair::rounds) < few);
}

TEST_CASE("breakpoint pages: an instruction breakpoint inside an instruction is not met and costs that one alone") {
    LoopPair pair;
    pair.set_breakpoint(0, LoopPair::code + 6, execution);  // in the middle of the CALL
    CHECK(pair.interpreted_in(LoopPair::rounds) < few);
    CHECK(pair.entries().empty());
}

TEST_CASE("breakpoint pages: a breakpoint is met where code runs that was translated and linked before") {
    LoopPair pair;
    u32 address = GENERATE(as<u32>{}, LoopPair::code, LoopPair::code + 2, LoopPair::code + 9, LoopPair::function,
                           LoopPair::function + 1);
    pair.set_breakpoint(0, address, execution);
    REQUIRE(pair.advance(100) == "");
    INFO("address " << address);
    REQUIRE(!pair.entries().empty());
    for (const DebugEntry& entry : pair.entries()) CHECK(entry == DebugEntry{address, b0, entry.flags});
}

TEST_CASE("breakpoint pages: breakpoints that come and go cost no translations") {
    LoopPair pair;
    u64 fills = pair.window_fills(), translated = pair.blocks_translated(), invalidated = pair.blocks_invalidated();
    for (u32 i = 0; i < 50; ++i) {
        pair.replace_breakpoint(i % 2 ? 0 : 0x70000, i % 3 ? access4 : execution);
        pair.interpreted_in(3);
        pair.replace_breakpoint(0, 0);
        pair.interpreted_in(3);
    }
    CHECK(pair.blocks_translated() == translated);
    CHECK(pair.blocks_invalidated() == invalidated);
    CHECK(pair.window_fills() == fills);
}

TEST_CASE("breakpoint pages: a breakpoint in running code that comes and goes has it translated once") {
    LoopPair pair;
    for (u32 i = 0; i < 20; ++i) {
        pair.replace_breakpoint(LoopPair::function, i % 2 ? execution : 0);
        pair.interpreted_in(2);
    }
    u64 translated = pair.blocks_translated();
    for (u32 i = 0; i < 20; ++i) {
        pair.replace_breakpoint(LoopPair::function, i % 2 ? execution : 0);
        pair.interpreted_in(2);
    }
    CHECK(pair.blocks_translated() == translated);
}

TEST_CASE("breakpoint pages: code is translated again when its breakpoint has been gone for long") {
    LoopPair pair;
    pair.set_breakpoint(0, LoopPair::function, execution);
    pair.interpreted_in(10);
    pair.replace_breakpoint(LoopPair::function, 0);
    pair.interpreted_in(500);
    CHECK(pair.interpreted_in(LoopPair::rounds) < few);
}

TEST_CASE("breakpoint pages: data is accessed at full speed when its breakpoint has gone") {
    LoopPair pair;
    pair.set_breakpoint(0, LoopPair::data, access4);
    REQUIRE(pair.advance(30) == "");
    pair.replace_breakpoint(LoopPair::data, 0);
    pair.interpreted_in(LoopPair::rounds);
    CHECK(pair.interpreted_in(LoopPair::rounds) < few);
}

// A page without a window, in the middle of a large one that has them, was never shown to stores again.
TEST_CASE("breakpoint pages: a page that only stores touch is accessed at full speed when its breakpoint has gone") {
    LoopPair pair;
    pair.set_breakpoint(0, LoopPair::other_data + 4, access4);
    REQUIRE(pair.advance(30) == "");
    pair.replace_breakpoint(0, 0);
    u64 faults = pair.bt.engine->statistics().host_faults;
    CHECK(pair.interpreted_in(LoopPair::rounds) < few);
    CHECK(pair.bt.engine->statistics().host_faults < faults + few);
}

TEST_CASE("breakpoint pages: the guest's own writes to its debug registers count at the next instruction") {
    DebugPair pair;
    pair.resume_with_rf();
    auto program = assemble(DebugPair::code, [](x86::Assembler& a) {
        auto again = a.newLabel();
        a.mov(x86::ecx, 40);
        a.bind(again);
        a.mov(x86::eax, x86::ecx);
        a.and_(x86::eax, 1);
        a.shl(x86::eax, 1);  // G0 in every other round
        a.or_(x86::eax, write4 & ~2u);
        a.mov(x86::edx, DebugPair::data);
        a.db(0x0F), a.db(0x23), a.db(0xC2);  // mov dr0, edx
        a.db(0x0F), a.db(0x23), a.db(0xF8);  // mov dr7, eax
        a.mov(x86::ptr(x86::edx), x86::ecx);
        a.inc(x86::esi);
        a.dec(x86::ecx);
        a.jnz(again);
    });
    CHECK(pair.run(program).size() == 20);
    CHECK(pair.interp.reg(Reg::Esi) == 40);
}

TEST_CASE("breakpoint pages: a breakpoint behind a port access is met") {
    DebugPair pair;
    pair.resume_with_rf();
    auto program = assemble(DebugPair::code, [](x86::Assembler& a) {
        auto again = a.newLabel();
        a.mov(x86::ecx, 30);
        a.bind(again);
        a.db(0xE6), a.db(0x80);  // out 80h, al
        a.inc(x86::esi);
        a.dec(x86::ecx);
        a.jnz(again);
    });
    CHECK(pair.run(program).empty());
    pair.set_breakpoint(0, DebugPair::code + 7, execution);
    CHECK(pair.run(program).size() == 30);
    pair.both([](FlatMachine& m) { m.state.dr[7] = dr7::fixed; });
    pair.set_breakpoint(0, 0x80, dr7_global(0, dr7_port, 1));
    CHECK(pair.run(program).size() == 30);
}

// --- linear addresses, and which page they are

namespace {

// The loop under paging: two directories show the function's page and the data's at the same linear addresses, but
// other memory.
struct PagedLoopPair : LoopPair {
    static constexpr u32 directory = 0x40000, table = 0x42000, other_page = 0x70000;

    PagedLoopPair() {
        both([](FlatMachine& m) {
            for (u32 space : {0u, 1u}) {
                m.poke_value<u32>(directory + 0x1000 * space, (table + 0x1000 * space) | 7);
                for (u32 page = 0; page < 256; ++page)
                    m.poke_value<u32>(table + 0x1000 * space + 4 * page, page << 12 | 0x67);
            }
            m.poke_value<u32>(table + 0x1000 + 4 * (function >> 12), other_page | 0x67);
            m.poke(other_page, {0x42, 0x42, 0xC3});  // inc edx; inc edx; ret
            m.state.cr3 = directory;
            m.state.cr0 |= cr0::pg | cr0::wp;
            m.engine->state_replaced();
        });
        interpreted_in(rounds);
    }
    void use_space(u32 space) {
        both([&](FlatMachine& m) {
            m.state.cr3 = directory + 0x1000 * space;
            m.cpu.mmu.flush();
            m.engine->state_replaced();
        });
    }
};

}  // namespace

TEST_CASE("breakpoint pages: breakpoints are met in every address space that shows something there") {
    PagedLoopPair pair;
    pair.set_breakpoint(0, PagedLoopPair::function, execution);
    pair.set_breakpoint(1, PagedLoopPair::data, dr7_global(1, dr7_data_access, 4));
    for (u32 i = 0; i < 6; ++i) {
        std::size_t before = pair.entries().size();
        pair.use_space(i % 2);
        REQUIRE(pair.advance(200) == "");
        CHECK(pair.entries().size() > before + 2);
    }
}

TEST_CASE("breakpoint pages: under paging unused breakpoints leave everything to translated code") {
    PagedLoopPair pair;
    pair.both([&](FlatMachine& m) {
        for (u32 i = 0; i < 4; ++i) m.state.dr[i] = 0x80000 + 0x1000 * i;
        m.state.dr[7] |= four(dr7_data_access, 4);
    });
    CHECK(pair.interpreted_in(LoopPair::rounds) < few);
}

// --- against the interpreter

namespace {

struct Dice {
    u64 state;
    u32 below(u32 n) {
        state = state * 6364136223846793005 + 1442695040888963407;
        return static_cast<u32>(state >> 33) % n;
    }
};

// DR0-DR3 and DR7 by chance: where the loop's instructions, its data and its stack are, or near there.
void roll_breakpoints(DebugPair& pair, Dice& dice) {
    constexpr u32 places[] = {DebugPair::code,         DebugPair::code + 2,    DebugPair::code + 4,
                              LoopPair::function,      LoopPair::function + 1, DebugPair::data,
                              LoopPair::other_data,    DebugPair::stack - 4,   DebugPair::data + 0x200,
                              DebugPair::handler + 10, DebugPair::diary,       0};
    u32 dr7 = dr7::fixed | (dice.below(1u << 16) << 16);
    for (u32 i = 0; i < 4; ++i) dr7 |= dice.below(3) ? 0 : (1 + dice.below(2)) << (2 * i);
    u32 addresses[4];
    for (u32& a : addresses) a = places[dice.below(std::size(places))] + (dice.below(3) ? 0 : dice.below(4));
    pair.both([&](FlatMachine& m) {
        std::copy(addresses, addresses + 4, m.state.dr);
        m.state.dr[7] = dr7;
        m.state.dr[6] = dr6::fixed;
        m.poke_value<u32>(DebugPair::diary_end, DebugPair::diary);
        m.set_reg(Reg::Esp, DebugPair::stack);  // however deep breakpoints in the handler have led
        m.state.debug_traps = 0;
        m.state.eflags &= ~eflags::rf;
        m.state.eip = DebugPair::code;
        m.state.activity = Activity::Running;
    });
}

}  // namespace

TEST_CASE("breakpoint pages: any debug registers, changed at any time, do the same on both engines", "[random]") {
    for (u64 seed = 1; seed <= 150; ++seed) {
        INFO("seed " << seed);
        Dice dice{seed};
        LoopPair pair;
        for (u32 i = 0; i < 12; ++i) {
            roll_breakpoints(pair, dice);
            for (u32 n = 0; n < 6 && pair.interp.state.activity == Activity::Running; ++n)
                REQUIRE(pair.advance(1 + dice.below(60)) == "");
        }
    }
}
