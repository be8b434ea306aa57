// Task switches (SDM 3A chapter 7).
#include <catch2/catch.hpp>

#include "cpu/far_transfers.hpp"
#include "cpu/interrupts.hpp"
#include "cpu/system_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

constexpr u16 sel = 0x40;
constexpr u32 other = 0x20000;  // the other task's TSS
Fault gp(u16 error) { return Fault::exception(vector::gp, error); }
Fault ts(u16 error) { return Fault::exception(vector::ts, error); }

struct WithTask32 : SystemFixture {
    WithTask32() {
        describe(sel, other, 0x67, access::tss32, 0);
        poke<u32>(other + 0x20, 0x7000);         // EIP
        poke<u32>(other + 0x24, eflags::fixed);  // EFLAGS
        for (u32 i = 0; i < 8; ++i) poke<u32>(other + 0x28 + 4 * i, 0x1000 * (i + 1));
        set_segments(code0, data0);
    }
    void set_segments(u16 cs, u16 data) {
        for (u32 i = 0; i < 6; ++i) poke<u16>(other + 0x48 + 4 * i, i == 1 ? cs : data);
    }
    u8 type_byte(u16 selector) const { return peek<u8>(table_entry(selector) + 5); }
};

}  // namespace

TEST_CASE("tasks: a jump saves the old task, loads the new one and moves the busy bit") {
    WithTask32 m;
    m.state.reg(Reg::Ebx) = 0xB0B0B0B0;
    REQUIRE(far_jump(m.cpu, sel, 0, 4, 0x1007) == Fault::retired());
    CHECK(m.state.eip == 0x7000);
    CHECK(m.state.reg(Reg::Eax) == 0x1000);
    CHECK(m.state.reg(Reg::Esp) == 0x5000);
    CHECK(m.state.tr.selector == sel);
    CHECK(m.state.tr.base == other);
    CHECK(m.state.cr0 & cr0::ts);
    CHECK_FALSE(m.state.eflags & eflags::nt);
    CHECK(m.type_byte(sel) == access::tss32_busy);
    CHECK(m.type_byte(SystemFixture::tss_selector) == access::tss32);
    CHECK(m.peek<u32>(SystemFixture::tss + 0x20) == 0x1007);
    CHECK(m.peek<u32>(SystemFixture::tss + 0x34) == 0xB0B0B0B0);
    CHECK(m.peek<u16>(SystemFixture::tss + 0x4C) == SystemFixture::code0);
}

TEST_CASE("tasks: a call nests, and IRET with NT goes back along the link") {
    WithTask32 m;
    REQUIRE(far_call(m.cpu, sel, 0, 4, 0x1007) == Fault::retired());
    CHECK(m.state.eflags & eflags::nt);
    CHECK(m.peek<u16>(other) == SystemFixture::tss_selector);
    CHECK(m.type_byte(sel) == access::tss32_busy);
    CHECK(m.type_byte(SystemFixture::tss_selector) == access::tss32_busy);
    REQUIRE(m.execute({0xCF}) == Fault::retired());
    CHECK(m.state.eip == 0x1007);
    CHECK(m.state.tr.selector == SystemFixture::tss_selector);
    CHECK(m.state.reg(Reg::Esp) == SystemFixture::stack);
    CHECK(m.type_byte(sel) == access::tss32);
    CHECK_FALSE(m.peek<u32>(other + 0x24) & eflags::nt);
    CHECK(m.peek<u32>(other + 0x20) == 0x7001);
}

TEST_CASE("tasks: IRET with a link to a task that is not busy is #TS") {
    WithTask32 m;
    m.state.eflags |= eflags::nt;
    m.poke<u16>(SystemFixture::tss, sel);
    CHECK(m.execute({0xCF}) == ts(sel));
}

TEST_CASE("tasks: an interrupt through a task gate pushes its error code on the new stack") {
    WithTask32 m;
    m.interrupt_gate(vector::gp, sel, 0, access::task_gate);
    REQUIRE(deliver_exception(m.cpu, gp(0x78)) == Fault::retired());
    CHECK(m.state.eip == 0x7000);
    CHECK(m.state.reg(Reg::Esp) == 0x5000 - 4);
    CHECK(m.stack_word(0) == 0x78);
    CHECK(m.peek<u32>(SystemFixture::tss + 0x20) == SystemFixture::code_at);
}

TEST_CASE("tasks: 16-bit TSSs hold words and four segments") {
    SystemFixture m;
    m.describe(sel, other, 0x2B, access::tss16, 0);
    m.poke<u16>(other + 0x0E, 0x7000);
    m.poke<u16>(other + 0x10, 0x0002);
    for (u32 i = 0; i < 8; ++i) m.poke<u16>(other + 0x12 + 2 * i, static_cast<u16>(0x1000 * (i + 1)));
    m.poke<u16>(other + 0x24, SystemFixture::code0);
    for (u32 offset : {0x22, 0x26, 0x28}) m.poke<u16>(other + offset, SystemFixture::data0);
    REQUIRE(far_jump(m.cpu, sel, 0, 4, 0x1007) == Fault::retired());
    CHECK(m.state.eip == 0x7000);
    CHECK(m.state.reg(Reg::Ecx) == 0xFFFF2000);
    CHECK(m.state.segment(Seg::Ds).selector == SystemFixture::data0);
    CHECK(m.state.segment(Seg::Fs).access == 0);
    REQUIRE(far_jump(m.cpu, SystemFixture::tss_selector, 0, 4, 0x7002) == Fault::retired());
    CHECK(m.peek<u16>(other + 0x0E) == 0x7002);
    CHECK(m.peek<u16>(other + 0x28) == SystemFixture::data0);
}

TEST_CASE("tasks: a task may be V86") {
    WithTask32 m;
    m.poke<u32>(other + 0x24, eflags::fixed | eflags::vm);
    m.set_segments(0x1234, 0x2000);
    REQUIRE(far_jump(m.cpu, sel, 0, 4, 0x1007) == Fault::retired());
    CHECK(m.state.cpl == 3);
    CHECK(m.state.v86());
    CHECK(m.state.segment(Seg::Cs).base == 0x12340);
    CHECK(m.state.segment(Seg::Ss).base == 0x20000);
}

TEST_CASE("tasks: the T bit traps after the switch, on top of an error code") {
    WithTask32 m;
    m.poke<u16>(other + 0x64, 1);
    SECTION("jump") {
        CHECK(far_jump(m.cpu, sel, 0, 4, 0x1007) == Fault::exception(vector::db));
        CHECK(m.state.eip == 0x7000);
    }
    SECTION("gate") {
        m.interrupt_gate(vector::gp, sel, 0, access::task_gate);
        m.interrupt_gate(vector::db, SystemFixture::code0, 0x5001, access::interrupt_gate32);
        REQUIRE(deliver_exception(m.cpu, gp(0x78)) == Fault::retired());
        CHECK(m.state.eip == 0x5001);
        CHECK(m.stack_word(0) == 0x7000);
        CHECK(m.stack_word(3) == 0x78);
    }
    CHECK((m.state.debug_traps | m.state.dr[6]) & 1u << 15);  // on its way to DR6, or there
}

TEST_CASE("tasks: what stops a switch before it begins") {
    WithTask32 m;
    Fault expected;
    SECTION("busy") {
        m.describe(sel, other, 0x67, access::tss32_busy, 0);
        expected = gp(sel);
    }
    SECTION("absent") {
        m.describe(sel, other, 0x67, access::tss32 & access::absent, 0);
        expected = Fault::exception(vector::np, sel);
    }
    SECTION("too short") {
        m.describe(sel, other, 0x66, access::tss32, 0);
        expected = ts(sel);
    }
    SECTION("the old one is too short") {
        m.state.tr.limit = 0x60;
        expected = ts(SystemFixture::tss_selector);
    }
    CHECK(far_jump(m.cpu, sel, 0, 4, 0x1007) == expected);
    CHECK(m.state.eip == SystemFixture::code_at);
    CHECK(m.state.tr.selector == SystemFixture::tss_selector);
}

TEST_CASE("tasks: bad segments of the new task are its own faults") {
    WithTask32 m;
    Fault expected;
    SECTION("stack") {
        m.poke<u16>(other + 0x50, SystemFixture::data3);
        expected = ts(SystemFixture::data3 & ~3);
    }
    SECTION("code") {
        m.poke<u16>(other + 0x4C, SystemFixture::data0);
        expected = ts(SystemFixture::data0);
    }
    SECTION("data") {
        m.poke<u16>(other + 0x54, 0x100);
        expected = ts(0x100);
    }
    SECTION("LDT") {
        m.poke<u16>(other + 0x60, SystemFixture::data0);
        expected = ts(SystemFixture::data0);
    }
    CHECK(far_jump(m.cpu, sel, 0, 4, 0x1007) == expected);
    CHECK(m.state.eip == 0x7000);
    CHECK(m.state.tr.selector == sel);
}

TEST_CASE("tasks: an unmapped TSS faults in the old task, which stays as it was") {
    WithTask32 m;
    constexpr u32 directory = 0x10000, table = 0x11000;
    m.poke<u32>(directory, table | 7);
    for (u32 i = 0; i < 1024; ++i) m.poke<u32>(table + 4 * i, i << 12 | 7);
    m.state.cr3 = directory;
    m.state.cr0 |= cr0::pg;
    m.describe(sel, 0x400000, 0x67, access::tss32, 0);
    CHECK(far_jump(m.cpu, sel, 0, 4, 0x1007) == Fault::page(0x40001C, 0));
    CHECK(m.state.tr.selector == SystemFixture::tss_selector);
    CHECK(m.type_byte(SystemFixture::tss_selector) == access::tss32_busy);
}
