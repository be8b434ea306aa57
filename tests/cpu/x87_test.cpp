// x87 instructions: results, stores that fault, exceptions, environment layouts.
#include <catch2/catch.hpp>
#include <cmath>

#include "cpu/fpu_fixture.hpp"

namespace vellum::test {

namespace {

struct X87Fixture : FpuFixture {
    u8 operand[10];

    void divide_by_zero_unmasked() {  // fld1; fldz; fdivp, with ZM clear
        state.fpu.control = 0x37B;
        REQUIRE(!run({0xD9, 0xE8}));
        REQUIRE(!run({0xD9, 0xEE}));
        REQUIRE(!run({0xDE, 0xF9}));
        REQUIRE(state.fpu.status & x87::error_summary);
    }
};

}  // namespace

TEST_CASE_METHOD(X87Fixture, "x87: arithmetic keeps all 64 bits of the significand") {
    long double a = 1.0L / 3, b = 1e-10L;
    std::memcpy(operand, &a, 10);
    memory.write(Physical{data}, operand);
    std::memcpy(operand, &b, 10);
    memory.write(Physical{data + 16}, operand);
    REQUIRE(!run({0xDB, 0x2B}));        // fld m80 [ebx]
    REQUIRE(!run({0xDB, 0x6B, 0x10}));  // fld m80 [ebx+16]
    REQUIRE(!run({0xDE, 0xC1}));        // faddp
    CHECK(st(0) == a + b);
    REQUIRE(!run({0xD9, 0xFA}));  // fsqrt
    CHECK(st(0) == std::sqrt(a + b));
    REQUIRE(!run({0xDB, 0x7B, 0x20}));  // fstp m80 [ebx+32]
    long double stored = 0;
    memory.read(Physical{data + 32}, operand);
    std::memcpy(&stored, operand, 10);
    CHECK(stored == std::sqrt(a + b));
    CHECK(state.fpu.tags == 0);
    CHECK(x87::top(state.fpu) == 0);
}

TEST_CASE_METHOD(X87Fixture, "x87: integer and BCD operands of every size convert both ways") {
    poke<u16>(data, 0xFFFE);
    poke<u32>(data + 4, 123456);
    poke<u64>(data + 8, 0x7FFFFFFFFFFFFFFF);
    REQUIRE(!run({0xDF, 0x03}));  // fild m16
    CHECK(st(0) == -2);
    REQUIRE(!run({0xDB, 0x43, 0x04}));  // fild m32
    CHECK(st(0) == 123456);
    REQUIRE(!run({0xDF, 0x6B, 0x08}));  // fild m64
    CHECK(st(0) == 9223372036854775807.0L);
    REQUIRE(!run({0xDF, 0x7B, 0x10}));  // fistp m64
    CHECK(peek<u64>(data + 16) == 0x7FFFFFFFFFFFFFFF);
    REQUIRE(!run({0xDF, 0x73, 0x20}));  // fbstp m80
    CHECK(peek<u64>(data + 32) == 0x123456);
    CHECK(peek<u16>(data + 40) == 0);
    REQUIRE(!run({0xDF, 0x63, 0x20}));  // fbld m80
    CHECK(st(0) == 123456);
}

TEST_CASE_METHOD(X87Fixture, "x87: a popping store that faults leaves the stack as it was") {
    REQUIRE(!run({0xD9, 0xE8}));  // fld1
    state.segment(Seg::Ds).limit = data + 5;
    CHECK(run({0xDD, 0x1B}) == Fault::exception(vector::gp));  // fstp m64
    CHECK(x87::top(state.fpu) == 7);
    CHECK(st(0) == 1);
    CHECK(peek<u32>(data) == 0);
}

TEST_CASE_METHOD(X87Fixture, "x87: a store with an unmasked invalid operand neither stores nor pops") {
    state.fpu.control = 0x37E;
    set_st(0, 1e30L);
    poke<u32>(data, 0x55555555);
    REQUIRE(!run({0xDB, 0x1B}));  // fistp m32
    CHECK(peek<u32>(data) == 0x55555555);
    CHECK(st(0) == 1e30L);
    CHECK(state.fpu.status & x87::error_summary);
}

TEST_CASE_METHOD(X87Fixture, "x87: a store with unmasked precision stores, pops, and reports later") {
    state.fpu.control = 0x35F;
    set_st(0, 1.5L);
    REQUIRE(!run({0xDB, 0x1B}));  // fistp m32
    CHECK(peek<u32>(data) == 2);
    CHECK(state.fpu.tags == 0);
    CHECK(run({0xD9, 0xD0}) == Fault::exception(vector::mf));  // fnop
}

TEST_CASE_METHOD(X87Fixture, "x87: a pending exception is #MF on waiting instructions and on MMX, and on no others") {
    divide_by_zero_unmasked();
    CHECK(run({0x9B}) == Fault::exception(vector::mf));              // fwait
    CHECK(run({0xD9, 0xE8}) == Fault::exception(vector::mf));        // fld1
    CHECK(run({0xD9, 0x2B}) == Fault::exception(vector::mf));        // fldcw
    CHECK(run({0x0F, 0xFC, 0xC1}) == Fault::exception(vector::mf));  // paddb mm0, mm1
    CHECK(!run({0x0F, 0x58, 0xC1}));                                 // addps xmm0, xmm1
    CHECK(!run({0xDF, 0xE0}));                                       // fnstsw ax
    CHECK((state.gpr[0] & 0x8084) == 0x8084);
    CHECK(!run({0xDB, 0xE2}));  // fnclex
    CHECK(!run({0x9B}));
}

TEST_CASE_METHOD(X87Fixture, "x87: with CR0.NE clear a pending exception holds the next waiting instruction") {
    state.cr0 &= ~cr0::ne;
    divide_by_zero_unmasked();
    CHECK(run({0xD9, 0xE8}) == Fault::retired());
    CHECK(state.eip == 0x1000);
    CHECK(!run({0xDB, 0xE3}));  // fninit
    CHECK(!run({0xD9, 0xE8}));
}

TEST_CASE_METHOD(X87Fixture, "x87: TS or EM make #NM, and WAIT looks at TS with MP only") {
    state.cr0 |= cr0::ts;
    CHECK(run({0xD9, 0xE8}) == Fault::exception(vector::nm));
    CHECK(run({0xDB, 0xE3}) == Fault::exception(vector::nm));
    CHECK(run({0xDF, 0xE0}) == Fault::exception(vector::nm));
    CHECK(!run({0x9B}));
    state.cr0 |= cr0::mp;
    CHECK(run({0x9B}) == Fault::exception(vector::nm));
    state.cr0 = (state.cr0 & ~cr0::ts) | cr0::em;
    CHECK(run({0xD9, 0xE8}) == Fault::exception(vector::nm));
    CHECK(!run({0x9B}));
}

TEST_CASE_METHOD(X87Fixture, "x87: FCOMI sets ZF PF CF and clears the others, FCMOV reads them") {
    set_st(0, 1);
    set_st(1, 2);
    state.eflags = eflags::fixed | eflags::of | eflags::sf | eflags::af | eflags::zf | eflags::if_;
    REQUIRE(!run({0xDB, 0xF1}));  // fcomi st, st1
    CHECK(state.eflags == (eflags::fixed | eflags::cf | eflags::if_));
    REQUIRE(!run({0xDA, 0xC1}));  // fcmovb
    CHECK(st(0) == 2);
}

TEST_CASE_METHOD(X87Fixture, "x87: FNINIT keeps the physical registers and empties the tags") {
    state.fpu.status = 3 << 11;
    for (u8 i = 0; i < 8; ++i) set_st(i, i);
    REQUIRE(!run({0xDB, 0xE3}));
    CHECK(state.fpu.control == 0x37F);
    CHECK(state.fpu.status == 0);
    CHECK(state.fpu.tags == 0);
    CHECK(st(0) == 5);
    CHECK(st(3) == 0);
}

TEST_CASE_METHOD(X87Fixture, "x87: after an unmasked exception its instruction is shown, and no address of the host") {
    divide_by_zero_unmasked();
    x87::Pointers found = x87::pointers(state.fpu);
    CHECK(found.instruction_offset == 0x1000);
    CHECK(found.instruction_selector == state.segment(Seg::Cs).selector);
    CHECK(found.data_offset == 0);
    CHECK(found.data_selector == 0);
    CHECK(found.opcode == 0x6F9);
}

TEST_CASE_METHOD(X87Fixture, "x87: the four environments hold the pointers, and bring them back") {
    struct Form {
        bool real;
        std::initializer_list<u8> store, load;
        std::vector<u32> words;  // behind control, status and tags
        u32 bytes;               // of each
        x87::Pointers back;
    };
    const x87::Pointers given{0x6F9, 0x00012345, 0x00054321, 0x1111, 0x2222};
    const u32 code_address = 0x11110 + 0x12345, data_address = 0x22220 + 0x54321;
    const Form forms[] = {
        {false, {0xD9, 0x33}, {0xD9, 0x23}, {0x12345, 0x06F91111, 0x54321, 0xFFFF2222}, 4, given},
        {false,
         {0x66, 0xD9, 0x33},
         {0x66, 0xD9, 0x23},
         {0x2345, 0x1111, 0x4321, 0x2222},
         2,
         {0, 0x2345, 0x4321, 0x1111, 0x2222}},
        {true,
         {0xD9, 0x33},
         {0xD9, 0x23},
         {0xFFFF3455, 0x000026F9, 0xFFFF6541, 0x00007000},
         4,
         {0x6F9, code_address, data_address, 0, 0}},
        {true,
         {0x66, 0xD9, 0x33},
         {0x66, 0xD9, 0x23},
         {0x3455, 0x26F9, 0x6541, 0x7000},
         2,
         {0x6F9, code_address, data_address, 0, 0}},
    };
    for (const Form& form : forms) {
        state.cr0 = form.real ? state.cr0 & ~u64{cr0::pe} : state.cr0 | cr0::pe;
        x87::set_pointers(state.fpu, given);
        REQUIRE(!run(form.store));
        for (u32 i = 0; i < form.words.size(); ++i) {
            u32 at = data + (3 + i) * form.bytes;
            CHECK((form.bytes == 4 ? peek<u32>(at) : peek<u16>(at)) == form.words[i]);
        }
        x87::set_pointers(state.fpu, {});
        REQUIRE(!run(form.load));
        x87::Pointers back = x87::pointers(state.fpu);
        CHECK(back.opcode == form.back.opcode);
        CHECK(back.instruction_offset == form.back.instruction_offset);
        CHECK(back.instruction_selector == form.back.instruction_selector);
        CHECK(back.data_offset == form.back.data_offset);
        CHECK(back.data_selector == form.back.data_selector);
    }
}

TEST_CASE_METHOD(X87Fixture, "x87: FNSTENV in 32-bit protected mode writes seven doublewords and masks exceptions") {
    divide_by_zero_unmasked();
    set_st(7, 0);
    u16 status = state.fpu.status;
    REQUIRE(!run({0xD9, 0x33}));  // fnstenv [ebx]
    CHECK(peek<u32>(data) == 0xFFFF037B);
    CHECK(peek<u32>(data + 4) == (0xFFFF0000 | status));
    CHECK(peek<u32>(data + 8) == 0xFFFF17FF);
    CHECK(peek<u32>(data + 12) == 0x1000);
    CHECK(peek<u32>(data + 16) == (0x06F90000u | state.segment(Seg::Cs).selector));
    CHECK(peek<u32>(data + 20) == 0);
    CHECK(peek<u32>(data + 24) == 0xFFFF0000);
    CHECK(peek<u32>(data + 28) == 0);
    CHECK(state.fpu.control == 0x37F);
    CHECK(!(state.fpu.status & x87::error_summary));
}

TEST_CASE_METHOD(X87Fixture,
                 "x87: FNSAVE and FRSTOR with 16-bit operands round-trip the stack and initialize between") {
    state.cr0 &= ~cr0::pe;
    state.fpu.status = 6 << 11;
    set_st(0, 1.25L);
    set_st(1, -3);
    FxImage before = state.fpu;
    REQUIRE(!run({0x66, 0xDD, 0x33}));  // fnsave [ebx]
    CHECK(peek<u16>(data) == 0x37F);
    CHECK(peek<u16>(data + 2) == 6 << 11);
    CHECK(peek<u16>(data + 4) == 0x0FFF);
    CHECK(peek<u16>(data + 14 + 8) == 0x3FFF);
    CHECK(state.fpu.tags == 0);
    REQUIRE(!run({0x66, 0xDD, 0x23}));  // frstor [ebx]
    CHECK(std::memcmp(&before, &state.fpu, sizeof before) == 0);
}

TEST_CASE_METHOD(X87Fixture, "x87: FLDENV with another TOP turns the stack but not the registers") {
    for (u8 i = 0; i < 8; ++i) set_st(i, i);
    const u16 words[7] = {0xFFFF, 2 << 11, 0xFFF3, 0, 0, 0, 0};
    memory.write(Physical{data}, {reinterpret_cast<const u8*>(words), sizeof words});
    REQUIRE(!run({0x66, 0xD9, 0x23}));  // fldenv [ebx]
    CHECK(st(0) == 2);
    CHECK(state.fpu.tags == 2);
    CHECK(state.fpu.control == 0x1F7F);
}

}  // namespace vellum::test
