// Interrupts and stops reach translated code, at once where they may and later where they must wait.
#include <catch2/catch.hpp>

#include <atomic>
#include <chrono>
#include <thread>

#include "jit/engine_pair.hpp"
#include "jit/guest_program.hpp"

using namespace vellum;
using namespace vellum::test;
namespace x86 = asmjit::x86;

namespace {

template <typename Write>
void load(FlatMachine& m, Write write) {
    m.poke(TestMachine::code_at, assemble(TestMachine::code_at, write));
    m.state.eip = TestMachine::code_at;
    m.state.activity = Activity::Running;
    m.state.instruction_limit = ~u64{0};
}

}  // namespace

TEST_CASE("attention: another thread stops an endless loop of translated code", "[jit][attention]") {
    FlatMachine m{1u << 20, make_plain_translator};
    auto forever = GENERATE(0, 1, 2, 3);
    load(m, [&](x86::Assembler& a) {
        auto again = a.newLabel(), function = a.newLabel();
        a.lea(x86::ebx, x86::ptr(again));
        a.bind(again);
        a.inc(x86::eax);
        if (forever == 0) a.jmp(again);
        if (forever == 1) a.jmp(x86::ebx);
        if (forever == 2) {
            a.push(x86::ebx);
            a.ret();
        }
        a.call(function);
        a.jmp(again);
        a.bind(function);
        a.ret();
    });
    std::atomic<bool> done = false;
    std::thread other{[&] {
        while (!done) m.cpu.attention.raise(Attention::Stop);
    }};
    Stop stop = m.engine->run();
    done = true;
    other.join();
    CHECK(stop == Stop::Attention);
}

TEST_CASE("attention: ESP is right where a stop arrives behind pushes", "[jit][attention]") {
    FlatMachine m{1u << 20, make_plain_translator};
    auto by_register = GENERATE(true, false);
    constexpr u32 top = 0x8000;
    m.set_reg(Reg::Esp, top);
    load(m, [&](x86::Assembler& a) {
        auto again = a.newLabel(), function = a.newLabel();
        a.mov(x86::esp, top);
        a.lea(x86::ebx, x86::ptr(function));
        a.bind(again);
        a.push(x86::eax);
        a.push(x86::eax);
        by_register ? a.call(x86::ebx) : a.call(function);
        a.add(x86::esp, 8);
        a.jmp(again);
        a.bind(function);
        a.inc(x86::eax);
        a.ret();
    });
    for (int round = 0; round < 20; ++round) {
        m.cpu.attention.clear(Attention::Stop);
        std::thread other{[&] {
            std::this_thread::sleep_for(std::chrono::milliseconds{2});
            m.cpu.attention.raise(Attention::Stop);
        }};
        CHECK(m.engine->run() == Stop::Attention);
        other.join();
        // Mostly at a poll; under load before anything has run, or between two blocks.
        u8 opcode = m.peek<u8>(m.state.eip);
        bool in_function = opcode == 0x40, at_call = opcode == (by_register ? 0xFF : 0xE8), behind_it = opcode == 0x83;
        CHECK(m.reg(Reg::Esp) == top - (in_function ? 12 : at_call || behind_it ? 8 : 0));
    }
}

TEST_CASE("attention: an interrupt waits for IF, and is taken after the instruction that follows STI",
          "[jit][attention]") {
    EnginePair<FlatMachine> pair;
    pair.both([](FlatMachine& m) {
        load(m, [](x86::Assembler& a) {
            auto wait = a.newLabel();
            a.cli();
            a.mov(x86::ecx, 1000);
            a.bind(wait);
            a.dec(x86::ecx);
            a.jnz(wait);
            a.sti();
            a.inc(x86::edx);
            a.inc(x86::edx);
            a.hlt();
        });
        m.outside.vector_pending = 0x40;
        m.cpu.attention.raise(Attention::Interrupt);
    });
    CHECK(pair.advance(5000) == "");
    CHECK(pair.bt.halted_by() == 0x40);
    CHECK(pair.bt.reg(Reg::Edx) == 1);
}

TEST_CASE("attention: POPF that sets IF lets a waiting interrupt in", "[jit][attention]") {
    EnginePair<FlatMachine> pair;
    pair.both([](FlatMachine& m) {
        load(m, [](x86::Assembler& a) {
            a.push(0x202);
            a.nop();
            a.popfd();
            a.inc(x86::edx);
            a.hlt();
        });
        m.outside.vector_pending = 0x41;
        m.cpu.attention.raise(Attention::Interrupt);
    });
    CHECK(pair.advance(5000) == "");
    CHECK(pair.bt.halted_by() == 0x41);
    CHECK(pair.bt.reg(Reg::Edx) == 0);
}

TEST_CASE("attention: an NMI comes through closed IF", "[jit][attention]") {
    EnginePair<FlatMachine> pair;
    pair.both([](FlatMachine& m) {
        load(m, [](x86::Assembler& a) {
            a.cli();
            a.nop();
            a.hlt();
        });
        m.cpu.attention.raise(Attention::Nmi);
    });
    CHECK(pair.advance(100) == "");
    CHECK(pair.bt.halted_by() == vector::nmi);
}

TEST_CASE("counting: the limit is kept at every instruction of a block with branches, calls and faults in it",
          "[jit][counting]") {
    EnginePair<FlatMachine> pair;
    pair.both([](FlatMachine& m) {
        load(m, [](x86::Assembler& a) {
            auto divide_by_zero = [&] {
                a.mov(x86::edx, 0);
                a.div(x86::edx);
            };
            call_every_other_round(
                a, 200, [&] { a.push(x86::ecx); }, [&] { a.pop(x86::ecx); }, divide_by_zero);
        });
    });
    for (u64 step = 0; pair.interp.state.activity == Activity::Running; ++step) {
        REQUIRE(step < 2000);
        REQUIRE(pair.advance(step % 17 + 1) == "");
    }
    CHECK(pair.bt.halted_by() == vector::de);
}

// Seen after 9 thousand million instructions of a boot: flags of ADD ESP, which the instruction at the label
// overwrites.
TEST_CASE("counting: flags are right where the limit is reached at a label of the block", "[jit][counting]") {
    EnginePair<FlatMachine> pair;
    pair.both([](FlatMachine& m) {
        load(m, [](x86::Assembler& a) {
            counted_loop(a, 100, [&] {
                auto label = a.newLabel();
                a.test(x86::ecx, 1);
                a.jz(label);
                a.add(x86::esp, 0x10);
                a.bind(label);
                a.sub(x86::esp, 0xC);
                a.sub(x86::eax, x86::ecx);
            });
        });
    });
    for (u64 step = 0; pair.interp.state.activity == Activity::Running; ++step)
        REQUIRE(pair.advance(step % 17 + 1) == "");
}

TEST_CASE("counting: every stretch of instructions ends exactly", "[jit][counting]") {
    FlatMachine m{1u << 20, make_counting_translator};
    load(m, [](x86::Assembler& a) {
        auto again = a.newLabel();
        a.mov(x86::edi, 0x10000);
        a.bind(again);
        a.inc(x86::eax);
        a.mov(x86::ecx, 9);
        a.db(0xF3);  // rep stosb
        a.db(0xAA);
        a.sub(x86::edi, 9);
        a.jmp(again);
    });
    u64 limit = 0;
    for (u64 step = 1; step < 400; ++step) {
        limit += step;
        m.state.instruction_limit = limit;
        REQUIRE(m.engine->run() == Stop::InstructionLimit);
        REQUIRE(m.state.instructions == limit);
    }
}
