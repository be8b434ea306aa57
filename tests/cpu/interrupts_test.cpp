// Delivery of interrupts and exceptions, and IRET, in all modes (SDM 3A chapter 6).
#include <catch2/catch.hpp>

#include "cpu/interrupts.hpp"
#include "cpu/system_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

constexpr u16 sel = 0x40;
Fault gp(u16 error) { return Fault::exception(vector::gp, error); }

// Handlers of all vectors at 5000h + vector, through 32-bit interrupt gates of level 0.
struct WithHandlers : SystemFixture {
    WithHandlers() {
        for (u32 vec = 0; vec < 256; ++vec) handle(static_cast<u8>(vec), access::interrupt_gate32);
        state.eflags |= eflags::if_;
    }
    void handle(u8 vec, u16 access_byte, u16 selector = code0) {
        interrupt_gate(vec, selector, handler(vec), access_byte);
    }
    static u32 handler(u8 vec) { return 0x5000u + vec; }
    // The vector whose handler is about to run.
    int handled() const { return static_cast<int>(state.eip) - 0x5000; }
};

}  // namespace

TEST_CASE("interrupts: a fault at the same level pushes flags with RF, CS, EIP and its error code") {
    WithHandlers m;
    m.state.eflags |= eflags::tf | eflags::nt | eflags::cf;
    u32 flags = m.state.eflags;
    REQUIRE(deliver_exception(m.cpu, gp(0x1234)) == Fault::retired());
    CHECK(m.handled() == vector::gp);
    CHECK(m.state.reg(Reg::Esp) == SystemFixture::stack - 16);
    const u32 expected[] = {0x1234, SystemFixture::code_at, SystemFixture::code0, flags | eflags::rf};
    for (u32 i = 0; i < 4; ++i) CHECK(m.stack_word(i) == expected[i]);
    CHECK(m.state.eflags == (eflags::fixed | eflags::cf));
}

TEST_CASE("interrupts: trap gates leave IF alone, and an external interrupt has no error code nor RF") {
    WithHandlers m;
    m.handle(0x30, access::trap_gate32);
    m.state.activity = Activity::Halted;
    REQUIRE(deliver_external_interrupt(m.cpu, 0x30) == Fault::retired());
    CHECK(m.state.activity == Activity::Running);
    CHECK(m.state.eflags & eflags::if_);
    CHECK(m.state.reg(Reg::Esp) == SystemFixture::stack - 12);
    CHECK(m.stack_word(2) == (eflags::fixed | eflags::if_));
}

TEST_CASE("interrupts: 16-bit gates push words and use 16 bits of offset") {
    WithHandlers m;
    m.interrupt_gate(0x30, SystemFixture::code0, 0xABCD5030, access::interrupt_gate16);
    REQUIRE(deliver_external_interrupt(m.cpu, 0x30) == Fault::retired());
    CHECK(m.handled() == 0x30);
    CHECK(m.state.reg(Reg::Esp) == SystemFixture::stack - 6);
}

TEST_CASE("interrupts: from level 3 the stack comes from the TSS, and IRET goes back") {
    WithHandlers m;
    m.enter_level(3);
    REQUIRE(deliver_exception(m.cpu, Fault::page(0xCAFE0000, 7)) == Fault::retired());
    CHECK(m.handled() == vector::pf);
    CHECK(m.state.cr2 == 0xCAFE0000);
    CHECK(m.state.cpl == 0);
    CHECK(m.state.segment(Seg::Ss).selector == SystemFixture::data0);
    CHECK(m.state.reg(Reg::Esp) == SystemFixture::inner_stack - 24);
    const u32 expected[] = {7,
                            SystemFixture::code_at,
                            SystemFixture::code3,
                            eflags::fixed | eflags::if_ | eflags::rf,
                            SystemFixture::stack,
                            SystemFixture::data3};
    for (u32 i = 0; i < 6; ++i) CHECK(m.stack_word(i) == expected[i]);
    REQUIRE(*m.cpu.pop(4) == 7);
    REQUIRE(m.execute({0xCF}) == Fault::retired());
    CHECK(m.state.cpl == 3);
    CHECK(m.state.eip == SystemFixture::code_at);
    CHECK(m.state.reg(Reg::Esp) == SystemFixture::stack);
    CHECK(m.state.eflags == (eflags::fixed | eflags::if_));
}

TEST_CASE("interrupts: INT n needs a gate of its level, exceptions do not") {
    WithHandlers m;
    m.enter_level(3);
    CHECK(m.execute({0xCD, 0x30}) == gp(0x30 * 8 + 2));
    CHECK(m.execute({0xCC}) == gp(3 * 8 + 2));
    CHECK(m.state.eip == SystemFixture::code_at);
    CHECK(m.execute({0xF1}) == Fault::retired());  // INT1 is not checked
    CHECK(m.handled() == 1);
    m.enter_level(3);
    m.state.eip = SystemFixture::code_at;
    m.handle(0x30, access::interrupt_gate32 | access::dpl(3));
    CHECK(m.execute({0xCD, 0x30}) == Fault::retired());
    CHECK(m.stack_word(0) == SystemFixture::code_at + 2);
}

TEST_CASE("interrupts: INTO depends on OF") {
    WithHandlers m;
    CHECK(m.execute({0xCE}) == Fault::none());
    m.state.eflags |= eflags::of;
    CHECK(m.execute({0xCE}) == Fault::retired());
    CHECK(m.handled() == vector::of);
}

TEST_CASE("interrupts: what is wrong with a gate, as INT n tells it") {
    WithHandlers m;
    constexpr u8 vec = 0x30;
    constexpr u16 idt_error = vec * 8 + 2;
    auto result = [&] { return software_interrupt(m.cpu, vec, SoftwareInterrupt::IntN, 2); };
    SECTION("beyond the table") {
        m.state.idtr.limit = vec * 8 + 6;
        CHECK(result() == gp(idt_error));
    }
    SECTION("not a gate") {
        m.handle(vec, access::call_gate32);
        CHECK(result() == gp(idt_error));
    }
    SECTION("absent") {
        m.handle(vec, access::interrupt_gate32 & access::absent);
        CHECK(result() == Fault::exception(vector::np, idt_error));
    }
    SECTION("null code") {
        m.handle(vec, access::interrupt_gate32, 0);
        CHECK(result() == gp(0));
    }
    SECTION("code beyond its table") {
        m.handle(vec, access::interrupt_gate32, 0x100);
        CHECK(result() == gp(0x100));
    }
    SECTION("data") {
        m.handle(vec, access::interrupt_gate32, SystemFixture::data0);
        CHECK(result() == gp(SystemFixture::data0));
    }
    SECTION("code of an outer level") {
        m.handle(vec, access::interrupt_gate32, SystemFixture::code3);
        CHECK(result() == gp(SystemFixture::code3 & ~3));
    }
    SECTION("absent code") {
        m.describe(sel, 0, 0xFFFFF, access::code & access::absent, 0xC);
        m.handle(vec, access::interrupt_gate32, sel);
        CHECK(result() == Fault::exception(vector::np, sel));
    }
    SECTION("offset beyond its limit") {
        m.describe(sel, 0, 0xFFF, access::code, 0x4);
        m.handle(vec, access::interrupt_gate32, sel);
        CHECK(result() == gp(0));
    }
    SECTION("no room on the stack") {
        m.state.segment(Seg::Ss).limit = 0x100;
        CHECK(result() == Fault::exception(vector::ss, 0));
    }
    CHECK(m.state.reg(Reg::Esp) == SystemFixture::stack);
    CHECK(m.state.eip == SystemFixture::code_at);
}

TEST_CASE("interrupts: faults of the delivery of an external interrupt have EXT set") {
    WithHandlers m;
    m.handle(0x30, access::interrupt_gate32 & access::absent);
    REQUIRE(deliver_external_interrupt(m.cpu, 0x30) == Fault::retired());
    CHECK(m.handled() == vector::np);
    CHECK(m.stack_word(0) == 0x30 * 8 + 2 + 1);
}

TEST_CASE("interrupts: which second exception makes a double fault") {
    struct Row {
        u8 first;
        u8 second;  // the first one's gate is absent for #NP, has no code segment for #GP
        int handled;
    };
    auto row = GENERATE(values<Row>({
        {vector::ud, vector::np, vector::np},
        {vector::ud, vector::gp, vector::gp},
        {vector::de, vector::np, vector::df},
        {vector::gp, vector::gp, vector::df},
        {vector::ts, vector::np, vector::df},
        {vector::pf, vector::np, vector::df},
        {vector::ac, vector::gp, vector::gp},
    }));
    WithHandlers m;
    CAPTURE(int{row.first}, int{row.second});
    if (row.second == vector::np)
        m.handle(row.first, access::interrupt_gate32 & access::absent);
    else
        m.handle(row.first, access::call_gate32);
    REQUIRE(deliver_exception(m.cpu, Fault::exception(row.first)) == Fault::retired());
    CHECK(m.handled() == row.handled);
    u32 error = row.handled == vector::df ? 0 : row.first * 8u + 3;
    CHECK(m.stack_word(0) == error);
}

TEST_CASE("interrupts: page faults while delivering: benign, then double, with the last address in CR2") {
    WithHandlers m;
    // One page table maps the first 4 MiB but the page of the level-0 stack.
    constexpr u32 directory = 0x10000, table = 0x11000;
    m.poke<u32>(directory, table | 7);
    for (u32 i = 0; i < 1024; ++i) m.poke<u32>(table + 4 * i, i << 12 | 7);
    m.poke<u32>(table + 4 * (SystemFixture::inner_stack >> 12), 0);
    m.poke<u32>(table + 4 * ((SystemFixture::inner_stack - 4) >> 12), 0);
    m.state.cr3 = directory;
    m.state.cr0 |= cr0::pg;
    m.enter_level(3);
    SECTION("a task gate for #DF gets it") {
        constexpr u32 df_tss = 0x20000;
        m.describe(sel, df_tss, 0x67, access::tss32, 0);
        m.interrupt_gate(vector::df, sel, 0, access::task_gate);
        m.poke<u32>(df_tss + 0x1C, directory);
        m.poke<u32>(df_tss + 0x20, 0x7777);
        m.poke<u32>(df_tss + 0x38, 0x30000);
        m.poke<u16>(df_tss + 0x4C, SystemFixture::code0);
        m.poke<u16>(df_tss + 0x50, SystemFixture::data0);
        REQUIRE(deliver_exception(m.cpu, Fault::page(0x12345678, 4)) == Fault::retired());
        CHECK(m.state.eip == 0x7777);
        CHECK(m.state.reg(Reg::Esp) == 0x2FFFC);
        CHECK(m.stack_word(0) == 0);
        CHECK(m.peek<u32>(SystemFixture::tss + 0x20) == SystemFixture::code_at);
    }
    SECTION("without one the processor shuts down") {
        CHECK(deliver_exception(m.cpu, Fault::page(0x12345678, 4)) == Fault::shutdown());
        CHECK(m.state.activity == Activity::Shutdown);
    }
    CHECK(m.state.cr2 == SystemFixture::inner_stack - 4);
}

TEST_CASE("interrupts: an empty table is a triple fault") {
    SystemFixture m;
    m.state.idtr.limit = 0;
    CHECK(deliver_exception(m.cpu, Fault::exception(vector::ud)) == Fault::shutdown());
    CHECK(m.state.activity == Activity::Shutdown);
}

TEST_CASE("interrupts: alignment checks on a handler's stack of level 3 end in shutdown, not in a loop") {
    WithHandlers m;
    m.describe(sel, 0, 0xFFFFF, access::conforming, 0xC);
    for (u32 vec = 0; vec < 32; ++vec) m.handle(static_cast<u8>(vec), access::interrupt_gate32, sel);
    m.enter_level(3);
    m.state.cr0 |= cr0::am;
    m.state.eflags |= eflags::ac;
    m.state.reg(Reg::Esp) = 0x8001;
    CHECK(deliver_exception(m.cpu, Fault::exception(vector::ac)) == Fault::shutdown());
}

TEST_CASE("interrupts: real mode takes vectors from the table and has no error codes") {
    SystemFixture m;
    m.enter_real_mode();
    m.state.idtr = {0, 0x3FF};
    m.poke<u32>(vector::gp * 4, 0x20001234);
    m.state.eflags |= eflags::if_ | eflags::tf;
    REQUIRE(deliver_exception(m.cpu, gp(0)) == Fault::retired());
    CHECK(m.state.segment(Seg::Cs).base == 0x20000);
    CHECK(m.state.eip == 0x1234);
    CHECK(m.state.eflags == eflags::fixed);
    CHECK(m.state.reg(Reg::Esp) == SystemFixture::stack - 6);
    CHECK(m.peek<u16>(SystemFixture::stack - 6) == SystemFixture::code_at);
    CHECK(m.peek<u16>(SystemFixture::stack - 2) == (eflags::fixed | eflags::if_ | eflags::tf));
    REQUIRE(m.execute({0xCF}) == Fault::retired());
    CHECK(m.state.eip == SystemFixture::code_at);
    CHECK(m.state.eflags == (eflags::fixed | eflags::if_ | eflags::tf));
}

TEST_CASE("interrupts: a real-mode vector beyond the table's limit is a general protection, then a double fault") {
    SystemFixture m;
    m.enter_real_mode();
    m.state.idtr = {0, 8 * 4 + 3};
    m.poke<u32>(vector::df * 4, 0x1234);
    REQUIRE(deliver_exception(m.cpu, Fault::exception(vector::ss)) == Fault::retired());
    CHECK(m.state.eip == 0x1234);
}

TEST_CASE("interrupts: V86 leaves through level 0 with its segments on the stack, and IRET goes back to it") {
    WithHandlers m;
    m.enter_v86(3);
    m.state.segment(Seg::Gs).selector = 0x111;
    u32 flags = m.state.eflags;
    REQUIRE(m.execute({0xCD, 0x30}) == gp(0x30 * 8 + 2));  // the gate's level is 0
    m.handle(0x30, access::interrupt_gate32 | access::dpl(3));
    REQUIRE(m.execute({0xCD, 0x30}) == Fault::retired());
    CHECK(m.state.cpl == 0);
    CHECK_FALSE(m.state.v86());
    for (Seg s : {Seg::Es, Seg::Ds, Seg::Fs, Seg::Gs}) CHECK(m.state.segment(s).access == 0);
    const u32 expected[] = {2, 0x100, flags, SystemFixture::stack, 0x100, 0x100, 0x100, 0x100, 0x111};
    for (u32 i = 0; i < 9; ++i) CHECK(m.stack_word(i) == expected[i]);
    REQUIRE(m.execute({0xCF}) == Fault::retired());
    CHECK(m.state.eflags == flags);
    CHECK(m.state.cpl == 3);
    CHECK(m.state.eip == 2);
    CHECK(m.state.segment(Seg::Gs).base == 0x1110);
    CHECK(m.state.segment(Seg::Cs).limit == 0xFFFF);
    CHECK(m.state.reg(Reg::Esp) == SystemFixture::stack);
}

TEST_CASE("interrupts: V86 cannot leave to another level than 0") {
    WithHandlers m;
    u16 access_byte =
        GENERATE(as<u16>{}, access::conforming, access::code | access::dpl(3), access::code | access::dpl(1));
    m.describe(sel, 0, 0xFFFFF, access_byte, 0xC);
    m.handle(0x30, access::interrupt_gate32 | access::dpl(3), sel);
    m.enter_v86(3);
    CHECK(m.execute({0xCD, 0x30}) == gp(sel));
}

TEST_CASE("interrupts: in V86 with IOPL below 3, the sensitive instructions are #GP(0)") {
    WithHandlers m;
    m.handle(3, access::interrupt_gate32 | access::dpl(3));
    m.enter_v86(2);
    CHECK(m.execute({0xCD, 0x30}) == gp(0));
    CHECK(m.execute({0xCF}) == gp(0));
    CHECK(m.execute({0xFA}) == gp(0));
    CHECK(m.execute({0xFB}) == gp(0));
    CHECK(m.execute({0x9C}) == gp(0));
    CHECK(m.execute({0x9D}) == gp(0));
    CHECK(m.execute({0xF4}) == gp(0));
    CHECK(m.execute({0xCC}) == Fault::retired());  // INT3 is free
}

TEST_CASE("interrupts: V86 IRET keeps IOPL and VM") {
    WithHandlers m;
    m.enter_v86(3);
    REQUIRE(m.cpu.push(0, 2) == Fault::none());  // flags
    REQUIRE(m.cpu.push(0x200, 2) == Fault::none());
    REQUIRE(m.cpu.push(0x34, 2) == Fault::none());
    REQUIRE(m.execute({0xCF}) == Fault::retired());
    CHECK(m.state.eflags == (eflags::fixed | eflags::vm | eflags::iopl));
    CHECK(m.state.segment(Seg::Cs).base == 0x2000);
    CHECK(m.state.eip == 0x34);
}

TEST_CASE("interrupts: the flags that IRET may change depend on the level") {
    struct Row {
        u8 cpl, iopl;
        u32 changed;
    };
    constexpr u32 always = eflags::arithmetic | eflags::tf | eflags::df | eflags::nt | eflags::ac | eflags::id;
    auto row = GENERATE(values<Row>({
        {0, 0, always | eflags::if_ | eflags::iopl},
        {3, 0, always},
        {3, 3, always | eflags::if_},
    }));
    WithHandlers m;
    m.enter_level(row.cpl);
    m.state.eflags = eflags::fixed | static_cast<u32>(row.iopl) << eflags::iopl_shift;
    u32 before = m.state.eflags;
    u16 cs = m.state.segment(Seg::Cs).selector;
    for (u32 value : {0xFFFFFFFFu & ~eflags::vm, u32{cs}, 0x6000u}) REQUIRE(m.cpu.push(value, 4) == Fault::none());
    REQUIRE(m.execute({0xCF}) == Fault::retired());
    CHECK(m.state.eip == 0x6000);
    CHECK(m.state.eflags == (before | row.changed));
}

TEST_CASE("interrupts: RF is taken back from an image only while a breakpoint is enabled") {
    WithHandlers m;
    u64 enabled = GENERATE(as<u64>{}, 0, 1);
    m.state.dr[7] = 0x400 | enabled;
    for (u32 value : {eflags::fixed | eflags::rf, u32{SystemFixture::code0}, 0x6000u})
        REQUIRE(m.cpu.push(value, 4) == Fault::none());
    REQUIRE(m.execute({0xCF}) == Fault::retired());
    CHECK((m.state.eflags & eflags::rf) == (enabled ? eflags::rf : 0));
}

TEST_CASE("interrupts: an NMI blocks further ones until IRET") {
    WithHandlers m;
    REQUIRE(deliver_nmi(m.cpu) == Fault::retired());
    CHECK(m.handled() == 2);
    CHECK(m.state.nmi_blocked);
    REQUIRE(m.execute({0xCF}) == Fault::retired());
    CHECK_FALSE(m.state.nmi_blocked);
}

TEST_CASE("interrupts: IRET that faults leaves the registers as they were") {
    WithHandlers m;
    for (u32 value : {0x3002u, 0x100u, 0x6000u}) REQUIRE(m.cpu.push(value, 4) == Fault::none());
    CpuState before = m.state;
    CHECK(m.execute({0xCF}) == gp(0x100));
    CHECK(m.state.eflags == before.eflags);
    CHECK(m.state.reg(Reg::Esp) == before.reg(Reg::Esp));
    CHECK(m.state.segment(Seg::Cs).selector == before.segment(Seg::Cs).selector);
}

TEST_CASE("interrupts: STI shadows the next instruction only when IF was clear, and arms a waiting interrupt") {
    SystemFixture m;
    m.cpu.attention.raise(Attention::Interrupt);
    m.cpu.attention.disarm();
    REQUIRE(m.execute({0xFB}) == Fault::none());
    CHECK(m.state.shadow == Shadow::Sti);
    CHECK(m.cpu.attention.raised());
    m.state.shadow = Shadow::None;
    REQUIRE(m.execute({0xFB}) == Fault::none());
    CHECK(m.state.shadow == Shadow::None);
}

TEST_CASE("interrupts: POPF at level 3 silently keeps IF and IOPL, at level 0 sets both") {
    SystemFixture m;
    u8 level = GENERATE(as<u8>{}, 0, 3);
    m.enter_level(level);
    REQUIRE(m.cpu.push(0xFFFFFFFF, 4) == Fault::none());
    REQUIRE(m.execute({0x9D}) == Fault::none());
    CHECK((m.state.eflags & (eflags::if_ | eflags::iopl)) == (level ? 0 : eflags::if_ | eflags::iopl));
    constexpr u32 reserved = 3u << 19;  // VIF and VIP, where there is VME
    CHECK_FALSE(m.state.eflags & (eflags::vm | eflags::rf | reserved));
    CHECK(m.state.eflags & eflags::ac);
}

TEST_CASE("interrupts: HLT, CLI and STI respect the level") {
    SystemFixture m;
    CHECK(m.execute({0xF4}) == Fault::halt());
    m.enter_level(3);
    CHECK(m.execute({0xF4}) == gp(0));
    CHECK(m.execute({0xFA}) == gp(0));
    m.state.eflags |= eflags::iopl;
    CHECK(m.execute({0xFB}) == Fault::none());
    CHECK(m.execute({0xFA}) == Fault::none());
}

TEST_CASE("interrupts: SYSENTER and SYSEXIT change levels with flat segments") {
    SystemFixture m;
    m.enter_level(3);
    CHECK(m.execute({0x0F, 0x34}) == gp(0));
    m.state.sysenter_cs = 0x60;
    m.state.sysenter_esp = 0x7000;
    m.state.sysenter_eip = 0xC0000000;
    m.state.eflags |= eflags::if_;
    REQUIRE(m.execute({0x0F, 0x34}) == Fault::retired());
    CHECK(m.state.cpl == 0);
    CHECK(m.state.eip == 0xC0000000);
    CHECK(m.state.reg(Reg::Esp) == 0x7000);
    CHECK(m.state.segment(Seg::Cs).selector == 0x60);
    CHECK(m.state.segment(Seg::Ss).selector == 0x68);
    CHECK_FALSE(m.state.eflags & eflags::if_);
    m.state.reg(Reg::Ecx) = 0x1111;
    m.state.reg(Reg::Edx) = 0x2222;
    REQUIRE(m.execute({0x0F, 0x35}) == Fault::retired());
    CHECK(m.state.cpl == 3);
    CHECK(m.state.segment(Seg::Cs).selector == 0x73);
    CHECK(m.state.segment(Seg::Ss).selector == 0x7B);
    CHECK(m.state.segment(Seg::Ss).flat());
    CHECK(m.state.eip == 0x2222);
    CHECK(m.state.reg(Reg::Esp) == 0x1111);
    CHECK(m.execute({0x0F, 0x35}) == gp(0));
}
