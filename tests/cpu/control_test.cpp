// Near transfers and the stack: targets, limits, what is pushed, and that faults leave ESP alone.
#include <catch2/catch.hpp>

#include "support/test_machine.hpp"

using namespace vellum;
using namespace vellum::test;

TEST_CASE("control: a call pushes the address behind it and RET n releases arguments") {
    FlatMachine m;
    m.poke(0x2000, {0xC2, 0x08, 0x00});                             // ret 8
    m.run({0x6A, 0x01, 0x6A, 0x02, 0xE8, 0xF7, 0x0F, 0x00, 0x00});  // push 1; push 2; call 2000h
    CHECK(m.halted_by() == -1);
    CHECK(m.reg(Reg::Esp) == FlatMachine::stack_top);
    CHECK(m.peek<u32>(FlatMachine::stack_top - 12) == FlatMachine::code_at + 9);
}

TEST_CASE("control: a 16-bit operand size keeps the low half of the target") {
    FlatMachine m;
    m.poke(0x20000, {0x90});
    m.poke(0x1234, {0xF4});
    m.set_reg(Reg::Eax, 0x51234);
    m.run({0x66, 0xFF, 0xE0});  // jmp ax
    CHECK(m.state.eip == 0x1235);
}

TEST_CASE("control: a target beyond the limit of CS faults in the branch with nothing changed") {
    FlatMachine m;
    m.state.segment(Seg::Cs).limit = 0x3FFFF;
    m.set_reg(Reg::Eax, 0x40000);
    m.run({0xFF, 0xD0});  // call eax
    CHECK(m.halted_by() == vector::gp);
    u32 frame = m.reg(Reg::Esp);
    CHECK(frame == FlatMachine::stack_top - 16);  // error code, EIP, CS, EFLAGS; no return address
    CHECK(m.peek<u32>(frame + 4) == FlatMachine::code_at);
}

TEST_CASE("control: RET to beyond the limit leaves ESP on the return address") {
    FlatMachine m;
    m.state.segment(Seg::Cs).limit = 0x3FFFF;
    m.poke_value<u32>(FlatMachine::stack_top - 4, 0x40000);
    m.set_reg(Reg::Esp, FlatMachine::stack_top - 4);
    m.run({0xC3});
    CHECK(m.halted_by() == vector::gp);
    CHECK(m.reg(Reg::Esp) == FlatMachine::stack_top - 4 - 16);
}

TEST_CASE("control: LOOP counts CX under a 16-bit address size and ECX under a 32-bit one") {
    FlatMachine m;
    m.set_reg(Reg::Ecx, 0x00010003);
    m.run({0x40, 0x67, 0xE2, 0xFC});  // L: inc eax; loop L (CX)
    CHECK(m.reg(Reg::Eax) == 3);
    CHECK(m.reg(Reg::Ecx) == 0x00010000);
    m.set_reg(Reg::Ecx, 5);
    m.set_reg(Reg::Eax, 0);
    m.run({0x40, 0xE2, 0xFD});
    CHECK(m.reg(Reg::Eax) == 5);
}

TEST_CASE("control: LOOPNE stops when ZF is set and JECXZ jumps on an empty count") {
    FlatMachine m;
    m.set_reg(Reg::Ecx, 10);
    m.run({0x40, 0x83, 0xF8, 0x04, 0xE0, 0xFA,  // L: inc eax; cmp eax, 4; loopne L
           0x29, 0xC9, 0xE3, 0x01, 0x43});      // sub ecx, ecx; jecxz over; inc ebx
    CHECK(m.reg(Reg::Eax) == 4);
    CHECK(m.reg(Reg::Ebx) == 0);
}

TEST_CASE("control: PUSH ESP pushes the value before and POP ESP keeps the popped one") {
    FlatMachine m;
    m.run({0x54, 0x58, 0x68, 0x00, 0x70, 0x00, 0x00, 0x5C});  // push esp; pop eax; push 7000h; pop esp
    CHECK(m.reg(Reg::Eax) == FlatMachine::stack_top);
    CHECK(m.reg(Reg::Esp) == 0x7000);
}

TEST_CASE("control: POP to an address with ESP uses ESP after the pop") {
    FlatMachine m;
    m.run({0x68, 0x78, 0x56, 0x34, 0x12, 0x8F, 0x44, 0x24, 0x08});  // push 12345678h; pop [esp+8]
    CHECK(m.peek<u32>(FlatMachine::stack_top + 8) == 0x12345678);
}

TEST_CASE("control: a POP whose store faults leaves ESP alone") {
    FlatMachine m;
    m.state.segment(Seg::Ds).limit = 0xFFF;
    m.set_reg(Reg::Ebx, 0x2000);
    m.set_reg(Reg::Esp, 0x7000);
    m.run({0x8F, 0x03});  // pop [ebx]
    CHECK(m.halted_by() == vector::gp);
    CHECK(m.reg(Reg::Esp) == 0x7000 - 16);
}

TEST_CASE("control: PUSHA stores the old ESP and POPA ignores it") {
    FlatMachine m;
    m.set_reg(Reg::Eax, 1);
    m.set_reg(Reg::Edi, 8);
    m.run({0x60, 0x31, 0xC0, 0x31, 0xFF, 0x61});  // pusha; xor eax, eax; xor edi, edi; popa
    CHECK(m.peek<u32>(FlatMachine::stack_top - 20) == FlatMachine::stack_top);
    CHECK(m.reg(Reg::Eax) == 1);
    CHECK(m.reg(Reg::Edi) == 8);
    CHECK(m.reg(Reg::Esp) == FlatMachine::stack_top);
}

TEST_CASE("control: a 16-bit stack wraps within its segment") {
    RealModeMachine m;
    m.state.reg(Reg::Esp) = 0x12340000;
    m.set_reg(Reg::Eax, 0xBEEF);
    m.run({0x50});  // push ax
    CHECK(m.reg(Reg::Esp) == 0x1234FFFE);
    CHECK(m.peek<u16>(0xFFFE) == 0xBEEF);
}

TEST_CASE("control: ENTER copies the display of the outer procedures") {
    FlatMachine m;
    m.set_reg(Reg::Ebp, 0x6000);
    m.poke_value<u32>(0x6000 - 4, 0xAAAA);
    m.run({0xC8, 0x10, 0x00, 0x02});  // enter 16, 2
    CHECK(m.peek<u32>(FlatMachine::stack_top - 4) == 0x6000);
    CHECK(m.peek<u32>(FlatMachine::stack_top - 8) == 0xAAAA);
    CHECK(m.peek<u32>(FlatMachine::stack_top - 12) == FlatMachine::stack_top - 4);
    CHECK(m.reg(Reg::Ebp) == FlatMachine::stack_top - 4);
    CHECK(m.reg(Reg::Esp) == FlatMachine::stack_top - 12 - 16);
}

TEST_CASE("control: a 32-bit ENTER on a 16-bit stack keeps the upper half of ESP in the frame pointer it pushes") {
    RealModeMachine m;
    m.state.reg(Reg::Esp) = 0x12340004;
    m.state.reg(Reg::Ebp) = 0x8000;
    m.run({0x66, 0xC8, 0x00, 0x00, 0x01});  // enter 0, 1: pushes EBP at 0, the frame at FFFCh
    CHECK(m.peek<u32>(0xFFFC) == 0x12340000);
    CHECK(m.reg(Reg::Ebp) == 0x12340000);
    CHECK(m.reg(Reg::Esp) == 0x1234FFFC);
}

TEST_CASE("control: LEAVE undoes ENTER") {
    FlatMachine m;
    m.set_reg(Reg::Ebp, 0x6000);
    m.run({0xC8, 0x20, 0x00, 0x00, 0xC9});
    CHECK(m.reg(Reg::Ebp) == 0x6000);
    CHECK(m.reg(Reg::Esp) == FlatMachine::stack_top);
}

TEST_CASE("control: sequential execution past the limit of CS faults") {
    FlatMachine m;
    m.state.segment(Seg::Cs).limit = 0x31FFF;
    m.poke(0x31FFD, {0x90, 0x90, 0xB8, 0x01, 0x00, 0x00, 0x00});  // the MOV crosses the limit
    m.run_from(0x31FFD);
    CHECK(m.halted_by() == vector::gp);
    CHECK(m.peek<u32>(m.reg(Reg::Esp) + 4) == 0x31FFF);
}
