// Precise faults: the guest's state at an exception is exactly that of the instruction that raised it.
#include <catch2/catch.hpp>

#include "jit/engine_pair.hpp"
#include "jit/guest_program.hpp"

using namespace vellum;
using namespace vellum::test;
namespace x86 = asmjit::x86;

namespace {

// Paging with 4 KiB pages, identical for the first 4 MiB but for what a test takes away.
struct PagedMachine : FlatMachine {
    static constexpr u32 directory = 0x40000, table = 0x41000;
    explicit PagedMachine(u64 ram = 1u << 20, const EngineFactory& make = make_interpreter) : FlatMachine{ram, make} {
        poke_value<u32>(directory, table | 7);
        for (u32 i = 0; i < 256; ++i) set_entry(i, 7);
        state.cr3 = directory;
        state.cr0 |= cr0::pg | cr0::wp;
        engine->state_replaced();
    }
    void set_entry(u32 page, u32 flags) { poke_value<u32>(table + 4 * page, page << page_shift | flags); }
};

template <typename Machine, typename Prepare, typename Write>
void agree(int vector, Prepare prepare, Write write) {
    EnginePair<Machine> pair;
    auto code = assemble(TestMachine::code_at, write);
    pair.both([&](Machine& m) {
        m.poke(TestMachine::code_at, code);
        m.state.eip = TestMachine::code_at;
        prepare(m);
    });
    for (int i = 0; i < 1000 && pair.interp.state.activity == Activity::Running; ++i) REQUIRE(pair.advance(1000) == "");
    CHECK(pair.interp.halted_by() == vector);
}

constexpr auto nothing = [](auto&) {};

}  // namespace

TEST_CASE("faults: a page fault in a run of pushes finds the pushes before it done", "[jit][faults]") {
    agree<PagedMachine>(
        vector::pf,
        [](PagedMachine& m) {
            m.set_entry(0x52, 0);
            m.state.reg(Reg::Esp) = 0x53100;
        },
        [](x86::Assembler& a) {
            a.mov(x86::eax, 0x11);
            a.mov(x86::ebx, x86::esp);
            a.push(x86::eax);
            a.push(x86::eax);
            a.push(x86::eax);
            a.mov(x86::edx, x86::dword_ptr(0x52000));
            a.hlt();
        });
}

TEST_CASE("faults: a store to a read-only page", "[jit][faults]") {
    agree<PagedMachine>(
        vector::pf, [](PagedMachine& m) { m.set_entry(0x50, 5); },
        [](x86::Assembler& a) {
            a.mov(x86::eax, 0x50000);
            a.mov(x86::ecx, x86::dword_ptr(x86::eax));
            a.push(x86::ecx);
            a.push(7);
            a.add(x86::dword_ptr(x86::eax, 4), 5);
            a.hlt();
        });
}

TEST_CASE("faults: POP to a missing page leaves ESP alone", "[jit][faults]") {
    agree<PagedMachine>(
        vector::pf, [](PagedMachine& m) { m.set_entry(0x50, 0); },
        [](x86::Assembler& a) {
            a.push(1);
            a.push(2);
            a.pop(x86::edx);
            a.pop(x86::dword_ptr(0x50000));
            a.hlt();
        });
}

TEST_CASE("faults: REP MOVS stops at the missing page and goes no further", "[jit][faults]") {
    agree<PagedMachine>(
        vector::pf, [](PagedMachine& m) { m.set_entry(0x52, 0); },
        [](x86::Assembler& a) {
            a.mov(x86::esi, 0x10000);
            a.mov(x86::edi, 0x51F00);
            a.mov(x86::ecx, 0x100);
            a.cld();
            a.db(0xF3);
            a.db(0xA5);
            a.hlt();
        });
}

TEST_CASE("faults: accessed and dirty bits are set as hardware does", "[jit][faults]") {
    EnginePair<PagedMachine> pair;
    auto code = assemble(TestMachine::code_at, [](x86::Assembler& a) {
        a.mov(x86::eax, x86::dword_ptr(0x50000));
        a.mov(x86::dword_ptr(0x51000), x86::eax);
        a.mov(x86::eax, x86::dword_ptr(0x52000));
        a.mov(x86::dword_ptr(0x52000), x86::eax);
        a.hlt();
    });
    pair.both([&](PagedMachine& m) {
        m.poke(TestMachine::code_at, code);
        m.state.eip = TestMachine::code_at;
    });
    CHECK(pair.advance(100) == "");
    CHECK((pair.bt.peek<u32>(PagedMachine::table + 4 * 0x50) & 0x60) == 0x20);
    CHECK((pair.bt.peek<u32>(PagedMachine::table + 4 * 0x51) & 0x60) == 0x60);
    CHECK((pair.bt.peek<u32>(PagedMachine::table + 4 * 0x52) & 0x60) == 0x60);
}

TEST_CASE("faults: a divide error in the middle of a block", "[jit][faults]") {
    agree<FlatMachine>(vector::de, nothing, [](x86::Assembler& a) {
        a.mov(x86::eax, 100);
        a.cdq();
        a.push(x86::eax);
        a.push(x86::edx);
        a.xor_(x86::ecx, x86::ecx);
        a.stc();
        a.div(x86::ecx);
        a.hlt();
    });
}

TEST_CASE("faults: a misaligned SSE operand is #GP", "[jit][faults]") {
    agree<FlatMachine>(
        vector::gp, [](FlatMachine& m) { m.state.cr4 |= cr4::osfxsr; },
        [](x86::Assembler& a) {
            a.mov(x86::eax, 0x10008);
            a.movups(x86::xmm1, x86::ptr(x86::eax));
            a.movaps(x86::xmm0, x86::ptr(x86::eax));
            a.hlt();
        });
}

TEST_CASE("faults: an unmasked x87 exception comes with the next x87 instruction", "[jit][faults]") {
    agree<FlatMachine>(vector::mf, nothing, [](x86::Assembler& a) {
        a.push(0x0340);
        a.fldcw(x86::word_ptr(x86::esp));
        a.fld1();
        a.fldz();
        a.fdivp();
        a.inc(x86::eax);
        a.fld1();
        a.hlt();
    });
}

TEST_CASE("faults: x87 results stay across callouts", "[jit][faults]") {
    agree<FlatMachine>(-1, nothing, [](x86::Assembler& a) {
        auto again = a.newLabel();
        a.mov(x86::ebp, 30);
        a.fninit();
        a.fld1();
        a.fldz();
        a.bind(again);
        a.fadd(x86::st0, x86::st1);
        a.cpuid();
        a.mov(x86::edi, x86::esp);
        a.fld(x86::st1);
        a.fmulp();
        a.dec(x86::ebp);
        a.jns(again);
        a.fstp(x86::qword_ptr(0x10000));
        a.hlt();
    });
}

TEST_CASE("faults: an access across the end of 4 GiB goes on at 0", "[jit][faults]") {
    agree<FlatMachine>(-1, nothing, [](x86::Assembler& a) {
        a.mov(x86::dword_ptr(0), 0x44332211);
        a.mov(x86::eax, 0xFFFFFFFE);
        a.inc(x86::ebx);
        a.mov(x86::ecx, x86::dword_ptr(x86::eax));
        a.add(x86::dword_ptr(x86::eax), 0x10000);
        a.mov(x86::edx, x86::dword_ptr(0));
        a.mov(x86::esp, 2);
        a.push(0x77665544);
        a.pop(x86::edi);
        a.mov(x86::esp, 0x8000);
        a.hlt();
    });
}

TEST_CASE("faults: addresses wrap at 4 GiB", "[jit][faults]") {
    agree<FlatMachine>(-1, nothing, [](x86::Assembler& a) {
        a.mov(x86::eax, 0xFFFFFFF0);
        a.mov(x86::ebx, x86::dword_ptr(x86::eax, 0x1000));
        a.mov(x86::dword_ptr(x86::eax, 0x10010), x86::eax);
        a.mov(x86::esp, 0xFFFFFF00);
        a.mov(x86::ecx, x86::dword_ptr(x86::esp, 0x1100));
        a.mov(x86::esp, 0x8000);
        a.hlt();
    });
}
