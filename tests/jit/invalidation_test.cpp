// Code that changes: every way in which translated bytes can be written must be noticed at once.
#include <catch2/catch.hpp>

#include "jit/engine_pair.hpp"
#include "jit/guest_program.hpp"

using namespace vellum;
using namespace vellum::test;
namespace x86 = asmjit::x86;

namespace {

template <typename Write>
void agree(u32 at, Write write) {
    EnginePair<FlatMachine> pair;
    auto code = assemble(at, write);
    pair.both([&](FlatMachine& m) {
        m.poke(at, code);
        m.state.eip = at;
    });
    for (int i = 0; i < 2000 && pair.interp.state.activity == Activity::Running; ++i) REQUIRE(pair.advance(777) == "");
    REQUIRE(pair.interp.state.activity == Activity::Halted);
    CHECK(pair.interp.halted_by() == -1);
}

}  // namespace

TEST_CASE("invalidation: a store into the next instruction is seen by it", "[jit][invalidation]") {
    agree(TestMachine::code_at, [](x86::Assembler& a) {
        auto patched = a.newLabel();
        counted_loop(a, 100, [&] {
            a.mov(x86::dword_ptr(patched, 1), x86::ecx);
            a.bind(patched);
            a.mov(x86::eax, 0x11111111);
            a.add(x86::edx, x86::eax);
        });
    });
}

TEST_CASE("invalidation: a store into a block that ran before is seen", "[jit][invalidation]") {
    agree(TestMachine::code_at, [](x86::Assembler& a) {
        auto function = a.newLabel();
        counted_loop(a, 100, [&] {
            a.call(function);
            a.inc(x86::byte_ptr(function, 1));
        });
        pad_to(a, 64);
        a.bind(function);
        a.mov(x86::al, 0);
        a.movzx(x86::eax, x86::al);
        a.add(x86::edx, x86::eax);
        a.ret();
    });
}

TEST_CASE("invalidation: a store into a block on another page is seen through links", "[jit][invalidation]") {
    agree(TestMachine::code_at, [](x86::Assembler& a) {
        auto function = a.newLabel();
        counted_loop(a, 300, [&] {
            a.call(function);
            a.test(x86::ecx, 15);
            auto skip = a.newLabel();
            a.jnz(skip);
            a.mov(x86::dword_ptr(function, 2), x86::ecx);
            a.bind(skip);
        });
        pad_to(a, 4096);
        a.bind(function);
        a.add(x86::edx, 0x12345678);
        a.ret();
    });
}

TEST_CASE("invalidation: an instruction across a page end belongs to both pages", "[jit][invalidation]") {
    agree(0x1FF0, [](x86::Assembler& a) {
        auto again = a.newLabel(), long_one = a.newLabel();
        a.mov(x86::ecx, 60);  // 1FF0
        a.jmp(long_one);      // 1FF5
        a.nop();
        a.nop();
        a.nop();
        a.nop();
        a.nop();
        a.nop();
        a.bind(long_one);
        a.bind(again);
        a.mov(x86::eax, 0x01020304);  // 1FFD: its last byte is at 2001
        a.add(x86::edx, x86::eax);
        a.mov(x86::byte_ptr(0x2001), x86::cl);
        a.dec(x86::ecx);
        a.jnz(again);
        a.hlt();
    });
}

TEST_CASE("invalidation: REP MOVS over code replaces it", "[jit][invalidation]") {
    agree(TestMachine::code_at, [](x86::Assembler& a) {
        auto function = a.newLabel(), first = a.newLabel(), other = a.newLabel(), again = a.newLabel();
        a.mov(x86::ebp, 40);
        a.bind(again);
        a.call(function);
        a.lea(x86::esi, x86::ptr(first));
        a.test(x86::ebp, 1);
        auto copy = a.newLabel();
        a.jz(copy);
        a.lea(x86::esi, x86::ptr(other));
        a.bind(copy);
        a.lea(x86::edi, x86::ptr(function));
        a.mov(x86::ecx, 16);
        a.db(0xF3);  // rep movsb
        a.db(0xA4);
        a.dec(x86::ebp);
        a.jnz(again);
        a.hlt();
        pad_to(a, 4096);
        a.bind(function);
        a.add(x86::edx, 1);
        a.ret();
        pad_to(a, 4096);
        a.bind(first);
        a.add(x86::edx, 3);
        a.ret();
        pad_to(a, 64);
        a.bind(other);
        a.sub(x86::edx, 0x777);
        a.inc(x86::eax);
        a.ret();
        pad_to(a, 64);
    });
}

TEST_CASE("invalidation: data beside code on one page stays fast enough and right", "[jit][invalidation]") {
    agree(TestMachine::code_at, [](x86::Assembler& a) {
        auto counter = a.newLabel();
        counted_loop(a, 5000, [&] { a.inc(x86::dword_ptr(counter)); });
        pad_to(a, 256);
        a.bind(counter);
        a.dd(0);
    });
}

// Seen with kvm-unit-tests' sieve: two pages where the firmware's start code had run made a loop over 100 MB seven
// times slower.
TEST_CASE("invalidation: stores are fast where code lived beside data, and is used no more", "[jit][invalidation]") {
    EnginePair<FlatMachine> pair;
    constexpr u32 at = TestMachine::code_at;
    auto code = assemble(at, [](x86::Assembler& a) {
        auto function = a.newLabel(), living = a.newLabel(), dead = a.newLabel();
        a.mov(x86::ecx, 12);
        a.bind(living);
        a.call(function);
        a.mov(x86::dword_ptr(function, 2048), x86::ecx);
        a.dec(x86::ecx);
        a.jnz(living);
        a.mov(x86::ecx, 20000);
        a.bind(dead);
        a.mov(x86::dword_ptr(function, 2048), x86::ecx);
        a.dec(x86::ecx);
        a.jnz(dead);
        a.hlt();
        pad_to(a, 4096);
        a.bind(function);
        a.inc(x86::edx);
        a.ret();
    });
    pair.both([&](FlatMachine& m) {
        m.poke(at, code);
        m.state.eip = at;
    });
    REQUIRE(pair.advance(100000) == "");
    REQUIRE(pair.interp.state.activity == Activity::Halted);
    CHECK(pair.bt.engine->statistics().code_write_faults < 100);
    CHECK(pair.bt.engine->statistics().interpreted_instructions < 3000);
}

TEST_CASE("invalidation: what a device writes over code runs", "[jit][invalidation]") {
    FlatMachine m{1u << 20, make_plain_translator};
    auto code = assemble(TestMachine::code_at, [](x86::Assembler& a) {
        a.mov(x86::eax, 1);
        a.hlt();
    });
    m.poke(TestMachine::code_at, code);
    m.run_from(TestMachine::code_at);
    CHECK(m.reg(Reg::Eax) == 1);
    m.poke(TestMachine::code_at + 1, {2});
    m.run_from(TestMachine::code_at);
    CHECK(m.reg(Reg::Eax) == 2);
}

TEST_CASE("invalidation: eviction in the middle of a loop does no harm", "[jit][invalidation]") {
    // More code than the cache holds: each pass translates all of it again.
    TranslatorConfig config;
    config.verifier = verify;
    config.cache_bytes = 1u << 20;
    FlatMachine m{4u << 20, [&](Cpu& cpu) { return make_translator(cpu, config); }};
    constexpr u32 functions = 12000, at = 0x100000;
    std::vector<u8> code;
    for (u32 i = 0; i < functions; ++i) {
        code.insert(code.end(), {0x83, 0xC0, 0x01, 0xEB, 0x01, 0xF4});  // add eax,1; jmp over a byte
        code.insert(code.end(), {0x83, 0xC2, 0x02, 0xEB, 0x01, 0xF4});  // add edx,2; jmp over a byte
    }
    code.insert(code.end(), {0x49, 0x74, 0x05, 0xE9});  // dec ecx; jz end; jmp start
    u32 back = 0u - static_cast<u32>(code.size() + 4);
    for (int i = 0; i < 4; ++i) code.push_back(static_cast<u8>(back >> 8 * i));
    code.push_back(0xF4);
    m.poke(at, code);
    m.set_reg(Reg::Ecx, 5);
    m.run_from(at);
    CHECK(m.state.activity == Activity::Halted);
    CHECK(m.reg(Reg::Eax) == 5 * functions);
    CHECK(m.reg(Reg::Edx) == 10 * functions);
    CHECK(m.engine->statistics().blocks_evicted > 0);
}

TEST_CASE("invalidation: more code segments than there is room for modes", "[jit][invalidation]") {
    RealModeMachine m{1u << 20, make_plain_translator};
    constexpr u32 segments = 3000, first = 0x2000;
    // In each segment: inc cx; jmp far to the next.
    for (u32 i = 0; i < segments; ++i) {
        u16 next = static_cast<u16>(first + i + 1);
        m.poke((first + i) * 16, {0x41, 0xEA, 0, 0, static_cast<u8>(next), static_cast<u8>(next >> 8)});
    }
    m.poke((first + segments) * 16, {0xF4});
    m.run({0xEA, 0, 0, static_cast<u8>(first & 0xFF), static_cast<u8>(first >> 8)});
    CHECK(m.state.activity == Activity::Halted);
    CHECK(m.reg(Reg::Ecx) == segments);
}
