// MOVS between STD and CLD: the same as on the interpreter, faults in the middle included, and no STD on the host.
#include <catch2/catch.hpp>

#include "jit/emitted_blocks.hpp"
#include "jit/paged_program.hpp"

using namespace vellum;
using namespace vellum::test;
namespace x86 = asmjit::x86;

namespace {

constexpr u32 missing = 0x80, from = 0x10000, to = 0x60000;  // a page, and two addresses

// As C libraries write it: single bytes until the rest is doublewords. ESI, EDI: the operands' first bytes.
void move_downwards(x86::Assembler& a) {
    auto no_byte = a.newLabel(), no_word = a.newLabel();
    a.std();
    a.lea(x86::edi, x86::ptr(x86::edi, x86::ecx, 0, -1));
    a.lea(x86::esi, x86::ptr(x86::esi, x86::ecx, 0, -1));
    a.shr(x86::ecx, 1);
    a.jnc(no_byte);
    a.movsb();
    a.bind(no_byte);
    a.sub(x86::edi, 1);
    a.sub(x86::esi, 1);
    a.shr(x86::ecx, 1);
    a.jnc(no_word);
    a.movsw();
    a.bind(no_word);
    a.sub(x86::edi, 2);
    a.sub(x86::esi, 2);
    a.rep().movsd();
    a.cld();
}

// On the translator as it runs without counting.
struct Mover : PagedProgram {
    Mover() : PagedProgram{make_plain_translator} {
        both([](FlatMachine& m) {
            for (u32 i = 0; i < 0x8000; ++i) m.poke_value<u8>(from + i, static_cast<u8>(i * 7 + (i >> 8)));
        });
    }
    // The handler has the error code in EAX, EFLAGS as pushed in EBX, and maps the missing page.
    template <typename Program>
    void run(u32 source, u32 destination, u32 count, Program program) {
        auto code = assemble(FlatMachine::code_at, program);
        auto faults = assemble(handler, [](x86::Assembler& a) {
            a.pop(x86::eax);
            a.mov(x86::ebx, x86::ptr(x86::esp, 8));
            a.mov(x86::dword_ptr(0x9000), x86::ecx);
            a.mov(x86::dword_ptr(0x9004), x86::esi);
            a.mov(x86::dword_ptr(0x9008), x86::edi);
            a.mov(x86::dword_ptr(entry_of(missing)), missing << page_shift | 7);
            a.invlpg(x86::ptr(missing << page_shift));
            a.iretd();
        });
        both([&](FlatMachine& m) {
            m.poke(FlatMachine::code_at, code);
            m.poke(handler, faults);
            m.state.eip = FlatMachine::code_at;
            m.set_reg(Reg::Esi, source);
            m.set_reg(Reg::Edi, destination);
            m.set_reg(Reg::Ecx, count);
            m.engine->state_replaced();
            CHECK(m.engine->run() == Stop::Halted);
        });
        bt.state.instructions = interp.state.instructions;  // which only the interpreter has counted
        CHECK(compare() == "");
    }
    void take_page_away() {
        both([](FlatMachine& m) {
            m.poke_value<u32>(entry_of(missing), 0);
            m.engine->state_replaced();
        });
    }
};

auto and_halt(auto program) {
    return [=](x86::Assembler& a) {
        program(a);
        a.hlt();
    };
}

// `movzx r8d,byte [r13+rsi]`: an element that no string instruction moves.
bool moves_by_loads(auto program) { return emitted_for(and_halt(program)).has({0x45, 0x0F, 0xB6, 0x44, 0x35, 0x00}); }

}  // namespace

TEST_CASE("downward moves: as C libraries write them, apart and overlapping", "[jit][strings]") {
    u32 count = GENERATE(0u, 1u, 2u, 3u, 4u, 7u, 28u, 63u, 2047u, 2051u, 2055u, 8190u);
    u32 destination = GENERATE(as<u32>{}, to, from + 1, from + 2, from + 3, from + 8, from - 5);
    Mover pair;
    std::vector<u8> wanted(count);
    pair.interp.memory.read(Physical{from}, wanted);
    pair.run(from, destination, count, and_halt(move_downwards));
    std::vector<u8> moved(count);
    pair.bt.memory.read(Physical{destination}, moved);
    if (destination > from) CHECK((moved == wanted));
    CHECK((pair.bt.state.eflags & eflags::df) == 0);
}

TEST_CASE("downward moves: a fault in the middle names the rest, and DF is set", "[jit][strings]") {
    constexpr u32 page = missing << page_shift;
    u32 count = GENERATE(64u, 6000u);
    bool reads = GENERATE(true, false);
    Mover pair;
    pair.take_page_away();
    // A third of it is behind the end of the page.
    u32 first = page + page_size - count * 2 / 3 / 4 * 4;
    pair.run(reads ? first : from, reads ? to : first, count, and_halt(move_downwards));
    CHECK((pair.bt.reg(Reg::Ebx) & eflags::df) != 0);
    CHECK(pair.bt.peek<u32>(0x9000) != 0);
    CHECK(pair.bt.peek<u32>(0x9000) < count / 4);
    CHECK((pair.bt.state.eflags & eflags::df) == 0);
}

TEST_CASE("downward moves: a push before a repeated one that faults has moved ESP by one operand", "[jit][strings]") {
    Mover pair;
    pair.take_page_away();
    pair.run(missing << page_shift, to, 5, [](x86::Assembler& a) {
        a.push(x86::eax);
        a.std();
        a.rep().movsd();
        a.cld();
        a.hlt();
    });
    CHECK(pair.bt.reg(Reg::Esp) == TestMachine::stack_top - 4);
}

TEST_CASE("downward moves: DF is set where another instruction before CLD faults", "[jit][strings]") {
    Mover pair;
    pair.take_page_away();
    pair.run(from, to, 5, [](x86::Assembler& a) {
        a.std();
        a.rep().movsb();
        a.mov(x86::edx, x86::dword_ptr(missing << page_shift));
        a.cld();
        a.hlt();
    });
    CHECK((pair.bt.reg(Reg::Ebx) & eflags::df) != 0);
    CHECK((pair.bt.state.eflags & eflags::df) == 0);
}

TEST_CASE("downward moves: CLD counts where DF was set before", "[jit][strings]") {
    Mover pair;
    pair.both([](FlatMachine& m) { m.state.eflags |= eflags::df; });
    pair.run(from, to, 37, and_halt(move_downwards));
    CHECK((pair.bt.state.eflags & eflags::df) == 0);
}

TEST_CASE("downward moves: into a page with code", "[jit][strings]") {
    u32 count = GENERATE(40u, 2400u);
    Mover pair;
    pair.run(from, FlatMachine::code_at + 0x400, count, and_halt(move_downwards));
}

TEST_CASE("downward moves: a way into the middle, or out of it, wants DF itself", "[jit][strings]") {
    auto kind = GENERATE(0, 1, 2, 3);
    auto program = [kind](x86::Assembler& a) {
        auto inside = a.newLabel(), outside = a.newLabel();
        if (kind == 0) {
            a.test(x86::ecx, 1);
            a.jnz(inside);  // from before STD, with DF clear
        }
        a.std();
        if (kind == 1) {
            a.test(x86::ecx, 1);
            a.jnz(outside);
        }
        if (kind == 2) a.pushfd();
        if (kind == 3) a.lodsb();
        a.bind(inside);
        a.movsb();
        a.cld();
        a.bind(outside);
        a.hlt();
    };
    u32 count = GENERATE(4u, 5u);
    Mover pair;
    pair.both([](FlatMachine& m) { m.set_reg(Reg::Esp, TestMachine::stack_top); });
    pair.run(from + 8, to + 8, count, program);
    CHECK_FALSE(moves_by_loads(program));
}

TEST_CASE("downward moves: DF stays as it is on the host", "[jit][strings]") { CHECK(moves_by_loads(move_downwards)); }
