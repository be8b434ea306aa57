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

TEST_CASE("oracle: CMPS whose source faults has not touched the destination's page") {
    for (u32 bytes_before_end : {0u, 2u}) {  // the source is missing, or its second half is
        Judge judge{OracleMode::Flat32, 3, variants()[0], nullptr};
        Piece piece;
        piece.items = {{{0xA7}}};
        piece.registers.gpr[6] = OracleLayout::stack + OracleLayout::stack_bytes - bytes_before_end;
        piece.registers.gpr[7] = OracleLayout::data;
        Verdict verdict = judge.judge(piece, PieceMemory{});
        CHECK(verdict.vector == vector::pf);
        CHECK(verdict.of_bt == std::vector<std::string>{});
    }
}

TEST_CASE("oracle: ESP that moves between RDTSC and a branch passes the verifier") {
    FlatMachine m{1u << 20, make_plain_translator};
    m.run({0x50, 0x0F, 0x31, 0x8D, 0x64, 0x24, 0x08, 0x71, 0x00});  // push eax; rdtsc; lea esp,[esp+8]; jno
    CHECK(m.reg(Reg::Esp) == TestMachine::stack_top + 4);
}

// BT leaves the stack alone when its bit is far away, so ESP has not been seen inside the window.
TEST_CASE("oracle: ESP that moves between a bit test on the stack and a branch passes the verifier") {
    FlatMachine m{1u << 20, make_plain_translator};
    m.set_reg(Reg::Edi, 8);
    m.poke(TestMachine::stack_top + 0x52, {1});
    m.run({0x0F, 0xA3, 0x7C, 0x24, 0x51, 0x8D, 0x64, 0x24, 0x1C, 0x73, 0x7F});  // bt [esp+51h],edi; lea; jnc
    CHECK(m.reg(Reg::Esp) == TestMachine::stack_top + 0x1C);
    CHECK((m.state.eflags & eflags::cf) != 0);
}

// Found by breaking the translator on purpose: random pieces did not notice.
TEST_CASE("oracle: an instruction over two pages is read anew when the second page is another one") {
    constexpr u32 entry_of_second_page = 0x10102004, other_frame = 31 * page_size, present_writable = 3;
    auto word = [](u32 value, u32 n) { return static_cast<u8>(value >> 8 * n); };
    auto move_to = [&](u32 address, u32 value) {
        std::vector<u8> bytes = {0xC7, 0x05};
        for (u32 n = 0; n < 4; ++n) bytes.push_back(word(address, n));
        for (u32 n = 0; n < 4; ++n) bytes.push_back(word(value, n));
        return bytes;
    };
    Piece piece;
    piece.cpl = 0;
    piece.for_host = false;
    // Twice over `mov eax, imm` that ends on the second page, which becomes another one in between.
    piece.items = {{{0xEB}, PieceItem::Link::Relative, 1, 4},
                   {move_to(entry_of_second_page, other_frame | present_writable)},
                   {{0x0F, 0x01, 0x3D, 0x00, 0x10, 0x00, 0x10}},  // invlpg [10001000h]
                   {{0x89, 0xC3}},                                // mov ebx, eax
                   {{0xB8, 0x00, 0x11, 0x11, 0x00}},
                   {{0xE9}, PieceItem::Link::Relative, 4, 1}};
    piece.items[0].bytes = {0xEB, 0};
    piece.items[5].bytes = {0xE9, 0, 0, 0, 0};
    piece.start = page_size - 2 - (piece.offset_of(4) - piece.offset_of(0));
    piece.registers.eip = OracleLayout::code + piece.start;
    piece.registers.gpr[4] = OracleLayout::stack + page_size;
    auto run = [&](PieceMachine& m) {
        m.begin_again();
        m.load(piece, piece.code_pages(), PieceMemory{});
        m.poke(other_frame, {0x22, 0x22, 0x00, 0xCC});
        m.state.instruction_limit = 100;
        m.engine->run();
        CHECK(m.reg(Reg::Ebx) == 0x111100);
        CHECK(m.reg(Reg::Eax) == 0x222200);
    };
    PieceMachine interp{OracleMode::Flat32, 0, make_interpreter}, bt{OracleMode::Flat32, 0, make_plain_translator};
    run(interp);
    run(bt);
}

// Where other processors have longer instructions, which would need the missing page behind.
TEST_CASE("oracle: LES, LDS, BOUND and POP with a register that ends a page are undefined; without ModRM they fault") {
    auto vector_of = [](std::vector<u8> bytes) {
        Judge judge{OracleMode::Flat32, 3, variants()[0], nullptr};
        Piece piece;
        piece.start = OracleLayout::code_bytes - static_cast<u32>(bytes.size());
        piece.items = {{bytes}};
        piece.registers.eip = OracleLayout::code + piece.start;
        Verdict verdict = judge.judge(piece, PieceMemory{});
        CHECK(verdict.of_bt == std::vector<std::string>{});
        return verdict.vector;
    };
    CHECK(vector_of({0x62, 0xFE}) == vector::ud);
    CHECK(vector_of({0xC4, 0xC0}) == vector::ud);
    CHECK(vector_of({0x66, 0x2E, 0xC5, 0xFF}) == vector::ud);
    CHECK(vector_of({0x8F, 0xC8}) == vector::ud);
    CHECK(vector_of({0x62}) == vector::pf);
    CHECK(vector_of({0x62, 0x3D}) == vector::pf);  // bound edi,[disp32]
}

}  // namespace vellum::test
