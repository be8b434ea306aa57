// String instructions: directions, overlap, segments, address sizes, faults in the middle, and counting of iterations.
#include <catch2/catch.hpp>

#include "support/test_machine.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

constexpr u32 source = 0x10000, target = 0x12000;

// A pattern in which every byte differs from its neighbours.
void fill(TestMachine& m, u32 at, u32 count) {
    for (u32 i = 0; i < count; ++i) m.poke_value<u8>(at + i, static_cast<u8>(i * 7 + 3));
}

u32 equal_bytes(const TestMachine& m, u32 a, u32 b, u32 count) {
    u32 equal = 0;
    while (equal < count && m.peek<u8>(a + equal) == m.peek<u8>(b + equal)) ++equal;
    return equal;
}

void point(TestMachine& m, u32 from, u32 to, u32 count) {
    m.set_reg(Reg::Esi, from);
    m.set_reg(Reg::Edi, to);
    m.set_reg(Reg::Ecx, count);
}

}  // namespace

TEST_CASE("string: REP MOVSB copies across pages and leaves the registers behind the last byte") {
    FlatMachine m;
    fill(m, source + 100, 6000);
    point(m, source + 100, target + 333, 6000);
    m.run({0xF3, 0xA4});
    CHECK(equal_bytes(m, source + 100, target + 333, 6000) == 6000);
    CHECK(m.peek<u8>(target + 333 + 6000) == 0);
    CHECK(m.reg(Reg::Esi) == source + 100 + 6000);
    CHECK(m.reg(Reg::Edi) == target + 333 + 6000);
    CHECK(m.reg(Reg::Ecx) == 0);
}

TEST_CASE("string: every iteration counts as an instruction") {
    FlatMachine m;
    point(m, source, target, 5000);
    m.run({0xF3, 0xA5});  // rep movsd
    CHECK(m.state.instructions == 5001);
    point(m, source, target, 0);
    m.run({0xF3, 0xA5});
    CHECK(m.state.instructions == 5003);
}

TEST_CASE("string: the instruction limit stops a repetition exactly and it goes on later") {
    FlatMachine m;
    m.poke(FlatMachine::code_at, {0xF3, 0xAA, 0xF4});  // rep stosb; hlt
    point(m, 0, target, 1000);
    m.state.eip = FlatMachine::code_at;
    m.state.instruction_limit = 300;
    CHECK(m.engine->run() == Stop::InstructionLimit);
    CHECK(m.state.instructions == 300);
    CHECK(m.reg(Reg::Ecx) == 700);
    CHECK(m.state.eip == FlatMachine::code_at);
    m.state.instruction_limit = 10'000;
    CHECK(m.engine->run() == Stop::Halted);
    CHECK(m.reg(Reg::Edi) == target + 1000);
}

TEST_CASE("string: a forward copy onto itself repeats the beginning") {
    FlatMachine m;
    m.poke(source, {1, 2, 3});
    point(m, source, source + 3, 100);
    m.run({0xF3, 0xA4});
    CHECK(m.peek<u8>(source + 102) == 1);
    CHECK(equal_bytes(m, source, source + 3, 99) == 99);
}

TEST_CASE("string: a backward copy moves overlapping bytes upwards unharmed") {
    FlatMachine m;
    fill(m, source, 5000);
    for (u32 i = 0; i < 5000; ++i) m.poke_value<u8>(target + 0x8000 + i, m.peek<u8>(source + i));
    point(m, source + 4999, source + 5009, 5000);
    m.run({0xFD, 0xF3, 0xA4});  // std; rep movsb
    CHECK(equal_bytes(m, source + 10, target + 0x8000, 5000) == 5000);
    CHECK(m.reg(Reg::Esi) == source - 1);
    CHECK(m.reg(Reg::Edi) == source + 9);
}

TEST_CASE("string: a backward copy downwards onto itself repeats the end, double by double") {
    FlatMachine m;
    m.poke_value<u32>(source + 396, 0xCAFE1234);
    point(m, source + 396, source + 392, 50);
    m.run({0xFD, 0xF3, 0xA5});
    CHECK(m.peek<u32>(source + 196) == 0xCAFE1234);
    CHECK(m.peek<u32>(source + 192) == 0);
}

TEST_CASE("string: a 16-bit address size counts CX and wraps SI and DI") {
    RealModeMachine m;
    m.state.segment(Seg::Ds).base = 0x10000;
    m.state.segment(Seg::Es).base = 0x20000;
    m.poke(0x1FFFE, {0xAA, 0xBB});
    m.poke(0x10000, {0xCC, 0xDD});
    m.state.reg(Reg::Ecx) = 0x00070004;
    m.state.reg(Reg::Esi) = 0x0005FFFE;
    m.state.reg(Reg::Edi) = 0x10;
    m.run({0xF3, 0xA4});
    CHECK(m.peek<u32>(0x20010) == 0xDDCCBBAA);
    CHECK(m.reg(Reg::Ecx) == 0x00070000);
    CHECK(m.reg(Reg::Esi) == 0x00050002);
}

TEST_CASE("string: a segment override moves the source, never the destination") {
    RealModeMachine m;
    m.state.segment(Seg::Fs).base = 0x30000;
    m.state.segment(Seg::Es).base = 0x40000;
    m.poke(0x30005, {0x77});
    point(m, 5, 6, 1);
    m.run({0x64, 0xA4});  // fs movsb
    CHECK(m.peek<u8>(0x40006) == 0x77);
}

TEST_CASE("string: a fault in the middle leaves count and pointers on the element that faulted") {
    FlatMachine m;
    m.state.segment(Seg::Es) = {16, 0x40F3, target + 99, 0};  // 100 bytes of the destination are inside
    point(m, source, target, 200);
    fill(m, source, 200);
    m.run({0xF3, 0xA4});
    CHECK(m.halted_by() == vector::gp);
    CHECK(m.reg(Reg::Ecx) == 100);
    CHECK(m.reg(Reg::Esi) == source + 100);
    CHECK(m.reg(Reg::Edi) == target + 100);
    CHECK(equal_bytes(m, source, target, 200) == 100);
    CHECK(m.peek<u32>(m.reg(Reg::Esp) + 4) == FlatMachine::code_at);  // restarts at the prefix
}

TEST_CASE("string: REPE CMPSB stops behind the first difference with its flags") {
    FlatMachine m;
    fill(m, source, 100);
    fill(m, target, 100);
    m.poke_value<u8>(target + 40, 0xFF);
    point(m, source, target, 100);
    m.run({0xF3, 0xA6});
    CHECK(m.reg(Reg::Ecx) == 59);
    CHECK(m.reg(Reg::Esi) == source + 41);
    CHECK(m.flags(eflags::zf | eflags::cf) == eflags::cf);
}

TEST_CASE("string: REPE CMPSB of equal strings ends with ZF") {
    FlatMachine m;
    fill(m, source, 5000);
    fill(m, target, 5000);
    point(m, source, target, 5000);
    m.run({0xF3, 0xA6});
    CHECK(m.reg(Reg::Ecx) == 0);
    CHECK(m.flags() == (eflags::zf | eflags::pf));
}

TEST_CASE("string: REPNE SCASB finds a byte, backwards too") {
    FlatMachine m;
    m.poke_value<u8>(target + 50, 0x5A);
    m.set_reg(Reg::Eax, 0x5A);
    point(m, 0, target, 100);
    m.run({0xF2, 0xAE});
    CHECK(m.reg(Reg::Edi) == target + 51);
    CHECK(m.reg(Reg::Ecx) == 49);
    point(m, 0, target + 99, 100);
    m.run({0xFD, 0xF2, 0xAE});
    CHECK(m.reg(Reg::Edi) == target + 49);
    CHECK(m.flags(eflags::zf) == eflags::zf);
}

TEST_CASE("string: a repetition with count zero changes no flags") {
    FlatMachine m;
    point(m, source, target, 0);
    m.state.eflags |= eflags::sf | eflags::cf;
    m.run({0xF3, 0xA6});
    CHECK(m.flags() == (eflags::sf | eflags::cf));
}

TEST_CASE("string: STOSW fills words and LODSD loads the last double") {
    FlatMachine m;
    m.set_reg(Reg::Eax, 0xFFFFBEEF);
    point(m, target, target + 1, 3000);
    m.run({0xF3, 0x66, 0xAB, 0xB1, 0x02, 0xF3, 0xAD});  // rep stosw; mov cl, 2; rep lodsd
    CHECK(m.peek<u16>(target + 1 + 5998) == 0xBEEF);
    CHECK(m.peek<u16>(target + 1 + 6000) == 0);
    CHECK(m.reg(Reg::Eax) == 0xEFBEEFBE);
}

TEST_CASE("string: INS looks at the destination before it reads the port") {
    FlatMachine m;
    u32 reads = 0;
    m.outside.on_read_port = [&](u16, u8) { return ++reads; };
    m.state.segment(Seg::Es) = {16, 0x40F3, target + 1, 0};
    m.set_reg(Reg::Edx, 0x1F0);
    point(m, 0, target, 5);
    m.run({0xF3, 0x66, 0x6D});  // rep insw: one word fits
    CHECK(m.halted_by() == vector::gp);
    CHECK(reads == 1);
    CHECK(m.reg(Reg::Ecx) == 4);
}

TEST_CASE("string: a repeated INS pauses when a port access calls for attention, and goes on afterwards") {
    FlatMachine m;
    u32 reads = 0;
    m.outside.on_read_port = [&](u16, u8) {
        if (++reads == 3) m.cpu.attention.raise(Attention::Stop);
        return reads;
    };
    point(m, 0, target, 10);
    CHECK(m.run({0xF3, 0x6C}) == Stop::Attention);
    CHECK(reads == 3);
    CHECK(m.reg(Reg::Ecx) == 7);
    m.cpu.attention.clear(Attention::Stop);
    CHECK(m.engine->run() == Stop::Halted);
    CHECK(reads == 10);
    CHECK(m.peek<u8>(target + 9) == 10);
}

TEST_CASE("string: REP OUTSB writes bytes in order") {
    FlatMachine m;
    m.poke(source, {1, 2, 3});
    m.set_reg(Reg::Edx, 0x3F8);
    point(m, source, 0, 3);
    m.run({0xF3, 0x6E});
    std::vector<TestOutside::Access> expected{{0x3F8, 1, 1}, {0x3F8, 1, 2}, {0x3F8, 1, 3}};
    CHECK(m.outside.port_writes == expected);
}
