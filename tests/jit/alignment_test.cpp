// Alignment checks (SDM 3A 6.15, interrupt 17, table 6-7) on both engines. tests/cpu/hardware_test.cpp compares them
// with the real processor.
#include "jit/system_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

constexpr u32 code = SystemPair::code, data = SystemPair::data, stack = SystemPair::stack;
constexpr u8 end_vector = SystemPair::end_vector;
const Bytes end = {0xCD, end_vector};

// Level 3, with AC and AM, EBX, ESI and EDI at data + `offset`.
struct AlignedPair : SystemPair {
    explicit AlignedPair(u32 offset = 0) {
        enter_level3();
        for (Reg r : {Reg::Ebx, Reg::Esi, Reg::Edi}) set_reg(r, data + offset);
        both([](FlatMachine& m) {
            m.state.eflags |= eflags::ac;
            m.state.cr0 |= cr0::am;
            m.state.cr4 |= cr4::osfxsr;
        });
    }
};

int vector_at(u32 offset, const Bytes& bytes) {
    AlignedPair pair{offset};
    return pair.run(bytes + end);
}

}  // namespace

TEST_CASE("alignment: #AC has the error code 0, comes at the instruction and changes nothing") {
    AlignedPair pair{1};
    pair.set_reg(Reg::Eax, 0x12345678);
    CHECK(pair.run({0x90, 0x01, 0x03}) == vector::ac);  // nop; add [ebx], eax
    CHECK(pair.stacked(0) == 0);
    CHECK(pair.stacked(1) == code + 1);
    CHECK(pair.stacked(3) == (eflags::fixed | eflags::ac | eflags::rf));
    CHECK(pair.interp.peek<u32>(data) == 0);
}

TEST_CASE("alignment: how far each operand has to be aligned") {
    struct Row {
        Bytes bytes;
        u32 alignment;
    };
    auto row = GENERATE(values<Row>({
        {{0x8A, 0x03}, 1},              // mov al, [ebx]
        {{0x66, 0x8B, 0x03}, 2},        // mov ax, [ebx]
        {{0x8B, 0x03}, 4},              // mov eax, [ebx]
        {{0xFF, 0x33}, 4},              // push [ebx]
        {{0x8C, 0x1B}, 2},              // mov [ebx], ds
        {{0x0F, 0xC7, 0x0B}, 8},        // cmpxchg8b [ebx]
        {{0x62, 0x03}, 4},              // bound eax, [ebx]
        {{0xC4, 0x0B}, 4},              // les ecx, [ebx]
        {{0x66, 0xC4, 0x0B}, 2},        // les cx, [ebx]
        {{0x0F, 0x01, 0x03}, 4},        // sgdt [ebx]
        {{0xA5}, 4},                    // movsd
        {{0xF3, 0x66, 0xAB}, 2},        // rep stosw, of no iterations
        {{0xD9, 0x03}, 4},              // fld dword [ebx]
        {{0xDD, 0x03}, 8},              // fld qword [ebx]
        {{0xDB, 0x2B}, 8},              // fld tword [ebx]
        {{0xDF, 0x03}, 2},              // fild word [ebx]
        {{0xD9, 0x3B}, 2},              // fnstcw [ebx]
        {{0xD9, 0x33}, 4},              // fnstenv [ebx]
        {{0x66, 0xD9, 0x33}, 2},        // fnstenv, words
        {{0xDD, 0x33}, 4},              // fnsave [ebx]
        {{0x0F, 0x6F, 0x03}, 8},        // movq mm0, [ebx]
        {{0xF3, 0x0F, 0x10, 0x03}, 4},  // movss xmm0, [ebx]
        {{0xF2, 0x0F, 0x10, 0x03}, 8},  // movsd xmm0, [ebx]
        {{0x0F, 0xAE, 0x1B}, 4},        // stmxcsr [ebx]
    }));
    CAPTURE(int{row.bytes[0]}, int{row.bytes.back()}, row.alignment);
    bool repeats = row.bytes[0] == 0xF3 && row.bytes[1] == 0x66;
    for (u32 offset : {0u, 1u, 2u, 4u, 8u}) {
        CAPTURE(offset);
        CHECK(vector_at(offset, row.bytes) == (offset % row.alignment && !repeats ? vector::ac : end_vector));
    }
}

TEST_CASE("alignment: pushes, pops, calls and ENTER check the stack") {
    for (const Bytes& bytes : {Bytes{0x50}, Bytes{0x58}, Bytes{0x60}, Bytes{0xE8, 0, 0, 0, 0}, Bytes{0xC3}, Bytes{0x9C},
                               Bytes{0xC8, 0, 0, 0}, Bytes{0xCF}, Bytes{0xCB}}) {
        CAPTURE(int{bytes[0]});
        AlignedPair pair;
        pair.set_reg(Reg::Esp, stack - 30);
        CHECK(pair.run(bytes) == vector::ac);
        CHECK(pair.stacked(4) == stack - 30);
    }
}

TEST_CASE("alignment: the segment's limit comes before alignment, alignment before the page") {
    AlignedPair pair{1};
    pair.both([](FlatMachine& m) { m.state.segment(Seg::Ds).limit = data + 2; });
    CHECK(pair.run({0x8B, 0x03}) == vector::gp);
}

TEST_CASE("alignment: nothing is checked at level 0, without AM or without AC") {
    AlignedPair level0{1};
    level0.both([](FlatMachine& m) {
        m.state.cpl = 0;
        for (Segment& segment : m.state.seg) segment = {SystemPair::data0, 0xC093, 0xFFFFFFFF, 0};
        m.state.segment(Seg::Cs) = {SystemPair::code0, 0xC09B, 0xFFFFFFFF, 0};
    });
    CHECK(level0.run({0x8B, 0x03}) == -1);
    AlignedPair without_am{1};
    without_am.both([](FlatMachine& m) { m.state.cr0 &= ~cr0::am; });
    CHECK(without_am.run(Bytes{0x8B, 0x03} + end) == end_vector);
    AlignedPair without_ac{1};
    without_ac.both([](FlatMachine& m) { m.state.eflags &= ~eflags::ac; });
    CHECK(without_ac.run(Bytes{0x8B, 0x03} + end) == end_vector);
}

TEST_CASE("alignment: POPF turns the check on and off in the middle of code that has run before") {
    AlignedPair pair{1};
    pair.both([](FlatMachine& m) { m.state.eflags &= ~eflags::ac; });
    const Bytes toggle = {0x9C, 0x81, 0x34, 0x24, 0, 0, 4, 0, 0x9D};  // pushf; xor dword [esp], AC; popf
    const Bytes access = {0x8B, 0x03};
    CHECK(pair.run(access + toggle + toggle + access + end) == end_vector);
    pair.enter_level3();
    CHECK(pair.run(access + toggle + toggle + access + toggle + access + end) == vector::ac);
    CHECK(pair.stacked(1) == code + 31);
}

TEST_CASE("alignment: a REP stops at the element that is not aligned") {
    AlignedPair pair;
    pair.both([](FlatMachine& m) { m.state.segment(Seg::Es).base = 0; });
    pair.set_reg(Reg::Edi, data + 2);
    pair.set_reg(Reg::Ecx, 4);
    CHECK(pair.run(Bytes{0xF3, 0xAB} + end) == vector::ac);
    CHECK(pair.reg(Reg::Ecx) == 4);
    CHECK(pair.interp.peek<u32>(data) == 0);
}

TEST_CASE("alignment: INS does not read the port when its destination is not aligned") {
    AlignedPair pair{1};
    u32 reads = 0;
    pair.both([&](FlatMachine& m) {
        m.state.eflags |= eflags::iopl;
        m.outside.on_read_port = [&reads](u16, u8) { return ++reads; };
    });
    CHECK(pair.run({0x6D}) == vector::ac);
    CHECK(reads == 0);
}
