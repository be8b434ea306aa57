// The loop: limits, HLT, interrupts and their shadows, single-stepping, faults while fetching.
#include "cpu/interpreter.hpp"

#include <catch2/catch.hpp>

#include "support/test_machine.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

void raise_interrupt(TestMachine& m, u8 vector) {
    m.outside.vector_pending = vector;
    m.cpu.attention.raise(Attention::Interrupt);
}

u32 pushed_eip(const FlatMachine& m) { return m.peek<u32>(m.reg(Reg::Esp)); }

// Identity-mapped first 4 MiB, as supervisor pages, with the table at 41000h for tests to change.
void turn_paging_on(FlatMachine& m) {
    constexpr u32 directory = 0x40000, table = 0x41000, present_writable = 3;
    m.poke_value<u32>(directory, table | present_writable);
    for (u32 i = 0; i < 1024; ++i) m.poke_value<u32>(table + i * 4, i << page_shift | present_writable);
    m.state.cr3 = directory;
    m.state.cr0 |= cr0::pg;
    m.engine->state_replaced();
}

}  // namespace

TEST_CASE("interpreter: stops at the instruction limit exactly") {
    FlatMachine m;
    m.poke(FlatMachine::code_at, {0x40, 0xEB, 0xFD});  // L: inc eax; jmp L
    m.state.eip = FlatMachine::code_at;
    m.state.instruction_limit = 1001;
    CHECK(m.engine->run() == Stop::InstructionLimit);
    CHECK(m.state.instructions == 1001);
    CHECK(m.reg(Reg::Eax) == 501);
}

TEST_CASE("interpreter: a handler that faults for ever still reaches the limit") {
    RealModeMachine m;
    m.poke(RealModeMachine::handlers_at + vector::ud, {0x0F, 0x0B});
    m.poke(RealModeMachine::code_at, {0x0F, 0x0B});
    CHECK(m.run_from(RealModeMachine::code_at) == Stop::InstructionLimit);
}

TEST_CASE("interpreter: HLT retires, and an interrupt returns to the instruction after it") {
    FlatMachine m;
    m.poke(FlatMachine::handlers_at + 0x40, {0xCF});         // iret
    m.poke(FlatMachine::code_at, {0xFB, 0xF4, 0x40, 0xF4});  // sti; hlt; inc eax; hlt
    CHECK(m.run_from(FlatMachine::code_at) == Stop::Halted);
    CHECK(m.state.eip == FlatMachine::code_at + 2);
    CHECK(m.engine->run() == Stop::Halted);
    CHECK(m.reg(Reg::Eax) == 0);
    raise_interrupt(m, 0x40);
    CHECK(m.engine->run() == Stop::Halted);
    CHECK(m.reg(Reg::Eax) == 1);
    CHECK(m.cpu.attention.reasons() == 0);
}

TEST_CASE("interpreter: INTR waits for IF, and STI holds it off for one instruction more") {
    FlatMachine m;
    raise_interrupt(m, 0x41);
    m.run({0x40, 0xFB, 0x40, 0x40});  // inc eax; sti; inc eax; inc eax
    CHECK(m.halted_by() == 0x41);
    CHECK(m.reg(Reg::Eax) == 2);
    CHECK(pushed_eip(m) == FlatMachine::code_at + 3);
}

TEST_CASE("interpreter: MOV SS holds off interrupts for one instruction more") {
    FlatMachine m;
    m.set_reg(Reg::Eax, 16);
    raise_interrupt(m, 0x42);
    m.run({0xFB, 0x8E, 0xD0, 0x43, 0x43});  // sti; mov ss, ax; inc ebx; inc ebx
    CHECK(m.halted_by() == 0x42);
    CHECK(m.reg(Reg::Ebx) == 1);
}

TEST_CASE("interpreter: NMI is taken with IF clear") {
    FlatMachine m;
    m.cpu.attention.raise(Attention::Nmi);
    m.run({0x40});
    CHECK(m.halted_by() == vector::nmi);
    CHECK(m.state.nmi_blocked);
}

TEST_CASE("interpreter: an interrupt line that went down again is no interrupt") {
    FlatMachine m;
    m.state.eflags |= eflags::if_;
    m.cpu.attention.raise(Attention::Interrupt);
    m.run({0x40});
    CHECK(m.halted_by() == -1);
    CHECK(m.cpu.attention.reasons() == 0);
}

TEST_CASE("interpreter: Stop is left raised for the machine to clear") {
    FlatMachine m;
    m.cpu.attention.raise(Attention::Stop);
    CHECK(m.run({0x40}) == Stop::Attention);
    CHECK(m.reg(Reg::Eax) == 0);
    CHECK(m.cpu.attention.reasons() == Attention::Stop);
}

TEST_CASE("interpreter: TF traps after the next instruction with DR6.BS") {
    FlatMachine m;
    m.run({0x9C, 0x81, 0x0C, 0x24, 0x00, 0x01, 0x00, 0x00, 0x9D,  // pushf; or dword [esp], 100h; popf
           0x40, 0x40});                                          // inc eax; inc eax
    CHECK(m.halted_by() == vector::db);
    CHECK(m.reg(Reg::Eax) == 1);
    CHECK(pushed_eip(m) == FlatMachine::code_at + 10);
    CHECK((m.state.dr[6] & 0x4000) != 0);
    CHECK((m.state.eflags & eflags::tf) == 0);
}

TEST_CASE("interpreter: TF traps after each iteration of REP") {
    FlatMachine m;
    m.state.eflags |= eflags::tf;
    m.set_reg(Reg::Ecx, 3);
    m.set_reg(Reg::Edi, FlatMachine::data_at);
    m.run({0xF3, 0xAA});
    CHECK(m.halted_by() == vector::db);
    CHECK(m.reg(Reg::Ecx) == 2);
    CHECK(pushed_eip(m) == FlatMachine::code_at);
}

TEST_CASE(
    "interpreter: an instruction breakpoint raises #DB before the instruction, and RF of the image gets past it") {
    FlatMachine m;
    m.poke(FlatMachine::handlers_at + vector::db,
           {0x42, 0x80, 0x4C, 0x24, 0x0A, 0x01, 0xCF});  // inc edx; or byte [esp+10], 1; iret (over the next handlers)
    m.state.dr[0] = FlatMachine::code_at + 1;
    m.state.dr[7] |= 1;
    m.run({0x40, 0x43, 0x40});
    CHECK(m.reg(Reg::Edx) == 1);
    CHECK(m.reg(Reg::Ebx) == 1);
    CHECK((m.state.dr[6] & 0xF) == 1);
    CHECK((m.state.eflags & eflags::rf) == 0);
}

TEST_CASE("interpreter: fetching from an absent page faults with the address of the fetch") {
    FlatMachine m;
    turn_paging_on(m);
    m.poke_value<u32>(0x41000 + 0x50 * 4, 0);
    m.run_from(0x50123);
    CHECK(m.halted_by() == vector::pf);
    CHECK(m.state.cr2 == 0x50123);
}

TEST_CASE("interpreter: an instruction that reaches into an absent page faults with the beginning of that page") {
    FlatMachine m;
    turn_paging_on(m);
    m.poke_value<u32>(0x41000 + 0x50 * 4, 0);
    m.poke(0x4FFFE, {0xB8, 0x01});
    m.run_from(0x4FFFE);
    CHECK(m.halted_by() == vector::pf);
    CHECK(m.state.cr2 == 0x50000);
    CHECK(m.peek<u32>(m.reg(Reg::Esp) + 4) == 0x4FFFE);
}

TEST_CASE("interpreter: an instruction that ends with its page does not touch the next") {
    FlatMachine m;
    turn_paging_on(m);
    m.poke_value<u32>(0x41000 + 0x50 * 4, 0);
    m.poke(0x4FFFE, {0x40, 0xF4});
    CHECK(m.run_from(0x4FFFE) == Stop::Halted);
    CHECK(m.halted_by() == -1);
    CHECK(m.reg(Reg::Eax) == 1);
}

TEST_CASE("interpreter: the same linear page may become another physical one") {
    FlatMachine m;
    turn_paging_on(m);
    m.poke(0x50000, {0x40, 0xF4});
    m.poke(0x51000, {0x43, 0xF4});
    m.run_from(0x50000);
    m.poke_value<u32>(0x41000 + 0x50 * 4, 0x51003);
    m.cpu.mmu.flush_page(Linear{0x50000});
    m.run_from(0x50000);
    CHECK(m.reg(Reg::Eax) == 1);
    CHECK(m.reg(Reg::Ebx) == 1);
}

TEST_CASE("interpreter: sixteen bytes of prefixes raise #GP, undefined bytes #UD") {
    FlatMachine m;
    m.run({0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90});
    CHECK(m.halted_by() == vector::gp);
    m.run({0x0F, 0xFF});
    CHECK(m.halted_by() == vector::ud);
    m.run({0xF0, 0x40});  // lock inc eax
    CHECK(m.halted_by() == vector::ud);
}

TEST_CASE("interpreter: without a usable interrupt table an exception shuts the processor down") {
    FlatMachine m;
    m.state.idtr.limit = 0;
    CHECK(m.run({0x0F, 0x0B}) == Stop::TripleFault);
    CHECK(m.state.activity == Activity::Shutdown);
}

TEST_CASE("interpreter: step does one instruction, and of a repetition as much as it may") {
    FlatMachine m;
    Interpreter interpreter{m.cpu};
    m.poke(FlatMachine::code_at, {0xF3, 0xAA, 0x40});
    m.state.eip = FlatMachine::code_at;
    m.set_reg(Reg::Ecx, 10);
    m.set_reg(Reg::Edi, FlatMachine::data_at);
    interpreter.step(4);
    CHECK(m.reg(Reg::Ecx) == 6);
    CHECK(m.state.instructions == 4);
    interpreter.step();
    CHECK(m.state.eip == FlatMachine::code_at + 2);
    interpreter.step();
    CHECK(m.reg(Reg::Eax) == 1);
    CHECK(m.state.instruction_limit == FlatMachine::default_instruction_limit);
}
