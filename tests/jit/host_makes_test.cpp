// What AMD's and Intel's processors do differently and translated code shows: the engines agree, whichever of them the
// host is. Named for what lockstep and the oracle saw when they ran on a processor of Intel's for the first time.
#include <catch2/catch.hpp>

#include "jit/engine_pair.hpp"
#include "oracle/piece_judge.hpp"

namespace vellum::test {

namespace {

using L = OracleLayout;
constexpr u32 behind_stack = L::stack + L::stack_bytes;  // not mapped

std::vector<std::string> engines_differ(const Piece& piece, const PieceMemory& memory = {}) {
    Judge judge{piece.mode, 3, false, make_plain_translator, nullptr};
    return judge.judge(piece, memory).of_bt;
}

Piece piece_of(std::vector<u8> bytes) {
    Piece piece;
    piece.items = {{std::move(bytes)}};
    return piece;
}

constexpr u16 invalid_unmasked = 0x37E, top_of_5 = 5 << 11;

}  // namespace

// Undefined for counts above 1, and Intel's have one OF in a register by an immediate, another one otherwise.
TEST_CASE("host makes: OF behind shifts and rotations of every form, by every kind of count") {
    Judge judge{OracleMode::Flat32, 3, false, make_plain_translator, nullptr};
    for (u8 operation = 0; operation < 8; ++operation)
        for (u8 operand : {0xC3, 0xC1, 0xC4, 0x03})  // ebx, ecx, esp, [ebx]; bl, cl, ah, [ebx]
            for (std::vector<u8> opcode : {std::vector<u8>{0xC0}, {0xC1}, {0x66, 0xC1}, {0xD2}, {0xD3}, {0x66, 0xD3}})
                for (u8 count : {0, 1, 2, 7, 8, 9, 15, 16, 17, 18, 27, 31, 32, 33, 34})
                    for (u32 flags : {0u, eflags::of | eflags::cf}) {
                        std::vector<u8> bytes = opcode;
                        bytes.push_back(static_cast<u8>(operand | operation << 3));
                        if (opcode.back() < 0xD0) bytes.push_back(count);
                        Piece piece = piece_of(bytes);
                        piece.registers.gpr[0] = 0x5A00;
                        piece.registers.gpr[1] = 0xD00 | count;
                        piece.registers.gpr[3] = L::data + 0x40;
                        piece.registers.gpr[4] = L::stack + 0x9A5;
                        piece.registers.eflags |= flags;
                        PieceMemory memory;
                        memory.data[0x40] = 0x35;
                        memory.data[0x43] = 0xC0;
                        CHECK(judge.judge(piece, memory).of_bt == std::vector<std::string>{});
                    }
}

// The captured 80286 (sst286) and the 386 of test386.asm have the same.
TEST_CASE("host makes: OF tells what the last bit of a shift or rotation did") {
    struct Case {
        std::vector<u8> bytes;
        u32 ebx;
        bool overflow;
    };
    for (const Case& c : {Case{{0xC1, 0xC3, 3}, 0x10000000, true},    // rol ebx,3: 80000000, CF clear
                          Case{{0xC1, 0xC3, 4}, 0x18000000, false},   // 80000001, CF set
                          Case{{0xC1, 0xCB, 2}, 0x00000001, true},    // ror ebx,2: 40000000
                          Case{{0xC1, 0xCB, 3}, 0x00000003, true},    // 60000000
                          Case{{0xC1, 0xCB, 2}, 0x00000003, false},   // C0000000
                          Case{{0xC1, 0xE3, 2}, 0x20000000, true},    // shl ebx,2: 80000000, CF clear
                          Case{{0xC1, 0xE3, 2}, 0xE0000000, false},   // 80000000, CF set
                          Case{{0xC1, 0xEB, 2}, 0x80000000, false},   // shr ebx,2
                          Case{{0xC1, 0xFB, 2}, 0x80000000, false}})  // sar ebx,2
        for (auto make : {make_interpreter, make_plain_translator}) {
            PieceMachine machine{OracleMode::Flat32, 3, make};
            Piece piece = piece_of(c.bytes);
            piece.registers.gpr[3] = c.ebx;
            machine.begin_again();
            machine.load(piece, piece.code_pages(), PieceMemory{});
            machine.state.instruction_limit = 1000;
            machine.engine->run();
            auto end = machine.end();
            REQUIRE(end);
            CAPTURE(c.ebx, c.bytes[1]);
            CHECK(((end->registers.eflags & eflags::of) != 0) == c.overflow);
        }
}

// Intel's have the flags from before the first iteration.
TEST_CASE("host makes: a repeated comparison that faults leaves the flags of its last iteration") {
    constexpr u32 of_1_minus_5 = eflags::cf | eflags::pf | eflags::af | eflags::sf;
    for (u32 before_end : {0u, 1u, 7u}) {
        Piece piece = piece_of({0xF2, 0xAE});  // repne scasb
        piece.registers.gpr[0] = 1;
        piece.registers.gpr[1] = 100;
        piece.registers.gpr[7] = behind_stack - before_end;
        piece.registers.eflags |= eflags::zf;
        PieceMemory memory;
        memory.stack.assign(L::stack_bytes, 5);
        for (auto make : {make_interpreter, make_plain_translator}) {
            PieceMachine machine{OracleMode::Flat32, 3, make};
            machine.begin_again();
            machine.load(piece, piece.code_pages(), memory);
            machine.state.instruction_limit = 1000;
            machine.engine->run();
            auto end = machine.end();
            REQUIRE(end);
            CHECK(end->how.vector == vector::pf);
            CHECK(end->registers.gpr[1] == 100 - before_end);
            u32 expected = before_end == 0 ? eflags::zf : of_1_minus_5;
            CHECK((end->registers.eflags & eflags::arithmetic) == expected);
        }
    }
}

TEST_CASE("host makes: comparisons that fault, of every size and in both directions") {
    for (std::vector<u8> bytes : {std::vector<u8>{0xF3, 0xA6},
                                  {0xF2, 0xA7},
                                  {0x66, 0xF3, 0xA7},
                                  {0x66, 0xF2, 0xA7},
                                  {0xF3, 0xAE},
                                  {0xF2, 0xAF},
                                  {0x66, 0xF2, 0xAF},
                                  {0xF3, 0xA7}})
        for (bool backward : {false, true})
            for (u8 elements : {0, 1, 3}) {
                u32 size = bytes.back() % 2 == 0 ? 1 : bytes[0] == 0x66 ? 2 : 4;
                Piece piece = piece_of(bytes);
                piece.registers.gpr[0] = 0x04040404;
                piece.registers.gpr[1] = 1000;
                piece.registers.gpr[6] = L::data + 0x800;
                piece.registers.gpr[7] = backward ? L::stack - size + elements * size : behind_stack - elements * size;
                piece.registers.eflags |= eflags::of | eflags::zf | (backward ? eflags::df : 0);
                PieceMemory memory;
                bool until_equal = bytes[bytes.size() - 2] == 0xF2;
                memory.stack.assign(L::stack_bytes, until_equal ? 5 : 4);
                memory.data.assign(L::data_bytes, 4);
                CHECK(engines_differ(piece, memory) == std::vector<std::string>{});
            }
}

// Intel's do not look at the address.
TEST_CASE("host makes: an x87 store that is not done, at an address that faults") {
    for (std::vector<u8> bytes : {std::vector<u8>{0xD9, 0x13},
                                  {0xDD, 0x1B},
                                  {0xDB, 0x3B},
                                  {0xDF, 0x13},
                                  {0xDB, 0x1B},
                                  {0xDF, 0x3B},
                                  {0xDD, 0x0B},
                                  {0xDF, 0x33}})  // FST to FBSTP [ebx]
        for (auto [mode, address] : {std::pair{OracleMode::Flat32, behind_stack},
                                     {OracleMode::Flat32, 0xFFFFFFFFu},
                                     {OracleMode::LimitedData, L::data_bytes + 0x10000},
                                     {OracleMode::Segmented16, 0xFFF0u}}) {
            Piece piece = piece_of(bytes);
            piece.mode = mode;
            piece.registers.gpr[3] = piece.registers.gpr[7] = address;
            if (has_narrow_code(mode)) piece.items[0].bytes.back() += 2;  // [di] has the number of [ebx] and two more
            piece.registers.fpu.control = invalid_unmasked;
            CHECK(engines_differ(piece) == std::vector<std::string>{});
        }
}

// Intel's have written eight bytes by then.
TEST_CASE("host makes: an x87 store of ten bytes whose last ones fault") {
    for (u8 modrm : {0x3B, 0x33})  // fstp tbyte [ebx]; fbstp [ebx]
        for (auto [mode, end] : {std::pair{OracleMode::Flat32, behind_stack}, {OracleMode::LimitedData, L::data_bytes}})
            for (u32 before_end = 0; before_end < 10; ++before_end) {
                Piece piece = piece_of({static_cast<u8>(modrm == 0x3B ? 0xDB : 0xDF), modrm});
                piece.mode = mode;
                piece.registers.gpr[3] = end - before_end;
                piece.registers.fpu.tags = 0xFF;
                PieceMemory memory;
                memory.data.assign(L::data_bytes, 5);
                memory.stack.assign(L::stack_bytes, 5);
                CHECK(engines_differ(piece, memory) == std::vector<std::string>{});
            }
}

// Intel's have set TOP by then.
TEST_CASE("host makes: an MMX store that faults") {
    for (u8 opcode : {0x7E, 0x7F, 0xE7})  // movd, movq, movntq [ebx],mm0
        for (auto [mode, address] :
             {std::pair{OracleMode::Flat32, behind_stack}, {OracleMode::LimitedData, L::data_bytes}}) {
            Piece piece = piece_of({0x0F, opcode, 0x03});
            piece.mode = mode;
            piece.registers.gpr[3] = address;
            piece.registers.fpu.status = top_of_5;
            piece.registers.fpu.st[2][0] = 7;
            CHECK(engines_differ(piece) == std::vector<std::string>{});
        }
}

}  // namespace vellum::test
