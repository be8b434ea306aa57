// The guest's debug registers on both engines (SDM 3B chapter 17): data, port and instruction breakpoints.
#include "jit/debug_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

constexpr u32 code = DebugPair::code, data = DebugPair::data, stack = DebugPair::stack;
constexpr u8 cli = 0xFA, inc_ecx = 0x41, nop = 0x90;
constexpr u32 write1 = dr7_global(0, dr7_data_write, 1), write2 = dr7_global(0, dr7_data_write, 2),
              write4 = dr7_global(0, dr7_data_write, 4), access1 = dr7_global(0, dr7_data_access, 1),
              access4 = dr7_global(0, dr7_data_access, 4);

// How often #DB comes, with breakpoint 0 there.
std::size_t hits(u32 address, u32 dr7, const Bytes& bytes) {
    DebugPair pair;
    pair.set_breakpoint(0, address, dr7);
    return pair.run(bytes).size();
}

// MOV SS, [data] with a selector that may be loaded.
struct StackLoadPair : DebugPair {
    StackLoadPair() {
        both([](FlatMachine& m) { m.poke_value<u16>(data, 16); });
    }
    const Bytes load_ss = with_address({0x8E, 0x15}, data);  // six bytes
};

}  // namespace

TEST_CASE("debug registers: a data breakpoint traps behind the instruction") {
    DebugPair pair;
    pair.set_breakpoint(0, data, write4);
    CHECK(pair.run(store32(data) + Bytes{inc_ecx}) == Diary{{code + 5, b0, eflags::fixed}});
    CHECK(pair.interp.reg(Reg::Ecx) == 1);
    CHECK(pair.interp.state.activity == Activity::Halted);
}

TEST_CASE("debug registers: any byte of the range counts, whatever the access") {
    CHECK(hits(data + 4, write4, store8(data + 3)) == 0);
    CHECK(hits(data + 4, write4, store8(data + 4)) == 1);
    CHECK(hits(data + 4, write4, store8(data + 7)) == 1);
    CHECK(hits(data + 4, write4, store8(data + 8)) == 0);
    CHECK(hits(data + 4, write1, store32(data + 1)) == 1);
    CHECK(hits(data + 4, write1, store32(data + 5)) == 0);
    CHECK(hits(data + 4, write1, store32(data)) == 0);
    CHECK(hits(data + 4, write2, store32(data + 2)) == 1);
    CHECK(hits(data + 4, write2, store16(data + 5)) == 1);
    CHECK(hits(data + 4, write2, store16(data + 6)) == 0);
}

TEST_CASE("debug registers: address bits below the length are not looked at") {
    CHECK(hits(data + 6, write4, store8(data + 4)) == 1);
    CHECK(hits(data + 6, write4, store8(data + 8)) == 0);
    CHECK(hits(data + 5, write2, store8(data + 4)) == 1);
    CHECK(hits(data + 5, write2, store8(data + 6)) == 0);
}

TEST_CASE("debug registers: LEN 10 is eight bytes") {
    constexpr u32 write8 = 2 | dr7_data_write << 16 | 2 << 18;
    CHECK(hits(data + 8, write8, store8(data + 15)) == 1);
    CHECK(hits(data + 8, write8, store8(data + 16)) == 0);
    CHECK(hits(data + 8, write8, store8(data + 7)) == 0);
}

TEST_CASE("debug registers: loads count for R/W 11 only, stores for both") {
    CHECK(hits(data, write4, load32(data)) == 0);
    CHECK(hits(data, access4, load32(data)) == 1);
    CHECK(hits(data, access4, store32(data)) == 1);
    CHECK(hits(data, access1, load8(data)) == 1);
    CHECK(hits(data, access1, {0x8D, 0x05, 0, 0, 1, 0}) == 0);  // lea eax, [data]
}

TEST_CASE("debug registers: an access over a page end is seen on both pages") {
    CHECK(hits(data + 0x1000, write1, store32(data + 0xFFD)) == 1);
    CHECK(hits(data + 0xFFF, write1, store32(data + 0xFFF)) == 1);
    CHECK(hits(data + 0x1003, write1, store32(data + 0xFFF)) == 0);
}

TEST_CASE("debug registers: L or G enables, and neither LE nor GE is needed") {
    CHECK(hits(data, (write4 & ~0xFFu) | 1, store32(data)) == 1);
    CHECK(hits(data, (write4 & ~0xFFu) | 2, store32(data)) == 1);
    CHECK(hits(data, write4 & ~0xFFu, store32(data)) == 0);
    CHECK(hits(data, (write4 & ~0xFFu) | 0x300, store32(data)) == 0);
}

TEST_CASE("debug registers: breakpoints are linear addresses") {
    DebugPair pair;
    pair.set_breakpoint(0, data, write4);
    pair.both([](FlatMachine& m) { m.state.segment(Seg::Fs).base = data - 0x100; });
    const Bytes fs = {0x64};
    CHECK(pair.run(fs + store32(0x100) + fs + store32(data)).size() == 1);
}

TEST_CASE("debug registers: all kinds of instructions are seen") {
    const Bytes ebx_is_data = with_address({0xBB}, data);
    for (const Bytes& bytes : {
             Bytes{0x87, 0x03},                          // xchg [ebx], eax
             Bytes{0xF0, 0xFF, 0x03},                    // lock inc dword [ebx]
             Bytes{0x0F, 0xB1, 0x03},                    // cmpxchg [ebx], eax
             Bytes{0xF0, 0x0F, 0xC7, 0x0B},              // lock cmpxchg8b [ebx]
             Bytes{0x0F, 0xAB, 0x03},                    // bts [ebx], eax
             Bytes{0x8F, 0x03},                          // pop [ebx]
             Bytes{0x89, 0xDC, 0x44, 0x50},              // mov esp, ebx; inc esp; push eax
             Bytes{0x8D, 0x63, 0x20, 0x60},              // lea esp, [ebx+32]; pusha
             Bytes{0x8D, 0x63, 0x04, 0xC8, 0, 0, 0},     // lea esp, [ebx+4]; enter 0, 0
             Bytes{0x8C, 0x1B},                          // mov [ebx], ds
             Bytes{0x0F, 0x01, 0x03},                    // sgdt [ebx]
             Bytes{0xDB, 0xE3, 0xD9, 0x3B},              // fninit; fnstcw [ebx]
             Bytes{0xDB, 0xE3, 0xD9, 0xE8, 0xDD, 0x1B},  // fninit; fld1; fstp qword [ebx]
             Bytes{0xDD, 0x33},                          // fnsave [ebx]
             Bytes{0x0F, 0xAE, 0x03},                    // fxsave [ebx]
             Bytes{0x89, 0xDF, 0xAA},                    // mov edi, ebx; stosb
         }) {
        INFO(bytes.size() << " bytes, the first " << int{bytes[0]} << " " << int{bytes[1]});
        DebugPair pair;
        pair.set_breakpoint(0, data, write1);
        Diary diary = pair.places(ebx_is_data + bytes);
        CHECK(diary == Diary{{code + 5 + static_cast<u32>(bytes.size()), b0, 0}});
    }
}

TEST_CASE("debug registers: a call that pushes into the range traps at its target") {
    DebugPair pair;
    pair.set_breakpoint(0, stack - 4, write4);
    CHECK(pair.places({0xE8, 1, 0, 0, 0, nop, inc_ecx}) == Diary{{code + 6, b0, 0}});  // call over the nop
}

TEST_CASE("debug registers: all breakpoints that are met stand in DR6, and bits of earlier ones go") {
    DebugPair pair;
    pair.set_breakpoint(0, data, write4);
    pair.set_breakpoint(1, data + 2, dr7_global(1, dr7_data_access, 2));
    pair.set_breakpoint(2, data + 8, dr7_global(2, dr7_data_write, 4));
    pair.set_breakpoint(3, data, 3u << 28 | 1u << 30);  // not enabled
    pair.both([](FlatMachine& m) { m.state.dr[6] |= 4 | dr6::single_step; });
    CHECK(pair.places(store32(data)) == Diary{{code + 5, dr6::fixed | dr6::single_step | 3, 0}});
}

TEST_CASE("debug registers: one instruction that reads one range and writes another reports both") {
    DebugPair pair;
    pair.set_breakpoint(0, data, access4);
    pair.set_breakpoint(1, data + 0x2000, dr7_global(1, dr7_data_write, 4));
    pair.set_reg(Reg::Esi, data);
    pair.set_reg(Reg::Edi, data + 0x2000);
    CHECK(pair.places({0xA5}) == Diary{{code + 1, dr6::fixed | 3, 0}});  // movsd
}

TEST_CASE("debug registers: what a faulting instruction touched is not reported") {
    DebugPair pair;
    pair.set_breakpoint(0, data, access4);
    pair.both([](FlatMachine& m) { m.state.segment(Seg::Es).limit = 0xFFF; });
    pair.set_reg(Reg::Esi, data);
    pair.set_reg(Reg::Edi, 0x1000);
    CHECK(pair.run({0xA5}).empty());  // movsd
    CHECK(pair.interp.halted_by() == vector::gp);
    CHECK(pair.interp.state.debug_traps == 0);
    CHECK(pair.interp.state.dr[6] == dr6::fixed);
}

TEST_CASE("debug registers: in a REP the trap comes behind the iteration, with RF in the image until the last") {
    DebugPair pair;
    pair.set_breakpoint(0, data + 8, dr7_global(0, dr7_data_write, 4));
    pair.set_breakpoint(1, data + 0x13FC, dr7_global(1, dr7_data_write, 4));
    pair.set_reg(Reg::Edi, data);
    pair.set_reg(Reg::Ecx, 0x500);
    CHECK(pair.run({0xF3, 0xAB}) ==  // rep stosd
          Diary{{code, b0, eflags::fixed | eflags::rf}, {code + 2, b1, eflags::fixed}});
    CHECK(pair.interp.reg(Reg::Edi) == data + 0x1400);
    CHECK(pair.interp.reg(Reg::Ecx) == 0);
}

TEST_CASE("debug registers: a trap in a REP finds ECX as the iterations left it") {
    DebugPair pair;
    pair.set_breakpoint(0, data + 8, write4);
    pair.both([](FlatMachine& m) { m.poke(DebugPair::handler, {0xF4}); });
    pair.set_reg(Reg::Esi, data + 0x100);
    pair.set_reg(Reg::Edi, data);
    pair.set_reg(Reg::Ecx, 10);
    pair.run({0xF3, 0xA5});
    CHECK(pair.interp.reg(Reg::Ecx) == 7);
    CHECK(pair.interp.reg(Reg::Edi) == data + 12);
    CHECK(pair.interp.state.dr[6] == b0);
}

TEST_CASE("debug registers: what the delivery of an interrupt pushes traps at the handler") {
    DebugPair pair;
    pair.set_breakpoint(0, stack - 12, write4);
    CHECK(pair.places({0xCD, 0x40}) == Diary{{FlatMachine::handlers_at + 0x40, b0, 0}});
    CHECK(pair.interp.halted_by() == 0x40);
    pair.set_reg(Reg::Esp, stack);
    CHECK(pair.places({0x0F, 0x0B}) == Diary{{FlatMachine::handlers_at + vector::ud, b0, 0}});
}

TEST_CASE("debug registers: the trap comes before an NMI that waits") {
    DebugPair pair;
    pair.set_breakpoint(0, data, write4);
    pair.both([](FlatMachine& m) {
        m.poke(FlatMachine::handlers_at + vector::nmi, {0xCF});
        m.outside.on_read_port = [&m](u16, u8) { return m.cpu.attention.raise(Attention::Nmi), 0u; };
        m.set_reg(Reg::Edi, data);
    });
    CHECK(pair.places({0x6D, inc_ecx}) == Diary{{code + 1, b0, 0}});  // insd
    CHECK(pair.interp.reg(Reg::Ecx) == 1);
}

// --- ports

TEST_CASE("debug registers: port breakpoints trap behind IN, OUT, INS and OUTS") {
    constexpr u32 port2 = dr7_global(0, dr7_port, 2);
    CHECK(hits(0x60, port2, {0xE4, 0x60}) == 1);  // in al, 60h
    CHECK(hits(0x60, port2, {0xE6, 0x61}) == 1);  // out 61h, al
    CHECK(hits(0x60, port2, {0xE6, 0x62}) == 0);
    CHECK(hits(0x60, port2, {0xE7, 0x5E}) == 1);  // out 5Eh, eax
    CHECK(hits(0x61, port2, {0xE6, 0x60}) == 1);  // bit 0 is not looked at
    CHECK(hits(0x60, port2, store8(0x60)) == 0);
    CHECK(hits(0x60, dr7_global(0, dr7_data_access, 2), {0xE6, 0x60}) == 0);
}

TEST_CASE("debug registers: port breakpoints need CR4.DE") {
    DebugPair pair;
    pair.set_breakpoint(0, 0x60, dr7_global(0, dr7_port, 1));
    pair.both([](FlatMachine& m) { m.state.cr4 &= ~cr4::de; });
    CHECK(pair.run({0xE6, 0x60}).empty());
}

TEST_CASE("debug registers: a port breakpoint ends each iteration of REP OUTS") {
    DebugPair pair;
    pair.set_breakpoint(0, 0x60, dr7_global(0, dr7_port, 1));
    pair.set_reg(Reg::Edx, 0x60);
    pair.set_reg(Reg::Esi, data);
    pair.set_reg(Reg::Ecx, 3);
    CHECK(pair.places({0xF3, 0x6E}) == Diary{{code, b0, 0}, {code, b0, 0}, {code + 2, b0, 0}});
    CHECK(pair.interp.outside.port_writes.size() == 3);
}

// --- instructions

TEST_CASE("debug registers: an instruction breakpoint is a fault, and saves RF as it was") {
    DebugPair pair;
    pair.resume_with_rf();
    pair.set_breakpoint(0, code + 1, dr7_global(0, 0, 1));
    CHECK(pair.run({nop, inc_ecx, inc_ecx}) == Diary{{code + 1, b0, eflags::fixed}});
    CHECK(pair.interp.reg(Reg::Ecx) == 2);
    CHECK(!(pair.interp.state.eflags & eflags::rf));
}

TEST_CASE("debug registers: without RF an instruction breakpoint is met again and again") {
    DebugPair pair;
    pair.set_breakpoint(0, code, dr7_global(0, 0, 1));
    pair.both([](FlatMachine& m) {
        m.poke(DebugPair::handler, {0x42, 0x83, 0xFA, 0x03, 0x74, 0x01, 0xCF, 0xF4});  // inc edx; 3 times, then hlt
    });
    pair.run({inc_ecx});
    CHECK(pair.interp.reg(Reg::Edx) == 3);
    CHECK(pair.interp.reg(Reg::Ecx) == 0);
}

TEST_CASE("debug registers: an instruction breakpoint names the first byte, prefixes included") {
    DebugPair pair;
    pair.resume_with_rf();
    pair.set_breakpoint(0, code + 1, dr7_global(0, 0, 1));
    CHECK(pair.run({0x3E, 0x89, 0x0D, 0, 0, 1, 0}).empty());  // mov ds:[data], ecx
    pair.set_breakpoint(0, code, 0);
    CHECK(pair.run({0x3E, 0x89, 0x0D, 0, 0, 1, 0}).size() == 1);
}

TEST_CASE("debug registers: an instruction breakpoint comes before the faults of fetching and decoding") {
    DebugPair pair;
    pair.resume_with_rf();
    pair.set_breakpoint(0, code, dr7_global(0, 0, 1));
    CHECK(pair.places({0x0F, 0x0B}) == Diary{{code, b0, 0}});
    CHECK(pair.interp.halted_by() == vector::ud);
    CHECK(pair.interp.peek<u32>(stack - 4) == (eflags::fixed | eflags::rf));
}

TEST_CASE("debug registers: an instruction breakpoint on a REP is met once") {
    DebugPair pair;
    pair.resume_with_rf();
    pair.set_breakpoint(0, code, dr7_global(0, 0, 1));
    pair.set_reg(Reg::Edi, data);
    pair.set_reg(Reg::Ecx, 0x2000);  // in several terms, between which attention is looked at
    CHECK(pair.places({0xF3, 0xAA}) == Diary{{code, b0, 0}});
}

TEST_CASE("debug registers: an interrupt between iterations of a REP saves RF") {
    DebugPair pair;
    pair.both([](FlatMachine& m) {
        m.outside.on_read_port = [&m](u16, u8) { return m.cpu.attention.raise(Attention::Nmi), 0u; };
        m.set_reg(Reg::Edi, data);
        m.set_reg(Reg::Ecx, 5);
    });
    pair.run({0xF3, 0x6C});  // rep insb
    CHECK(pair.interp.halted_by() == vector::nmi);
    CHECK(pair.interp.reg(Reg::Ecx) == 4);
    CHECK(pair.interp.peek<u32>(stack - 4) == (eflags::fixed | eflags::rf));
}

// --- MOV SS

TEST_CASE("debug registers: behind MOV SS an instruction breakpoint is not looked at") {
    StackLoadPair pair;
    pair.set_breakpoint(0, code + 6, dr7_global(0, 0, 1));
    CHECK(pair.run(pair.load_ss + Bytes{inc_ecx}).empty());
    CHECK(pair.interp.reg(Reg::Ecx) == 1);
}

TEST_CASE("debug registers: a data breakpoint met by MOV SS waits for the next instruction") {
    StackLoadPair pair;
    pair.set_breakpoint(0, data, access4);
    CHECK(pair.places(pair.load_ss + Bytes{inc_ecx}) == Diary{{code + 7, b0, 0}});
}

TEST_CASE("debug registers: a data breakpoint met by MOV SS is reported at the handler of INT n that follows") {
    StackLoadPair pair;
    pair.set_breakpoint(0, data, access4);
    CHECK(pair.places(pair.load_ss + Bytes{0xCC}) == Diary{{FlatMachine::handlers_at + vector::bp, b0, 0}});
    CHECK(pair.interp.halted_by() == vector::bp);
}

TEST_CASE("debug registers: a data breakpoint met by MOV SS is reported at the handler of a fault that follows") {
    StackLoadPair pair;
    pair.set_breakpoint(0, data, access4);
    CHECK(pair.places(pair.load_ss + Bytes{0x0F, 0x0B}) == Diary{{FlatMachine::handlers_at + vector::ud, b0, 0}});
}

TEST_CASE("debug registers: INT1 takes along a data breakpoint met by MOV SS") {
    StackLoadPair pair;
    pair.set_breakpoint(0, data, access4);
    CHECK(pair.places(pair.load_ss + Bytes{0xF1, inc_ecx}) == Diary{{code + 7, b0, 0}});
    CHECK(pair.interp.reg(Reg::Ecx) == 1);
}

TEST_CASE("debug registers: INT 1 behind MOV SS that met a data breakpoint makes two of them") {
    StackLoadPair pair;
    pair.set_breakpoint(0, data, access4);
    CHECK(pair.places(pair.load_ss + Bytes{0xCD, 0x01}) ==
          Diary{{DebugPair::handler, b0, 0}, {code + 8, dr6::fixed, 0}});
}

// --- the registers themselves

TEST_CASE("debug registers: MOV DR makes a breakpoint count from the next instruction on") {
    DebugPair pair;
    pair.set_reg(Reg::Ebx, data);
    pair.set_reg(Reg::Edx, write4);
    const Bytes set = {0x0F, 0x23, 0xC3, 0x0F, 0x23, 0xFA};  // mov dr0, ebx; mov dr7, edx
    const Bytes cleared = {0x31, 0xD2, 0x0F, 0x23, 0xFA};    // xor edx, edx; mov dr7, edx
    CHECK(pair.places(store32(data) + set + store32(data) + cleared + store32(data)) == Diary{{code + 16, b0, 0}});
    CHECK(pair.interp.state.dr[7] == dr7::fixed);
}

TEST_CASE("debug registers: reserved bits are fixed") {
    DebugPair pair;
    pair.set_reg(Reg::Edx, 0xFFFFFFFF);
    pair.run({0x0F, 0x23, 0xF2, 0x0F, 0x21, 0xF0,    // mov dr6, edx; mov eax, dr6
              0x0F, 0x23, 0xFA, 0x0F, 0x21, 0xF9});  // mov dr7, edx; mov ecx, dr7: #DB by GD
    CHECK(pair.interp.reg(Reg::Eax) == 0xFFFFEFFF);
    CHECK(pair.interp.reg(Reg::Ecx) == 0xFFFF07FF);  // GD went with the exception
}

TEST_CASE("debug registers: DR4 and DR5 are DR6 and DR7, and #UD with CR4.DE") {
    DebugPair pair;
    pair.run({0x0F, 0x21, 0xE0});
    CHECK(pair.interp.halted_by() == vector::ud);
    pair.both([](FlatMachine& m) { m.state.cr4 &= ~cr4::de; });
    pair.set_reg(Reg::Edx, 0x2);
    pair.run({0x0F, 0x23, 0xEA, 0x0F, 0x21, 0xE0});  // mov dr5, edx; mov eax, dr4
    CHECK(pair.interp.state.dr[7] == (dr7::fixed | 2));
    CHECK(pair.interp.reg(Reg::Eax) == dr6::fixed);
}

TEST_CASE("debug registers: general detect is a fault before MOV DR, with RF, and GD goes") {
    DebugPair pair;
    pair.set_breakpoint(0, 0, dr7::general_detect);
    CHECK(pair.run({0x0F, 0x21, 0xC0}) == Diary{{code, dr6::fixed | dr6::general_detect, eflags::fixed | eflags::rf}});
    CHECK(!(pair.interp.state.dr[7] & dr7::general_detect));
    CHECK(pair.interp.state.activity == Activity::Halted);
}

TEST_CASE("debug registers: every stretch of a watched program ends with the same state on both engines") {
    DebugPair pair;
    pair.resume_with_rf();
    pair.set_breakpoint(0, data + 0x40, dr7_global(0, dr7_data_write, 4));
    pair.set_breakpoint(1, code + 7, dr7_global(1, 0, 1));
    pair.set_breakpoint(2, data + 0x104, dr7_global(2, dr7_data_access, 4));
    const Bytes program = {0xBE, 0,    1,    1, 0,  // mov esi, data + 100h
                           0x89, 0xDF,              // mov edi, ebx
                           0xB9, 20,   0,    0, 0,  // mov ecx, 20 (breakpoint 1)
                           0xF3, 0xA5,              // rep movsd
                           0xFF, 0x43, 0x40,        // inc dword [ebx+40h]
                           0x9C, 0x9D,              // pushf; popf
                           0xEB, 0xEB};             // from the beginning
    pair.set_reg(Reg::Ebx, data);
    pair.both([&](FlatMachine& m) {
        m.poke(code, program);
        m.state.eip = code;
    });
    for (u32 n = 1; n < 200; ++n) REQUIRE(pair.advance(n % 13 + 1) == "");
    CHECK(pair.interp.state.reg(Reg::Esp) <= stack);
}
