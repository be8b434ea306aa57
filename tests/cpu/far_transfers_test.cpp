// Far JMP, CALL and RET, call gates (SDM 3A 5.8).
#include <catch2/catch.hpp>

#include "cpu/far_transfers.hpp"
#include "cpu/system_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

constexpr u16 sel = 0x40, gate_sel = 0x48;
Fault gp(u16 error) { return Fault::exception(vector::gp, error); }

}  // namespace

TEST_CASE("far transfers: which code segments a direct jump may reach") {
    struct Row {
        u16 access;
        u8 cpl, rpl;
        Fault expected;
    };
    auto row = GENERATE(values<Row>({
        {access::code, 0, 0, Fault::retired()},
        {access::code, 0, 3, gp(sel)},
        {access::code, 3, 3, gp(sel)},
        {access::code | access::dpl(3), 3, 0, Fault::retired()},
        {access::code | access::dpl(3), 0, 0, gp(sel)},
        {access::conforming, 3, 3, Fault::retired()},
        {access::conforming | access::dpl(3), 0, 0, gp(sel)},
        {access::data, 0, 0, gp(sel)},
        {access::code & access::absent, 0, 0, Fault::exception(vector::np, sel)},
    }));
    SystemFixture m;
    m.describe(sel, 0, 0xFFFFF, row.access, 0xC);
    m.enter_level(row.cpl);
    CAPTURE(row.access, row.cpl, row.rpl);
    CHECK(far_jump(m.cpu, static_cast<u16>(sel | row.rpl), 0x5000, 4, 0) == row.expected);
    bool jumped = row.expected == Fault::retired();
    CHECK(m.state.eip == (jumped ? 0x5000 : SystemFixture::code_at));
    CHECK(m.state.cpl == row.cpl);
    CHECK(m.state.segment(Seg::Cs).selector == (jumped ? sel | row.cpl : row.cpl == 3 ? 0x1B : 0x08));
}

TEST_CASE("far transfers: an offset beyond the limit is #GP(0), null is #GP(0)") {
    SystemFixture m;
    m.describe(sel, 0, 0xFFF, access::code, 4);
    CHECK(far_jump(m.cpu, sel, 0x1000, 4, 0) == gp(0));
    CHECK(far_jump(m.cpu, sel, 0x21000, 4, 0) == gp(0));
    CHECK(far_jump(m.cpu, sel, 0x20FFF, 2, 0) == Fault::retired());  // a 16-bit operand has 16 bits of offset
    CHECK(m.state.eip == 0xFFF);
    CHECK(far_jump(m.cpu, 3, 0, 4, 0) == gp(0));
}

TEST_CASE("far transfers: a direct call pushes CS and the next EIP, RETF with a count drops parameters") {
    SystemFixture m;
    REQUIRE(m.execute({0x9A, 0x00, 0x50, 0, 0, 0x08, 0}) == Fault::retired());  // call 8:5000h
    CHECK(m.state.eip == 0x5000);
    CHECK(m.state.reg(Reg::Esp) == SystemFixture::stack - 8);
    CHECK(m.stack_word(0) == SystemFixture::code_at + 7);
    CHECK(m.stack_word(1) == SystemFixture::code0);
    REQUIRE(m.execute({0xCA, 0x10, 0x00}) == Fault::retired());  // retf 16
    CHECK(m.state.eip == SystemFixture::code_at + 7);
    CHECK(m.state.reg(Reg::Esp) == SystemFixture::stack + 0x10);
}

TEST_CASE("far transfers: a call gate to an inner level changes stacks and copies parameters") {
    SystemFixture m;
    m.gate(SystemFixture::table_entry(gate_sel), SystemFixture::code0, 0x5000, access::call_gate32 | access::dpl(3), 2);
    m.enter_level(3);
    REQUIRE(m.cpu.push(0x11111111, 4) == Fault::none());
    REQUIRE(m.cpu.push(0x22222222, 4) == Fault::none());
    REQUIRE(m.execute({0x9A, 0, 0, 0, 0, gate_sel | 3, 0}) == Fault::retired());
    CHECK(m.state.cpl == 0);
    CHECK(m.state.segment(Seg::Cs).selector == SystemFixture::code0);
    CHECK(m.state.segment(Seg::Ss).selector == SystemFixture::data0);
    CHECK(m.state.reg(Reg::Esp) == SystemFixture::inner_stack - 24);
    CHECK(m.state.eip == 0x5000);
    const u32 expected[] = {SystemFixture::code_at + 7, SystemFixture::code3, 0x22222222, 0x11111111,
                            SystemFixture::stack - 8,   SystemFixture::data3};
    for (u32 i = 0; i < 6; ++i) CHECK(m.stack_word(i) == expected[i]);

    SECTION("and RETF goes back, dropping them on both stacks and taking away inner segments") {
        m.state.segment(Seg::Es) = {SystemFixture::data0, 0xC093, 0xFFFFFFFF, 0};
        REQUIRE(m.execute({0xCA, 0x08, 0x00}) == Fault::retired());
        CHECK(m.state.cpl == 3);
        CHECK(m.state.eip == SystemFixture::code_at + 7);
        CHECK(m.state.reg(Reg::Esp) == SystemFixture::stack);
        CHECK(m.state.segment(Seg::Ss).selector == SystemFixture::data3);
        CHECK(m.state.segment(Seg::Es).access == 0);
        CHECK(m.state.segment(Seg::Es).selector == 0);
        CHECK(m.state.segment(Seg::Ds).selector == SystemFixture::data3);
    }
}

TEST_CASE("far transfers: what is wrong with a call gate and its stack") {
    SystemFixture m;
    u32 at = SystemFixture::table_entry(gate_sel);
    auto call = [&] { return far_call(m.cpu, gate_sel | 3, 0, 4, 0); };
    m.gate(at, SystemFixture::code0, 0x5000, access::call_gate32 | access::dpl(3));
    m.enter_level(3);
    SECTION("gate of an inner level") {
        m.gate(at, SystemFixture::code0, 0x5000, access::call_gate32);
        CHECK(call() == gp(gate_sel));
    }
    SECTION("absent gate") {
        m.gate(at, SystemFixture::code0, 0x5000, (access::call_gate32 | access::dpl(3)) & access::absent);
        CHECK(call() == Fault::exception(vector::np, gate_sel));
    }
    SECTION("null target") {
        m.gate(at, 0, 0x5000, access::call_gate32 | access::dpl(3));
        CHECK(call() == gp(0));
    }
    SECTION("target is data") {
        m.gate(at, SystemFixture::data0, 0x5000, access::call_gate32 | access::dpl(3));
        CHECK(call() == gp(SystemFixture::data0));
    }
    SECTION("a jump cannot go inside") { CHECK(far_jump(m.cpu, gate_sel | 3, 0, 4, 0) == gp(SystemFixture::code0)); }
    SECTION("the TSS has no such stack") {
        m.state.tr.limit = 8;
        CHECK(call() == Fault::exception(vector::ts, SystemFixture::tss_selector));
    }
    SECTION("null stack") {
        m.poke<u16>(SystemFixture::tss + 8, 0);
        CHECK(call() == Fault::exception(vector::ts, 0));
    }
    SECTION("stack of another level") {
        m.poke<u16>(SystemFixture::tss + 8, SystemFixture::data3);
        CHECK(call() == Fault::exception(vector::ts, SystemFixture::data3 & ~3));
    }
    SECTION("absent stack") {
        m.describe(sel, 0, 0xFFFFF, access::data & access::absent, 0xC);
        m.poke<u16>(SystemFixture::tss + 8, sel);
        CHECK(call() == Fault::exception(vector::ss, sel));
    }
    SECTION("no room on it") {
        m.describe(sel, 0, 0xFFF, access::data, 0x4);
        m.poke<u16>(SystemFixture::tss + 8, sel);
        CHECK(call() == Fault::exception(vector::ss, sel));
    }
    CHECK(m.state.cpl == 3);
    CHECK(m.state.segment(Seg::Ss).selector == SystemFixture::data3);
    CHECK(m.state.reg(Reg::Esp) == SystemFixture::stack);
}

TEST_CASE("far transfers: RETF checks what it returns to") {
    SystemFixture m;
    auto return_to = [&](u32 cs, u32 ss = SystemFixture::data3) {
        m.enter_level(0);
        for (u32 value : {ss, u32{0x6000}, cs, u32{0x5000}}) REQUIRE(m.cpu.push(value, 4) == Fault::none());
        return far_return(m.cpu, 4, 0);
    };
    CHECK(return_to(0) == gp(0));
    CHECK(return_to(SystemFixture::data0) == gp(SystemFixture::data0));
    CHECK(return_to(SystemFixture::code3 & ~3) == gp(SystemFixture::code3 & ~3));
    CHECK(return_to(SystemFixture::code0 | 3) == gp(SystemFixture::code0));
    CHECK(return_to(SystemFixture::code3, 0) == gp(0));
    CHECK(return_to(SystemFixture::code3, SystemFixture::data0) == gp(SystemFixture::data0));
    CHECK(return_to(SystemFixture::code3) == Fault::retired());
    CHECK(m.state.reg(Reg::Esp) == 0x6000);
    REQUIRE(m.cpu.push(SystemFixture::code0, 4) == Fault::none());
    REQUIRE(m.cpu.push(0, 4) == Fault::none());
    CHECK(far_return(m.cpu, 4, 0) == gp(SystemFixture::code0));  // inwards
}

TEST_CASE("far transfers: real mode and V86 take bases, and check the offset") {
    SystemFixture m;
    bool v86 = GENERATE(false, true);
    m.enter_real_mode();
    if (v86) {
        m.enter_level(0);
        m.enter_v86(0);
    }
    CHECK(far_jump(m.cpu, 0x1234, 0x10000, 4, 0) == gp(0));
    CHECK(far_jump(m.cpu, 0x1234, 0x5678, 2, 0) == Fault::retired());
    CHECK(m.state.segment(Seg::Cs).base == 0x12340);
    CHECK(m.state.eip == 0x5678);
    REQUIRE(far_call(m.cpu, 0x2000, 1, 2, 0x567B) == Fault::retired());
    REQUIRE(far_return(m.cpu, 2, 4) == Fault::retired());
    CHECK(m.state.segment(Seg::Cs).selector == 0x1234);
    CHECK(m.state.eip == 0x567B);
    CHECK(m.state.reg(Reg::Esp) == SystemFixture::stack + 4);
    CHECK(m.state.cpl == (v86 ? 3 : 0));
}
