// Integer instructions in a machine: what they leave in registers and memory, and when they fault.
#include <catch2/catch.hpp>

#include "support/test_machine.hpp"

using namespace vellum;
using namespace vellum::test;

TEST_CASE("integer: an instruction of each operand form adds") {
    FlatMachine m;
    m.set_reg(Reg::Eax, 0x11);
    m.set_reg(Reg::Ebx, FlatMachine::data_at);
    m.poke_value<u32>(FlatMachine::data_at, 0x1000);
    m.run({0x01, 0xC0,              // add eax, eax
           0x03, 0x03,              // add eax, [ebx]
           0x01, 0x03,              // add [ebx], eax
           0x83, 0x03, 0xFF,        // add dword [ebx], -1
           0x66, 0x05, 0x34, 0x12,  // add ax, 0x1234
           0x00, 0xE0});            // add al, ah
    CHECK(m.peek<u32>(FlatMachine::data_at) == 0x1000 + 0x1022 - 1);
    CHECK(m.reg(Reg::Eax) == 0x2278);  // 1022h + 1234h = 2256h; 56h + 22h = 78h
}

TEST_CASE("integer: 32-bit writes clear the upper half of a register") {
    FlatMachine m;
    m.state.reg(Reg::Ecx) = 0xFFFFFFFF00000001;
    m.run({0x41});  // inc ecx
    CHECK(m.state.reg(Reg::Ecx) == 2);
}

TEST_CASE("integer: high byte registers are bits 8 to 15") {
    FlatMachine m;
    m.set_reg(Reg::Ecx, 0x11223344);
    m.run({0xB5, 0xAA,    // mov ch, 0xAA
           0x88, 0xEA});  // mov dl, ch
    CHECK(m.reg(Reg::Ecx) == 0x1122AA44);
    CHECK(m.reg(Reg::Edx) == 0xAA);
}

TEST_CASE("integer: division by zero and quotients that do not fit raise #DE and change nothing") {
    FlatMachine m;
    m.set_reg(Reg::Eax, 0x100);
    m.run({0xF6, 0xF1});  // div cl, with CL = 0
    CHECK(m.halted_by() == vector::de);
    m.set_reg(Reg::Ecx, 1);
    m.run({0xF6, 0xF1});  // 256 / 1 does not fit in AL
    CHECK(m.halted_by() == vector::de);
    CHECK(m.reg(Reg::Eax) == 0x100);
    m.set_reg(Reg::Eax, 0x80000000);
    m.set_reg(Reg::Edx, 0xFFFFFFFF);
    m.set_reg(Reg::Ecx, 0xFFFFFFFF);
    m.run({0xF7, 0xF9});  // idiv ecx: -2^31 / -1
    CHECK(m.halted_by() == vector::de);
}

TEST_CASE("integer: the return address of a divide error is the division") {
    FlatMachine m;
    m.run({0x90, 0xF7, 0xF1});  // nop; div ecx
    CHECK(m.peek<u32>(m.reg(Reg::Esp)) == FlatMachine::code_at + 1);
}

TEST_CASE("integer: signed division reaches the most negative quotient") {
    FlatMachine m;
    m.set_reg(Reg::Eax, 0xE000);  // -8192 / 64 = -128
    m.set_reg(Reg::Ecx, 64);
    m.run({0xF6, 0xF9});
    CHECK(m.reg(Reg::Eax) == 0x0080);
    m.set_reg(Reg::Eax, 0x80000000);  // 2^31 / -1 = -2^31 with EDX:EAX = 00000000:80000000
    m.set_reg(Reg::Edx, 0);
    m.set_reg(Reg::Ecx, 0xFFFFFFFF);
    m.run({0xF7, 0xF9});
    CHECK(m.halted_by() == -1);
    CHECK(m.reg(Reg::Eax) == 0x80000000);
}

TEST_CASE("integer: IMUL with three operands takes a signed immediate") {
    FlatMachine m;
    m.set_reg(Reg::Ecx, 7);
    m.run({0x6B, 0xC1, 0xFD});  // imul eax, ecx, -3
    CHECK(m.reg(Reg::Eax) == 0xFFFFFFEB);
    CHECK(m.flags(eflags::cf | eflags::of) == 0);
}

TEST_CASE("integer: XADD of a register with itself leaves the sum") {
    FlatMachine m;
    m.set_reg(Reg::Eax, 21);
    m.run({0x0F, 0xC1, 0xC0});
    CHECK(m.reg(Reg::Eax) == 42);
}

TEST_CASE("integer: CMPXCHG exchanges on equality and else loads the accumulator") {
    FlatMachine m;
    m.poke_value<u32>(FlatMachine::data_at, 5);
    m.set_reg(Reg::Ebx, FlatMachine::data_at);
    m.set_reg(Reg::Eax, 5);
    m.set_reg(Reg::Ecx, 9);
    m.run({0xF0, 0x0F, 0xB1, 0x0B});  // lock cmpxchg [ebx], ecx
    CHECK(m.peek<u32>(FlatMachine::data_at) == 9);
    CHECK(m.flags(eflags::zf) == eflags::zf);
    m.run({0x0F, 0xB1, 0x0B});
    CHECK(m.reg(Reg::Eax) == 9);
    CHECK(m.flags(eflags::zf) == 0);
}

TEST_CASE("integer: CMPXCHG8B compares EDX:EAX and changes only ZF") {
    FlatMachine m;
    m.poke_value<u64>(FlatMachine::data_at, 0x1122334455667788);
    m.set_reg(Reg::Esi, FlatMachine::data_at);
    m.set_reg(Reg::Eax, 0x55667788);
    m.set_reg(Reg::Edx, 0x11223344);
    m.set_reg(Reg::Ebx, 1);
    m.set_reg(Reg::Ecx, 2);
    m.state.eflags |= eflags::cf | eflags::of;
    m.run({0x0F, 0xC7, 0x0E});
    CHECK(m.peek<u64>(FlatMachine::data_at) == 0x0000000200000001);
    CHECK(m.flags() == (eflags::cf | eflags::of | eflags::zf));
}

TEST_CASE("integer: a bit test with a register reaches outside its operand, in both directions") {
    FlatMachine m;
    m.set_reg(Reg::Ebx, FlatMachine::data_at);
    m.set_reg(Reg::Ecx, 100);
    m.set_reg(Reg::Edx, 0xFFFFFFFF);              // -1: the top bit of the double below
    m.run({0x0F, 0xAB, 0x0B, 0x0F, 0xAB, 0x13});  // bts [ebx], ecx; bts [ebx], edx
    CHECK(m.peek<u32>(FlatMachine::data_at + 12) == 0x10);
    CHECK(m.peek<u32>(FlatMachine::data_at - 4) == 0x80000000);
}

TEST_CASE("integer: a bit test with an immediate stays inside its operand") {
    FlatMachine m;
    m.set_reg(Reg::Ebx, FlatMachine::data_at);
    m.run({0x0F, 0xBA, 0x2B, 0x21});  // bts dword [ebx], 33
    CHECK(m.peek<u32>(FlatMachine::data_at) == 2);
    CHECK(m.peek<u32>(FlatMachine::data_at + 4) == 0);
}

TEST_CASE("integer: CMOV reads its memory operand also when the condition does not hold") {
    FlatMachine m;
    m.state.segment(Seg::Ds).limit = 0xFFF;
    m.set_reg(Reg::Ebx, 0x2000);
    m.run({0x0F, 0x44, 0x03});  // cmovz eax, [ebx]
    CHECK(m.halted_by() == vector::gp);
}

TEST_CASE("integer: SETcc and CMOVcc follow the condition") {
    FlatMachine m;
    m.set_reg(Reg::Ecx, 7);
    m.run({0x39, 0xC9,          // cmp ecx, ecx
           0x0F, 0x94, 0xC0,    // setz al
           0x0F, 0x95, 0xC4,    // setnz ah
           0x0F, 0x45, 0xD1,    // cmovnz edx, ecx
           0x0F, 0x44, 0xF1});  // cmovz esi, ecx
    CHECK(m.reg(Reg::Eax) == 1);
    CHECK(m.reg(Reg::Edx) == 0);
    CHECK(m.reg(Reg::Esi) == 7);
}

TEST_CASE("integer: LEA computes modulo the address size and stores by the operand size") {
    FlatMachine m;
    m.set_reg(Reg::Ebx, 0x0001FFFF);
    m.set_reg(Reg::Esi, 2);
    m.run({0x67, 0x8D, 0x00,              // lea eax, [bx+si]
           0x66, 0x8D, 0x4C, 0x33, 0x01,  // lea cx, [ebx+esi+1]
           0x8D, 0x54, 0xF3, 0x10});      // lea edx, [ebx+esi*8+0x10]
    CHECK(m.reg(Reg::Eax) == 1);
    CHECK(m.reg(Reg::Ecx) == 2);
    CHECK(m.reg(Reg::Edx) == 0x0002001F);
}

TEST_CASE("integer: extensions take their sign from the source") {
    FlatMachine m;
    m.set_reg(Reg::Ecx, 0x1234FF80);
    m.run({0x0F, 0xB6, 0xC1,          // movzx eax, cl
           0x0F, 0xBE, 0xD1,          // movsx edx, cl
           0x0F, 0xBF, 0xD9,          // movsx ebx, cx
           0x66, 0x0F, 0xBE, 0xF1});  // movsx si, cl
    CHECK(m.reg(Reg::Eax) == 0x80);
    CHECK(m.reg(Reg::Edx) == 0xFFFFFF80);
    CHECK(m.reg(Reg::Ebx) == 0xFFFFFF80);
    CHECK(m.reg(Reg::Esi) == 0x0000FF80);
}

TEST_CASE("integer: XCHG with memory swaps") {
    FlatMachine m;
    m.poke_value<u16>(FlatMachine::data_at, 0x1111);
    m.set_reg(Reg::Ebx, FlatMachine::data_at);
    m.set_reg(Reg::Eax, 0x2222);
    m.run({0x66, 0x87, 0x03});
    CHECK(m.reg(Reg::Eax) == 0x1111);
    CHECK(m.peek<u16>(FlatMachine::data_at) == 0x2222);
}

TEST_CASE("integer: DAA corrects a decimal sum and DAS a decimal difference") {
    RealModeMachine m;
    m.run({0xB0, 0x79, 0x04, 0x35, 0x27});  // mov al, 79h; add al, 35h; daa
    CHECK((m.reg(Reg::Eax) & 0xFF) == 0x14);
    CHECK(m.flags(eflags::cf | eflags::af) == (eflags::cf | eflags::af));
    m.run({0xB0, 0x35, 0x2C, 0x47, 0x2F});  // mov al, 35h; sub al, 47h; das
    CHECK((m.reg(Reg::Eax) & 0xFF) == 0x88);
    CHECK(m.flags(eflags::cf | eflags::af) == (eflags::cf | eflags::af));
}

TEST_CASE("integer: AAM by zero raises #DE") {
    RealModeMachine m;
    m.run({0xD4, 0x00});
    CHECK(m.halted_by() == vector::de);
}

TEST_CASE("integer: AAM splits and AAD joins decimal digits") {
    RealModeMachine m;
    m.run({0xB0, 0x3F, 0xD4, 0x0A});  // 63
    CHECK(m.reg(Reg::Eax) == 0x0603);
    m.run({0xD5, 0x0A});
    CHECK(m.reg(Reg::Eax) == 0x003F);
}

TEST_CASE("integer: BOUND accepts both limits and raises #BR beyond them") {
    FlatMachine m;
    m.poke_value<u32>(FlatMachine::data_at, 0xFFFFFFFE);  // -2
    m.poke_value<u32>(FlatMachine::data_at + 4, 5);
    m.set_reg(Reg::Ebx, FlatMachine::data_at);
    m.set_reg(Reg::Eax, 5);
    m.run({0x62, 0x03});
    CHECK(m.halted_by() == -1);
    m.set_reg(Reg::Eax, 0xFFFFFFFD);
    m.run({0x62, 0x03});
    CHECK(m.halted_by() == vector::br);
}

TEST_CASE("integer: XLAT adds unsigned AL and wraps with the address size") {
    RealModeMachine m;
    m.poke(0x007F, {0x5A});
    m.set_reg(Reg::Ebx, 0xFF80);
    m.set_reg(Reg::Eax, 0xFF);
    m.run({0xD7});
    CHECK(m.reg(Reg::Eax) == 0x5A);
}

TEST_CASE("integer: POPCNT counts and BSWAP reverses") {
    FlatMachine m;
    m.set_reg(Reg::Ecx, 0xF0F00001);
    m.run({0xF3, 0x0F, 0xB8, 0xC1, 0x0F, 0xC9});  // popcnt eax, ecx; bswap ecx
    CHECK(m.reg(Reg::Eax) == 9);
    CHECK(m.reg(Reg::Ecx) == 0x0100F0F0);
}

TEST_CASE("integer: a read-modify-write of ROM computes flags and offers the write to the machine") {
    FlatMachine m;
    m.memory.map(Physical{FlatMachine::data_at}, page_size, FlatMachine::data_at, true, false);
    m.poke(FlatMachine::code_at, {0x01, 0x03, 0xF4});  // add [ebx], eax: a write to ROM goes nowhere
    m.set_reg(Reg::Ebx, FlatMachine::data_at);
    m.set_reg(Reg::Eax, 0);
    m.run_from(FlatMachine::code_at);
    CHECK(m.flags(eflags::zf) == eflags::zf);
    CHECK(m.outside.mmio_writes.size() == 1);
}
