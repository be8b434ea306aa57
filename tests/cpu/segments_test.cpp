// Loads of segment registers and questions about descriptors (SDM 3A chapter 5).
#include <catch2/catch.hpp>

#include "cpu/segments.hpp"
#include "cpu/system_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

constexpr u16 sel = 0x40;  // a free entry of the table

Fault gp(u16 error) { return Fault::exception(vector::gp, error); }
Fault np(u16 error) { return Fault::exception(vector::np, error); }
Fault ss(u16 error) { return Fault::exception(vector::ss, error); }

struct LoadRow {
    u16 access;
    u8 cpl, rpl;
    Fault expected;
};

}  // namespace

TEST_CASE("segments: what DS may be loaded with") {
    auto row = GENERATE(values<LoadRow>({
        {access::data, 0, 0, Fault::none()},
        {access::data, 0, 3, gp(sel)},
        {access::data, 3, 3, gp(sel)},
        {access::data | access::dpl(3), 3, 3, Fault::none()},
        {access::data | access::dpl(3), 0, 3, Fault::none()},
        {access::data_read_only | access::dpl(3), 3, 3, Fault::none()},
        {access::code | access::dpl(3), 3, 3, Fault::none()},
        {access::code, 3, 3, gp(sel)},
        {access::conforming, 3, 3, Fault::none()},
        {access::code_execute_only, 0, 0, gp(sel)},
        {access::tss32, 0, 0, gp(sel)},
        {access::data & access::absent, 0, 0, np(sel)},
    }));
    SystemFixture m;
    m.describe(sel, 0x123000, 0xFFF, row.access, 4);
    m.enter_level(row.cpl);
    auto selector = static_cast<u16>(sel | row.rpl);
    u16 before = m.state.segment(Seg::Ds).selector;
    CAPTURE(row.access, row.cpl, row.rpl);
    CHECK(load_segment(m.cpu, Seg::Ds, selector) == row.expected);
    CHECK(m.state.segment(Seg::Ds).selector == (row.expected ? before : selector));
}

TEST_CASE("segments: what SS may be loaded with") {
    auto row = GENERATE(values<LoadRow>({
        {access::data, 0, 0, Fault::none()},
        {access::data, 0, 1, gp(sel)},
        {access::data | access::dpl(3), 0, 0, gp(sel)},
        {access::data | access::dpl(3), 3, 3, Fault::none()},
        {access::data_read_only, 0, 0, gp(sel)},
        {access::code, 0, 0, gp(sel)},
        {access::data & access::absent, 0, 0, ss(sel)},
    }));
    SystemFixture m;
    m.describe(sel, 0x123000, 0xFFF, row.access, 4);
    m.enter_level(row.cpl);
    CAPTURE(row.access, row.cpl, row.rpl);
    CHECK(load_segment(m.cpu, Seg::Ss, static_cast<u16>(sel | row.rpl)) == row.expected);
}

TEST_CASE("segments: the hidden part comes from the descriptor, and the accessed bit is set in the table") {
    SystemFixture m;
    m.describe(sel, 0x12345678, 0xABCDE, access::not_accessed_data, 0xC);
    REQUIRE(load_segment(m.cpu, Seg::Es, sel) == Fault::none());
    const Segment& es = m.state.segment(Seg::Es);
    CHECK(es.base == 0x12345678);
    CHECK(es.limit == 0xABCDEFFF);
    CHECK(es.access == 0xC093);
    CHECK(m.peek<u8>(SystemFixture::table_entry(sel) + 5) == access::data);
}

TEST_CASE("segments: null selectors load everywhere but into SS, and then nothing can be read") {
    SystemFixture m;
    CHECK(load_segment(m.cpu, Seg::Ss, 0) == gp(0));
    CHECK(load_segment(m.cpu, Seg::Fs, 3) == Fault::none());
    CHECK(m.state.segment(Seg::Fs).selector == 3);
    CHECK(m.cpu.read<u8>(Seg::Fs, 0).fault() == gp(0));
}

TEST_CASE("segments: selectors beyond their table fault, and an unloaded LDT has no entries") {
    SystemFixture m;
    CHECK(load_segment(m.cpu, Seg::Ds, 0x100) == gp(0x100));
    CHECK(load_segment(m.cpu, Seg::Ds, 0x0C) == gp(0x0C));
    m.state.ldtr = {0x48, access::ldt, 0x0F, SystemFixture::ldt};
    m.describe(0x0C, 0x5000, 0xFF, access::data, 4);
    CHECK(load_segment(m.cpu, Seg::Ds, 0x0C) == Fault::none());
    CHECK(m.state.segment(Seg::Ds).base == 0x5000);
}

TEST_CASE("segments: real mode sets bases only and keeps limits, V86 fixes both") {
    SystemFixture m;
    m.enter_real_mode();
    m.state.segment(Seg::Ds).limit = 0xFFFFFFFF;
    REQUIRE(load_segment(m.cpu, Seg::Ds, 0x1234) == Fault::none());
    CHECK(m.state.segment(Seg::Ds).base == 0x12340);
    CHECK(m.state.segment(Seg::Ds).limit == 0xFFFFFFFF);
    m.enter_level(0);
    m.enter_v86(0);
    m.state.segment(Seg::Ds).limit = 0xFFFFFFFF;
    REQUIRE(load_segment(m.cpu, Seg::Ds, 0x1234) == Fault::none());
    CHECK(m.state.segment(Seg::Ds).limit == 0xFFFF);
}

TEST_CASE("segments: MOV SS and POP SS hold interrupts off, MOV DS does not") {
    SystemFixture m;
    m.cpu.set32(0, SystemFixture::data0);
    SECTION("mov ss, ax") {
        REQUIRE(m.execute({0x8E, 0xD0}) == Fault::none());
        CHECK(m.state.shadow == Shadow::MovSs);
    }
    SECTION("pop ss") {
        REQUIRE(m.cpu.push(SystemFixture::data0, 4) == Fault::none());
        REQUIRE(m.execute({0x17}) == Fault::none());
        CHECK(m.state.shadow == Shadow::MovSs);
        CHECK(m.state.reg(Reg::Esp) == SystemFixture::stack);
    }
    SECTION("mov ds, ax") {
        REQUIRE(m.execute({0x8E, 0xD8}) == Fault::none());
        CHECK(m.state.shadow == Shadow::None);
    }
}

TEST_CASE("segments: a segment register in a 32-bit register is zero-extended, in memory it is a word") {
    SystemFixture m;
    m.state.reg(Reg::Eax) = 0xFFFFFFFF;
    REQUIRE(m.execute({0x8C, 0xD8}) == Fault::none());  // mov eax, ds
    CHECK(m.state.reg(Reg::Eax) == SystemFixture::data0);
    m.poke<u32>(0x5000, 0xFFFFFFFF);
    REQUIRE(m.execute({0x8C, 0x1D, 0x00, 0x50, 0, 0}) == Fault::none());  // mov [5000h], ds
    CHECK(m.peek<u32>(0x5000) == (0xFFFF0000 | SystemFixture::data0));
}

TEST_CASE("segments: a PUSH of a segment moves the stack by four and writes two bytes") {
    SystemFixture m;
    m.poke<u32>(SystemFixture::stack - 4, 0xAAAAAAAA);
    REQUIRE(m.execute({0x1E}) == Fault::none());  // push ds
    CHECK(m.state.reg(Reg::Esp) == SystemFixture::stack - 4);
    CHECK(m.stack_word(0) == (0xAAAA0000 | SystemFixture::data0));
}

TEST_CASE("segments: a fault of LDS leaves both the segment and the register alone") {
    SystemFixture m;
    m.poke<u32>(0x5000, 0x11111111);
    m.poke<u16>(0x5004, 0x100);
    m.state.reg(Reg::Ebx) = 7;
    CHECK(m.execute({0xC5, 0x1D, 0x00, 0x50, 0, 0}) == gp(0x100));  // lds ebx, [5000h]
    CHECK(m.state.reg(Reg::Ebx) == 7);
    m.poke<u16>(0x5004, SystemFixture::data3);
    CHECK(m.execute({0xC5, 0x1D, 0x00, 0x50, 0, 0}) == Fault::none());
    CHECK(m.state.reg(Reg::Ebx) == 0x11111111);
    CHECK(m.state.segment(Seg::Ds).selector == SystemFixture::data3);
}

TEST_CASE("segments: LTR marks the TSS busy and refuses a busy one, LLDT wants an LDT") {
    SystemFixture m;
    m.describe(sel, 0x6000, 0x67, access::tss32, 0);
    m.state.reg(Reg::Eax) = sel;
    CHECK(m.execute({0x0F, 0x00, 0xD8}) == Fault::none());  // ltr ax
    CHECK(m.peek<u8>(SystemFixture::table_entry(sel) + 5) == access::tss32_busy);
    CHECK(m.execute({0x0F, 0x00, 0xD8}) == gp(sel));
    CHECK(m.execute({0x0F, 0x00, 0xD0}) == gp(sel));  // lldt ax
    m.describe(sel, 0x6000, 0x67, access::ldt & access::absent, 0);
    CHECK(m.execute({0x0F, 0x00, 0xD0}) == np(sel));
    m.enter_level(3);
    CHECK(m.execute({0x0F, 0x00, 0xD0}) == gp(0));
    m.enter_real_mode();
    CHECK(m.execute({0x0F, 0x00, 0xD0}) == Fault::exception(vector::ud));
}

TEST_CASE("segments: LAR, LSL, VERR and VERW answer in ZF") {
    struct Row {
        u16 access;
        u8 cpl;
        bool rights, limit, readable, writable;
    };
    auto row = GENERATE(values<Row>({
        {access::data, 0, true, true, true, true},
        {access::data, 3, false, false, false, false},
        {access::data_read_only | access::dpl(3), 3, true, true, true, false},
        {access::code_execute_only, 0, true, true, false, false},
        {access::conforming, 3, true, true, true, false},
        {access::tss32, 0, true, true, false, false},
        {access::call_gate32, 0, true, false, false, false},
        {access::task_gate, 0, true, false, false, false},
        {access::interrupt_gate32, 0, false, false, false, false},
    }));
    SystemFixture m;
    m.describe(sel, 0, 0x12345, row.access, 0x8);
    m.enter_level(row.cpl);
    m.state.reg(Reg::Ecx) = static_cast<u16>(sel | row.cpl);
    auto zf = [&] { return (m.state.eflags & eflags::zf) != 0; };
    CAPTURE(row.access, row.cpl);
    m.state.reg(Reg::Eax) = 0x77777777;
    REQUIRE(m.execute({0x0F, 0x02, 0xC1}) == Fault::none());  // lar eax, ecx
    CHECK(zf() == row.rights);
    CHECK(m.state.reg(Reg::Eax) == (row.rights ? 0x00810000u | u32{row.access} << 8 : 0x77777777u));
    m.state.reg(Reg::Eax) = 0x77777777;
    REQUIRE(m.execute({0x0F, 0x03, 0xC1}) == Fault::none());  // lsl eax, ecx
    CHECK(zf() == row.limit);
    CHECK(m.state.reg(Reg::Eax) == (row.limit ? 0x12345FFFu : 0x77777777u));
    REQUIRE(m.execute({0x0F, 0x00, 0xE1}) == Fault::none());  // verr cx
    CHECK(zf() == row.readable);
    REQUIRE(m.execute({0x0F, 0x00, 0xE9}) == Fault::none());  // verw cx
    CHECK(zf() == row.writable);
}

TEST_CASE("segments: ARPL raises the RPL and tells in ZF") {
    SystemFixture m;
    m.state.reg(Reg::Eax) = 0x18;
    m.state.reg(Reg::Ebx) = 3;
    REQUIRE(m.execute({0x63, 0xD8}) == Fault::none());  // arpl ax, bx
    CHECK(m.state.reg(Reg::Eax) == 0x1B);
    CHECK(m.state.eflags & eflags::zf);
    REQUIRE(m.execute({0x63, 0xD8}) == Fault::none());
    CHECK_FALSE(m.state.eflags & eflags::zf);
}
