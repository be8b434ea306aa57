// Where a loop asks for attention: before the comparison, so that it stays together with its Jcc.
#include <catch2/catch.hpp>

#include "jit/emitted_blocks.hpp"

using namespace vellum;
using namespace vellum::test;
namespace x86 = asmjit::x86;

// 45 8B 1B: `mov r11d,[r11]`, with which a poll ends. FF C9: `dec ecx`. 0F 85: JNZ. 0F 83: JAE.
TEST_CASE("polls: a loop's comparison and branch stay together", "[jit][attention]") {
    EmittedBlocks loop = emitted_for([](x86::Assembler& a) { counted_loop(a, 3, [] {}); });
    CHECK(loop.count_in_first({0x45, 0x8B, 0x1B, 0xFF, 0xC9, 0x0F, 0x85}) == 1);
    CHECK(loop.count_in_first({0x45, 0x8B, 0x1B}) == 1);
}

TEST_CASE("polls: none comes between STI and what follows it", "[jit][attention]") {
    EmittedBlocks loop = emitted_for([](x86::Assembler& a) { counted_loop(a, 3, [&] { a.sti(); }); });
    CHECK(loop.count_in_first({0x45, 0x8B, 0x1B, 0xFF, 0xC9}) == 0);
    CHECK(loop.count_in_first({0xFF, 0xC9}) == 1);
    CHECK(loop.count_in_first({0x45, 0x8B, 0x1B, 0x0F, 0x85}) == 1);
}

TEST_CASE("polls: a branch that is jumped to asks for itself", "[jit][attention]") {
    EmittedBlocks loop = emitted_for([](x86::Assembler& a) {
        auto again = a.newLabel(), branch = a.newLabel();
        a.mov(x86::ecx, 3);
        a.bind(again);
        a.test(x86::al, 1);
        a.jnz(branch);
        a.dec(x86::ecx);
        a.bind(branch);
        a.jnz(again);
        a.hlt();
    });
    CHECK(loop.count_in_first({0x45, 0x8B, 0x1B, 0x0F, 0x85}) == 1);
    CHECK(loop.count_in_first({0x45, 0x8B, 0x1B}) == 1);
}

TEST_CASE("polls: a branch that only leads on needs none", "[jit][attention]") {
    EmittedBlocks straight = emitted_for([](x86::Assembler& a) {
        auto on = a.newLabel();
        a.cmp(x86::eax, 5);
        a.jnz(on);
        a.inc(x86::edx);
        a.bind(on);
        a.hlt();
    });
    CHECK(straight.count_in_first({0x45, 0x8B, 0x1B}) == 0);
}
