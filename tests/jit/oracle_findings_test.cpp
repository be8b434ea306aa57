// What the hardware oracle found in the translator, each in its smallest form.
#include <catch2/catch.hpp>

#include "jit/engine_pair.hpp"
#include "oracle/piece_judge.hpp"

namespace vellum::test {

namespace {

constexpr u32 frame_bytes = 16;  // error code, EIP, CS, EFLAGS

}  // namespace

TEST_CASE("oracle: a return past the limit of CS faults at the return, and nothing is popped") {
    FlatMachine m{1u << 20, make_plain_translator};
    m.state.segment(Seg::Cs).limit = 0xFFFF;
    m.run({0x68, 0, 0, 1, 0, 0xC3});  // push 10000h; ret
    CHECK(m.halted_by() == vector::gp);
    CHECK(m.reg(Reg::Esp) == TestMachine::stack_top - 4 - frame_bytes);
    CHECK(m.peek<u32>(m.reg(Reg::Esp) + 4) == TestMachine::code_at + 5);
}

TEST_CASE("oracle: an indirect jump or call past the limit of CS faults itself") {
    for (u8 modrm : {0xE0, 0xD0}) {  // jmp eax, call eax
        FlatMachine m{1u << 20, make_plain_translator};
        m.state.segment(Seg::Cs).limit = 0xFFFF;
        m.set_reg(Reg::Eax, 0x10000);
        m.run({0xFF, modrm});
        CHECK(m.halted_by() == vector::gp);
        CHECK(m.reg(Reg::Esp) == TestMachine::stack_top - frame_bytes);
        CHECK(m.peek<u32>(m.reg(Reg::Esp) + 4) == TestMachine::code_at);
    }
}

TEST_CASE("oracle: POP to memory past its segment's limit leaves ESP alone") {
    FlatMachine m{1u << 20, make_plain_translator};
    m.state.segment(Seg::Ds).limit = 0xFFFF;
    m.set_reg(Reg::Ebx, 0x10000);
    m.run({0x8F, 0x03});  // pop [ebx]
    CHECK(m.halted_by() == vector::gp);
    CHECK(m.reg(Reg::Esp) == TestMachine::stack_top - frame_bytes);
}

TEST_CASE("oracle: POPA that faults on its first page does not mark the second one as accessed") {
    Judge judge{OracleMode::Flat32, 3, variants()[0], nullptr};
    Piece piece;
    piece.items = {{{0x61}}};
    piece.registers.gpr[4] = OracleLayout::stack - 17;
    Verdict verdict = judge.judge(piece, PieceMemory{});
    CHECK(verdict.vector == vector::pf);
    CHECK(verdict.of_bt == std::vector<std::string>{});
}

}  // namespace vellum::test
