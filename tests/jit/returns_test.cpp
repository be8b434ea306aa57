// Calls and returns: predicted ones, and those that go elsewhere.
#include <catch2/catch.hpp>

#include "jit/engine_pair.hpp"
#include "jit/guest_program.hpp"

using namespace vellum;
using namespace vellum::test;
namespace x86 = asmjit::x86;

namespace {

template <typename Write>
void agree(Write write, u64 stretch = 5000, u64 stack = 0x80000) {
    EnginePair<FlatMachine> pair;
    auto code = assemble(TestMachine::code_at, write);
    pair.both([&](FlatMachine& m) {
        m.poke(TestMachine::code_at, code);
        m.state.eip = TestMachine::code_at;
        m.state.reg(Reg::Esp) = stack;
    });
    for (int i = 0; i < 1000 && pair.interp.state.activity == Activity::Running; ++i)
        REQUIRE(pair.advance(stretch) == "");
    REQUIRE(pair.interp.state.activity == Activity::Halted);
    CHECK(pair.interp.halted_by() == -1);
}

}  // namespace

TEST_CASE("returns: a recursion deeper than the host's return stack comes back right", "[jit][returns]") {
    agree(
        [](x86::Assembler& a) {
            auto recurse = a.newLabel(), done = a.newLabel();
            a.mov(x86::ecx, 132000);
            a.xor_(x86::eax, x86::eax);
            a.call(recurse);
            a.hlt();
            a.bind(recurse);
            a.test(x86::ecx, x86::ecx);
            a.jz(done);
            a.dec(x86::ecx);
            a.call(recurse);
            a.add(x86::eax, 3);
            a.bind(done);
            a.ret();
        },
        5000, 0xF8000);
}

TEST_CASE("returns: a caller that was overwritten meanwhile goes on with its new code", "[jit][returns]") {
    auto distance = GENERATE(64, 4096);  // on the caller's page, and on another one
    agree([&](x86::Assembler& a) {
        auto function = a.newLabel(), patched = a.newLabel();
        counted_loop(a, 100, [&] {
            a.call(function);
            a.bind(patched);
            a.mov(x86::eax, 0x11111111);
            a.add(x86::edx, x86::eax);
        });
        pad_to(a, static_cast<std::size_t>(distance));
        a.bind(function);
        a.test(x86::ecx, 3);
        auto keep = a.newLabel();
        a.jnz(keep);
        a.mov(x86::dword_ptr(patched, 1), x86::ecx);
        a.bind(keep);
        a.ret();
    });
}

TEST_CASE("returns: flags survive a return, to where it was predicted and elsewhere", "[jit][returns]") {
    agree([](x86::Assembler& a) {
        auto function = a.newLabel(), other = a.newLabel(), home = a.newLabel();
        counted_loop(a, 60, [&] {
            a.call(function);
            a.adc(x86::eax, 0);
            a.bind(home);
        });
        a.bind(other);
        a.adc(x86::edx, 0);
        a.jmp(home);
        a.bind(function);
        auto plain = a.newLabel();
        a.test(x86::ecx, 2);
        a.jz(plain);
        a.lea(x86::ebx, x86::ptr(other));
        a.mov(x86::dword_ptr(x86::esp), x86::ebx);
        a.bind(plain);
        a.bt(x86::ecx, 0);  // CF
        a.ret();
    });
}

TEST_CASE("returns: a changed return address is followed", "[jit][returns]") {
    agree([](x86::Assembler& a) {
        auto function = a.newLabel(), other = a.newLabel(), again = a.newLabel();
        a.mov(x86::ecx, 50);
        a.bind(again);
        a.call(function);
        a.hlt();
        a.bind(other);
        a.add(x86::eax, 5);
        a.dec(x86::ecx);
        a.jnz(again);
        a.hlt();
        a.bind(function);
        a.lea(x86::eax, x86::ptr(other));
        a.mov(x86::dword_ptr(x86::esp), x86::eax);
        a.ret();
    });
}

TEST_CASE("returns: a jump over many frames keeps later returns right", "[jit][returns]") {
    agree([](x86::Assembler& a) {
        auto deep = a.newLabel(), bottom = a.newLabel(), again = a.newLabel(), landed = a.newLabel();
        a.mov(x86::ebp, 20);
        a.bind(again);
        a.mov(x86::ebx, x86::esp);
        a.mov(x86::ecx, 10);
        a.call(deep);
        a.hlt();
        a.bind(deep);
        a.dec(x86::ecx);
        a.jz(bottom);
        a.call(deep);
        a.hlt();
        a.bind(bottom);
        a.mov(x86::esp, x86::ebx);  // longjmp
        a.bind(landed);
        a.inc(x86::eax);
        a.dec(x86::ebp);
        a.jnz(again);
        a.hlt();
    });
}

TEST_CASE("returns: CALL to the next instruction reads EIP", "[jit][returns]") {
    agree([](x86::Assembler& a) {
        auto next = a.newLabel();
        counted_loop(a, 100, [&] {
            a.call(next);
            a.bind(next);
            a.pop(x86::eax);
            a.add(x86::edx, x86::eax);
        });
    });
}

TEST_CASE("returns: two stacks in turn, as threads have them", "[jit][returns]") {
    agree([](x86::Assembler& a) {
        auto change = a.newLabel(), first = a.newLabel(), second = a.newLabel(), work = a.newLabel();
        a.mov(x86::esi, 0x90000);
        a.mov(x86::ecx, 100);
        a.lea(x86::eax, x86::ptr(second));
        a.mov(x86::dword_ptr(x86::esi), x86::eax);
        a.bind(first);
        a.call(work);
        a.dec(x86::ecx);
        a.jnz(first);
        a.hlt();
        a.bind(work);
        a.call(change);
        a.inc(x86::eax);
        a.ret();
        a.bind(second);
        a.call(change);
        a.inc(x86::edx);
        a.jmp(second);
        a.bind(change);
        a.xchg(x86::esp, x86::esi);
        a.ret();
    });
}

TEST_CASE("returns: RET n drops arguments", "[jit][returns]") {
    agree([](x86::Assembler& a) {
        auto function = a.newLabel();
        counted_loop(a, 50, [&] {
            a.push(x86::ecx);
            a.push(7);
            a.call(function);
        });
        a.bind(function);
        a.add(x86::eax, x86::dword_ptr(x86::esp, 8));
        a.ret(8);
    });
}
