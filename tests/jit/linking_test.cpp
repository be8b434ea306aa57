// Links, jump cache, return prediction and windows: each is an optimisation, and each may be switched off.
#include <catch2/catch.hpp>

#include "jit/engine_pair.hpp"
#include "jit/guest_program.hpp"
#include "jit/switches.hpp"

using namespace vellum;
using namespace vellum::test;
namespace x86 = asmjit::x86;

namespace {

// Loops, calls, an indirect call through memory on another page, and strings; the sum in EAX.
std::vector<u8> program() {
    return assemble(TestMachine::code_at, [](x86::Assembler& a) {
        auto again = a.newLabel(), function = a.newLabel(), other = a.newLabel();
        a.mov(x86::ebp, 500);
        a.lea(x86::eax, x86::ptr(other));
        a.mov(x86::dword_ptr(0x10000), x86::eax);
        a.xor_(x86::eax, x86::eax);
        a.bind(again);
        a.call(function);
        a.call(x86::dword_ptr(0x10000));
        a.dec(x86::ebp);
        a.jnz(again);
        a.hlt();
        a.bind(function);
        a.add(x86::eax, x86::ebp);
        a.ret();
        pad_to(a, 4096);
        a.bind(other);
        a.push(x86::eax);
        a.mov(x86::edi, 0x11000);
        a.mov(x86::ecx, 8);
        a.db(0xF3);  // rep stosd
        a.db(0xAB);
        a.pop(x86::eax);
        a.add(x86::eax, x86::dword_ptr(0x11000));
        a.ret();
    });
}

u32 result(const EngineFactory& make) {
    FlatMachine m{1u << 20, make};
    m.poke(TestMachine::code_at, program());
    m.run_from(TestMachine::code_at);
    return m.reg(Reg::Eax);
}

}  // namespace

TEST_CASE("linking: every optimisation can be switched off", "[jit][linking]") {
    auto off = GENERATE(from_range(translator_switches().begin(), translator_switches().end()));
    INFO("off: " << off.name);
    TranslatorConfig config;
    config.verifier = verify;
    off.turn_off(config);
    CHECK(result([&](Cpu& cpu) { return make_translator(cpu, config); }) == result(make_interpreter));
}

TEST_CASE("linking: a loop runs without the dispatcher", "[jit][linking]") {
    FlatMachine m{1u << 20, make_plain_translator};
    m.poke(TestMachine::code_at, program());
    m.run_from(TestMachine::code_at);
    // HLT and little else was left for the interpreter, and every block was translated once.
    CHECK(m.engine->statistics().interpreted_instructions < 20);
    CHECK(m.engine->statistics().blocks_translated < 40);
}

TEST_CASE("linking: a function with branches, a loop and a call in it is one block", "[jit][linking]") {
    FlatMachine m{1u << 20, make_plain_translator};
    m.poke(TestMachine::code_at, assemble(TestMachine::code_at, [](x86::Assembler& a) {
               auto nothing = [] {};
               call_every_other_round(a, 100, nothing, nothing, [&] { a.hlt(); });
           }));
    m.run_from(TestMachine::code_at);
    CHECK(m.reg(Reg::Eax) == 50 * 3 + 50 * 5);
    CHECK(m.engine->statistics().blocks_translated == 2);
}

TEST_CASE("linking: blocks are linked while an interrupt waits behind IF (GRUB ran 7 times slower)", "[jit][linking]") {
    FlatMachine m{1u << 20, make_plain_translator};
    m.poke(TestMachine::code_at, program());
    m.outside.vector_pending = 0x40;
    m.cpu.attention.raise(Attention::Interrupt);
    m.state.eflags &= ~eflags::if_;
    m.run_from(TestMachine::code_at);
    CHECK(m.outside.vector_pending == 0x40);
    CHECK(m.engine->statistics().entries < 100);
}

// The jump cache tells them apart by their low half only: each arrival that was meant for another one goes there, with
// ECX and the flags as they were.
TEST_CASE("linking: indirect jumps between places whose addresses share their low half keep ECX and flags",
          "[jit][linking]") {
    constexpr u32 places[] = {0x50100, 0x60100, 0x70100}, table = 0x20000;
    auto calls = GENERATE(false, true);
    TranslatorConfig config;
    config.counting = true;
    config.look_up_by_mask = GENERATE(false, true) && host_has_bmi2();
    CAPTURE(calls, config.look_up_by_mask);
    EnginePair<FlatMachine> pair{1u << 20, [&](Cpu& cpu) { return make_translator(cpu, config); }};
    auto code = assemble(TestMachine::code_at, [&](x86::Assembler& a) {
        auto again = a.newLabel(), back = a.newLabel();
        a.mov(x86::ebp, 120);
        a.lea(x86::esi, x86::ptr(back));
        a.bind(again);
        a.mov(x86::eax, x86::ebp);
        a.xor_(x86::edx, x86::edx);
        a.mov(x86::edi, 3);
        a.div(x86::edi);
        a.imul(x86::ecx, x86::ebp, 0x01234567);
        a.imul(x86::edi, x86::ebp, 0x12345678);
        a.add(x86::edi, x86::edi);  // CF and OF as they come
        calls ? a.call(x86::dword_ptr(table, x86::edx, 2)) : a.jmp(x86::dword_ptr(table, x86::edx, 2));
        a.bind(back);
        a.dec(x86::ebp);
        a.jnz(again);
        a.hlt();
    });
    pair.both([&](FlatMachine& m) {
        m.poke(TestMachine::code_at, code);
        for (u32 i = 0; i < 3; ++i) {
            u32 at = places[i];
            m.poke(at, assemble(at, [&](x86::Assembler& a) {
                       a.adc(x86::ebx, x86::ecx);
                       a.lea(x86::ebx, x86::dword_ptr(x86::ebx, x86::ebx, 1, static_cast<i32>(i) + 1));
                       calls ? a.ret() : a.jmp(x86::esi);
                   }));
            m.poke(table + 4 * i,
                   std::vector<u8>{static_cast<u8>(at), static_cast<u8>(at >> 8), static_cast<u8>(at >> 16), 0});
        }
        m.state.eip = TestMachine::code_at;
        m.state.reg(Reg::Esp) = 0x80000;
    });
    for (int i = 0; i < 1000 && pair.interp.state.activity == Activity::Running; ++i) REQUIRE(pair.advance(500) == "");
    REQUIRE(pair.interp.state.activity == Activity::Halted);
    CHECK(pair.interp.halted_by() == -1);
}

// The jump cache still knows the block that has ceased: its entry leads to the dispatcher, which must not ask the cache
// again.
TEST_CASE("linking: an indirect call of a function that was written anew finds what is there now", "[jit][linking]") {
    constexpr u32 function = 0x50100;
    constexpr u8 inc_eax = 0x40, difference_to_dec = 8;
    EnginePair<FlatMachine> pair;
    auto code = assemble(TestMachine::code_at, [&](x86::Assembler& a) {
        auto again = a.newLabel();
        a.mov(x86::ebp, 101);
        a.mov(x86::esi, function);
        a.mov(x86::edx, inc_eax);
        a.bind(again);
        a.mov(x86::byte_ptr(x86::esi), x86::dl);
        a.call(x86::esi);
        a.xor_(x86::edx, difference_to_dec);
        a.dec(x86::ebp);
        a.jnz(again);
        a.hlt();
    });
    pair.both([&](FlatMachine& m) {
        m.poke(TestMachine::code_at, code);
        m.poke(function, {inc_eax, 0xC3});
        m.state.eip = TestMachine::code_at;
        m.state.reg(Reg::Esp) = 0x80000;
    });
    for (int i = 0; i < 100 && pair.interp.state.activity == Activity::Running; ++i) REQUIRE(pair.advance(500) == "");
    REQUIRE(pair.interp.state.activity == Activity::Halted);
    CHECK(pair.bt.reg(Reg::Eax) == 1);
}
