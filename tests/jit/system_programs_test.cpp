// Levels, gates, tasks, V86 and interrupts in guest programs that run on both engines (SDM 3A chapters 3, 5 to 7, 20).
#include "jit/system_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

constexpr u32 code = SystemPair::code, data = SystemPair::data, stack = SystemPair::stack;
constexpr u8 inc_ecx = 0x41, iret = 0xCF, hlt = 0xF4;
constexpr int none = -1;

int vector_of(const Bytes& bytes) {
    SystemPair pair;
    pair.set_reg(Reg::Ebx, data);
    pair.set_reg(Reg::Esi, data);
    pair.set_reg(Reg::Edi, data + 0x100);
    return pair.run(bytes);
}

}  // namespace

TEST_CASE("system programs: LOCK is #UD where it is not allowed") {
    for (const Bytes& bytes : {
             Bytes{0xF0, 0x89, 0x03},              // mov [ebx], eax
             Bytes{0xF0, 0x8B, 0x03},              // mov eax, [ebx]
             Bytes{0xF0, 0x03, 0x03},              // add eax, [ebx]
             Bytes{0xF0, 0x01, 0xC0},              // add eax, eax
             Bytes{0xF0, 0x39, 0x03},              // cmp [ebx], eax
             Bytes{0xF0, 0x85, 0x03},              // test [ebx], eax
             Bytes{0xF0, 0x0F, 0xA3, 0x03},        // bt [ebx], eax
             Bytes{0xF0, 0x0F, 0xBA, 0x23, 0x01},  // bt [ebx], 1
             Bytes{0xF0, 0xFF, 0x33},              // push [ebx]
             Bytes{0xF0, 0x8F, 0x03},              // pop [ebx]
             Bytes{0xF0, 0x40},                    // inc eax
             Bytes{0xF0, 0xFF, 0xC0},              // inc eax, long form
             Bytes{0xF0, 0xF7, 0x23},              // mul [ebx]
             Bytes{0xF0, 0xD1, 0x23},              // shl [ebx], 1
             Bytes{0xF0, 0x0F, 0xA4, 0x03, 0x01},  // shld [ebx], eax, 1
             Bytes{0xF0, 0x0F, 0xB1, 0xC8},        // cmpxchg eax, ecx
             Bytes{0xF0, 0x0F, 0xC1, 0xC8},        // xadd eax, ecx
             Bytes{0xF0, 0x87, 0xC1},              // xchg ecx, eax
             Bytes{0xF0, 0x90},                    // nop
             Bytes{0xF0, 0xA4},                    // movsb
             Bytes{0xF0, 0xE4, 0x60},              // in al, 60h
             Bytes{0xF0, 0xEB, 0x00},              // jmp
             Bytes{0xF0, 0xCD, 0x40},              // int 40h
             Bytes{0xF0, 0x9C},                    // pushf
             Bytes{0xF0, 0x8D, 0x03},              // lea eax, [ebx]
             Bytes{0xF0, 0x0F, 0x20, 0xC0},        // mov eax, cr0
             Bytes{0xF0, 0x0F, 0xB6, 0x03},        // movzx eax, byte [ebx]
             Bytes{0xF0, 0x0F, 0x94, 0x03},        // sete [ebx]
             Bytes{0xF0, 0xD9, 0x03},              // fld dword [ebx]
             Bytes{0xF0, 0x0F, 0x6F, 0x03},        // movq mm0, [ebx]
             Bytes{0xF0, 0x0F, 0xC3, 0x03},        // movnti [ebx], eax
         }) {
        CAPTURE(int{bytes[1]}, int{bytes.back()});
        CHECK(vector_of(bytes) == vector::ud);
    }
}

TEST_CASE("system programs: LOCK is allowed with read-modify-writes of memory") {
    for (const Bytes& bytes : {
             Bytes{0xF0, 0x01, 0x03},
             Bytes{0xF0, 0x08, 0x03},
             Bytes{0xF0, 0x11, 0x03},
             Bytes{0xF0, 0x19, 0x03},
             Bytes{0xF0, 0x21, 0x03},
             Bytes{0xF0, 0x29, 0x03},
             Bytes{0xF0, 0x30, 0x03},
             Bytes{0xF0, 0x83, 0x03, 0x01},        // add dword [ebx], 1
             Bytes{0xF0, 0x0F, 0xAB, 0x03},        // bts
             Bytes{0xF0, 0x0F, 0xB3, 0x03},        // btr
             Bytes{0xF0, 0x0F, 0xBB, 0x03},        // btc
             Bytes{0xF0, 0x0F, 0xBA, 0x2B, 0x01},  // bts dword [ebx], 1
             Bytes{0xF0, 0x0F, 0xB1, 0x0B},        // cmpxchg
             Bytes{0xF0, 0x0F, 0xC7, 0x0B},        // cmpxchg8b
             Bytes{0xF0, 0xFE, 0x0B},
             Bytes{0xF0, 0xFF, 0x03},
             Bytes{0xF0, 0xF7, 0x1B},
             Bytes{0xF0, 0xF7, 0x13},
             Bytes{0xF0, 0x0F, 0xC1, 0x03},  // xadd
             Bytes{0xF0, 0x87, 0x03},
             Bytes{0xF0, 0x86, 0x03},
         }) {
        CAPTURE(int{bytes[1]}, int{bytes[2]});
        CHECK(vector_of(bytes) == none);
    }
}

TEST_CASE("system programs: fifteen bytes are an instruction, sixteen are #GP") {
    CHECK(vector_of(Bytes(14, 0x66) + Bytes{0x90}) == none);
    CHECK(vector_of(Bytes(15, 0x66) + Bytes{0x90}) == vector::gp);
    CHECK(vector_of(Bytes(9, 0x3E) + Bytes{0xC7, 0x83, 0, 0, 0, 0, 1, 2, 3, 4}) == vector::gp);  // a long MOV
    CHECK(vector_of(Bytes(5, 0x3E) + Bytes{0xC7, 0x83, 0, 0, 0, 0, 1, 2, 3, 4}) == none);
}

// --- interrupts

TEST_CASE("system programs: an NMI waits for the IRET of the one before, and comes right behind it") {
    SystemPair pair;
    pair.both([](FlatMachine& m) {
        m.outside.on_read_port = [&m](u16, u8) { return m.cpu.attention.raise(Attention::Nmi), 0u; };
    });
    // inc edx; cmp edx, 2; je to the hlt; in al, 60h (another NMI); iret; hlt
    pair.put(SystemPair::handlers + vector::nmi, {0x42, 0x83, 0xFA, 0x02, 0x74, 0x03, 0xE4, 0x60, iret, hlt});
    pair.run({0xE4, 0x60, inc_ecx});
    CHECK(pair.reg(Reg::Edx) == 2);
    CHECK(pair.reg(Reg::Ecx) == 0);
    CHECK(pair.stacked(0) == code + 2);
    CHECK(pair.state().nmi_blocked);
}

TEST_CASE("system programs: interrupts wait for the instruction behind STI and behind MOV SS") {
    SystemPair pair;
    pair.both([](FlatMachine& m) {
        m.outside.vector_pending = 0x50;
        m.cpu.attention.raise(Attention::Interrupt);
    });
    pair.set_reg(Reg::Edx, SystemPair::data0);
    CHECK(pair.run({0xFB, 0x8E, 0xD2, inc_ecx, inc_ecx}) == 0x50);  // sti; mov ss, edx
    CHECK(pair.reg(Reg::Ecx) == 1);
    CHECK(pair.stacked(0) == code + 4);
}

TEST_CASE("system programs: an interrupt gate clears IF, a trap gate keeps it") {
    SystemPair pair;
    pair.both([](FlatMachine& m) {
        SystemPair::gate(m, SystemPair::idt + 8 * 0x41, SystemPair::code0, SystemPair::handlers + 0x41, 0x8F, 0);
    });
    CHECK(pair.run({0xFB, 0xCD, 0x40}) == 0x40);
    CHECK(!(pair.state().eflags & eflags::if_));
    CHECK(pair.run({0xFB, 0xCD, 0x41}) == 0x41);
    CHECK(pair.state().eflags & eflags::if_);
}

TEST_CASE("system programs: INT n, INT3 and INTO need a gate of their level, BOUND does not") {
    SystemPair pair;
    pair.put_value<u64>(data, 0);  // bounds 0 and 0
    pair.set_reg(Reg::Ebx, data);
    pair.enter_level3();
    CHECK(pair.run({0xCD, 0x40}) == vector::gp);
    CHECK(pair.stacked(0) == 0x40 * 8 + 2);
    CHECK(pair.stacked(1) == code);
    pair.enter_level3();
    CHECK(pair.run({0xCC}) == vector::gp);
    pair.enter_level3();
    CHECK(pair.run({0xB0, 0x7F, 0x04, 0x01, 0xCE}) == vector::gp);  // mov al, 7Fh; add al, 1; into
    CHECK(pair.stacked(0) == vector::of * 8 + 2);
    pair.enter_level3();
    CHECK(pair.run({0x62, 0x03}) == vector::br);  // bound eax, [ebx]: EAX is 80h
    CHECK(pair.stacked(0) == code);
}

TEST_CASE("system programs: INT n through a task gate nests, and IRET comes back") {
    SystemPair pair;
    pair.both(
        [](FlatMachine& m) { SystemPair::gate(m, SystemPair::idt + 8 * 0x42, SystemPair::other_task, 0, 0x85, 0); });
    pair.put(SystemPair::far_code, {0xFF, 0x05, 0, 0, 1, 0, iret});  // inc dword [data]
    CHECK(pair.run({0xCD, 0x42, inc_ecx}) == none);
    CHECK(pair.interp.peek<u32>(data) == 1);
    CHECK(pair.reg(Reg::Ecx) == 1);
    CHECK(pair.state().tr.selector == SystemPair::tss_selector);
    CHECK(!(pair.state().eflags & eflags::nt));
}

TEST_CASE("system programs: a double fault, and a triple fault") {
    SystemPair pair;
    pair.put_value<u16>(SystemPair::idt + 8 * vector::gp + 4, 0x0E00);  // not present
    const Bytes fault = {0x31, 0xC0, 0x8E, 0xD0};                       // xor eax, eax; mov ss, eax
    CHECK(pair.run(fault) == vector::df);
    CHECK(pair.stacked(0) == 0);
    CHECK(pair.stacked(1) == code + 2);
    pair.put_value<u16>(SystemPair::idt + 8 * vector::df + 4, 0x0E00);
    pair.run(fault);
    CHECK(pair.state().activity == Activity::Shutdown);
}

// --- segments and levels

TEST_CASE("system programs: a call through a 32-bit gate changes stacks and copies parameters, RETF drops them") {
    SystemPair pair;
    // mov eax, [esp+8]; mov ecx, [esp+12]; mov edx, ss; retf 8
    pair.put(SystemPair::far_code, {0x8B, 0x44, 0x24, 0x08, 0x8B, 0x4C, 0x24, 0x0C, 0x8C, 0xD2, 0xCA, 8, 0});
    pair.enter_level3();
    CHECK(pair.run({0x68, 0x11, 0x11, 0, 0, 0x68, 0x22, 0x22, 0, 0,    // push 1111h; push 2222h
                    0x9A, 0, 0, 0, 0, 0x4B, 0, 0xCD, 0x80}) == 0x80);  // call gate32; int 80h
    CHECK(pair.reg(Reg::Eax) == 0x2222);
    CHECK(pair.reg(Reg::Ecx) == 0x1111);
    CHECK(pair.reg(Reg::Edx) == SystemPair::data0);
    CHECK(pair.stacked(1) == SystemPair::code3);
    CHECK(pair.stacked(3) == stack);
}

TEST_CASE("system programs: a call through a 16-bit gate works in words") {
    SystemPair pair;
    // movzx eax, word [esp+4]; movzx ecx, word [esp+6]; o16 retf 4
    pair.put(SystemPair::near_code, {0x0F, 0xB7, 0x44, 0x24, 0x04, 0x0F, 0xB7, 0x4C, 0x24, 0x06, 0x66, 0xCA, 4, 0});
    pair.enter_level3();
    CHECK(pair.run({0x66, 0x68, 0x11, 0x11, 0x66, 0x68, 0x22, 0x22, 0x9A, 0, 0, 0, 0, 0x53, 0, 0xCD, 0x80}) == 0x80);
    CHECK(pair.reg(Reg::Eax) == 0x2222);
    CHECK(pair.reg(Reg::Ecx) == 0x1111);
    CHECK(pair.stacked(3) == stack);
}

TEST_CASE("system programs: conforming code runs at the level of its caller") {
    SystemPair pair;
    pair.put(SystemPair::far_code, {0x8C, 0xC8, 0xCB});  // mov eax, cs; retf
    pair.enter_level3();
    CHECK(pair.run({0x9A, 0, 0, 4, 0, 0x38, 0, 0xCD, 0x80}) == 0x80);
    CHECK(pair.reg(Reg::Eax) == (SystemPair::conforming | 3));
}

TEST_CASE("system programs: an expand-down segment begins behind its limit") {
    SystemPair pair;
    pair.set_reg(Reg::Edx, SystemPair::expand_down);
    pair.set_reg(Reg::Eax, 0x12345678);
    CHECK(pair.run({0x8E, 0xDA,                               // mov ds, edx
                    0xA3, 0, 0x10, 0, 0,                      // mov [1000h], eax
                    0xA3, 0xFF, 0x0F, 0, 0}) == vector::gp);  // mov [FFFh], eax
    CHECK(pair.interp.peek<u32>(data + 0x1000) == 0x12345678);
    CHECK(pair.interp.peek<u8>(data + 0xFFF) == 0);
    CHECK(pair.stacked(1) == code + 7);
}

TEST_CASE("system programs: selectors of the local table, and beyond it") {
    SystemPair pair;
    pair.both([](FlatMachine& m) { SystemPair::describe(m, 0x0C, data + 0x100, 0xFF, 0x93, 4); });
    pair.set_reg(Reg::Edx, SystemPair::local_table);
    pair.set_reg(Reg::Ecx, 0x0C);
    pair.set_reg(Reg::Esi, 0x1C);
    CHECK(pair.run({0x0F, 0x00, 0xD2, 0x8E, 0xD9,  // lldt dx; mov ds, ecx
                    0xA3, 0xFC, 0, 0, 0,           // mov [FCh], eax
                    0x8E, 0xDE}) == vector::gp);   // mov ds, esi
    CHECK(pair.stacked(0) == 0x1C);
    CHECK(pair.stacked(1) == code + 10);
    CHECK(pair.state().segment(Seg::Ds).base == data + 0x100);
}

TEST_CASE("system programs: loading a segment marks its descriptor as accessed") {
    SystemPair pair;
    pair.set_reg(Reg::Edx, SystemPair::fresh_data);
    pair.put(SystemPair::far_code, {hlt});
    pair.run({0x8E, 0xC2, 0xEA, 0, 0, 4, 0, 0x70, 0});  // mov es, edx; jmp fresh_code:far_code
    CHECK(pair.interp.peek<u8>(SystemPair::gdt + SystemPair::fresh_data + 5) == 0x93);
    CHECK(pair.interp.peek<u8>(SystemPair::gdt + SystemPair::fresh_code + 5) == 0x9B);
    CHECK(pair.state().eip == SystemPair::far_code + 1);
}

TEST_CASE("system programs: a called task goes on where it returned from") {
    SystemPair pair;
    pair.put(SystemPair::far_code, {0xFF, 0x05, 0, 0, 1, 0, iret, 0xEB, 0xF7});  // inc dword [data]; iret; jmp back
    const Bytes call = {0x9A, 0, 0, 0, 0, 0x20, 0};
    CHECK(pair.run(call + call + Bytes{inc_ecx}) == none);
    CHECK(pair.interp.peek<u32>(data) == 2);
    CHECK(pair.reg(Reg::Ecx) == 1);
    CHECK(pair.state().cr0 & cr0::ts);
    CHECK(pair.interp.peek<u8>(SystemPair::gdt + SystemPair::other_task + 5) == 0x89);
    CHECK(pair.interp.peek<u8>(SystemPair::gdt + SystemPair::tss_selector + 5) == 0x8B);
    CHECK(pair.interp.peek<u16>(SystemPair::other_tss) == SystemPair::tss_selector);
}

TEST_CASE("system programs: REP STOS wraps at 4 GiB and at 64 KiB, in both directions") {
    using Access = TestOutside::Access;
    SystemPair pair;
    pair.set_reg(Reg::Eax, 0x55);
    pair.set_reg(Reg::Edi, 0xFFFFFFFE);
    pair.set_reg(Reg::Ecx, 4);
    pair.run({0xF3, 0xAA});
    CHECK(pair.bt.outside.mmio_writes == std::vector<Access>{{0xFFFFFFFE, 1, 0x55}, {0xFFFFFFFF, 1, 0x55}});
    CHECK(pair.interp.peek<u16>(0) == 0x5555);
    CHECK(pair.reg(Reg::Edi) == 2);
    pair.set_reg(Reg::Edi, 1);
    pair.set_reg(Reg::Ecx, 4);
    pair.run({0xFD, 0xF3, 0xAA, 0xFC});
    CHECK(pair.bt.outside.mmio_writes.size() == 4);
    CHECK(pair.reg(Reg::Edi) == 0xFFFFFFFD);
    pair.set_reg(Reg::Edi, 0x1FFFE);
    pair.set_reg(Reg::Ecx, 0x70004);
    pair.run({0x67, 0xF3, 0xAA});
    CHECK(pair.interp.peek<u32>(0xFFFC) == 0x55550000);
    CHECK(pair.reg(Reg::Edi) == 0x10002);
    CHECK(pair.reg(Reg::Ecx) == 0x70000);
}

// --- V86

TEST_CASE("system programs: in V86 with IOPL below 3 the sensitive instructions are #GP(0)") {
    for (u32 iopl : {0u, 1u, 2u})
        for (const Bytes& bytes :
             {Bytes{0x9C}, Bytes{0x66, 0x9C}, Bytes{0x9D}, Bytes{iret}, Bytes{0xFA}, Bytes{0xFB}, Bytes{0xCD, 0x80}}) {
            CAPTURE(iopl, int{bytes[0]});
            SystemPair pair;
            pair.enter_v86(iopl);
            CHECK(pair.run(bytes) == vector::gp);
            CHECK(pair.stacked(0) == 0);
            CHECK(pair.stacked(1) == code);
            CHECK(pair.stacked(4) == stack);
            CHECK(pair.stacked(7) == data >> 4);  // DS
        }
}

TEST_CASE("system programs: V86 code with IOPL 3 changes IF but not IOPL, calls level 0 and is returned to") {
    SystemPair pair;
    pair.both([](FlatMachine& m) {
        SystemPair::gate(m, SystemPair::idt + 8 * 0x41, SystemPair::code0, SystemPair::handlers + 0x41, 0xEE, 0);
    });
    pair.put(SystemPair::handlers + 0x41, {iret});
    pair.enter_v86(3);
    CHECK(pair.run({0xFA, 0x9C, 0x58,     // cli; pushf; pop ax
                    0x6A, 0x02, 0x9D,     // push 2; popf
                    0x9C, 0x5B,           // pushf; pop bx
                    0xCD, 0x41, inc_ecx,  // int 41h; inc cx
                    0xFB, 0x90, 0xCD, 0x80}) == 0x80);
    CHECK(pair.reg(Reg::Eax) == (eflags::iopl | eflags::fixed));
    CHECK(pair.reg(Reg::Ebx) == (eflags::iopl | eflags::fixed));
    CHECK(pair.reg(Reg::Ecx) == 1);
    CHECK(pair.stacked(2) == (eflags::vm | eflags::iopl | eflags::if_ | eflags::fixed));
    CHECK(pair.state().segment(Seg::Ds).selector == 0);
}

TEST_CASE("system programs: IRET in V86 keeps VM and IOPL") {
    SystemPair pair;
    pair.enter_v86(3);
    // push 0; push 0; push code + 7; iret; at code + 7: int 80h
    CHECK(pair.run({0x6A, 0, 0x6A, 0, 0x68, 0x08, 0x10, iret, 0xCD, 0x80}) == 0x80);
    CHECK(pair.stacked(2) == (eflags::vm | eflags::iopl | eflags::fixed));
}

TEST_CASE("system programs: ports in V86 are those of the bitmap, whatever IOPL says") {
    struct Row {
        u32 limit;
        u16 bits;  // of ports 60h-6Fh
        Bytes bytes;
        int vector;
    };
    constexpr u32 last_byte = 0x68 + 0x6F / 8;  // of these ports
    auto row = GENERATE(values<Row>({
        {last_byte + 1, 0, {0xE4, 0x60, 0xCD, 0x80}, 0x80},
        {last_byte + 1, 1, {0xE4, 0x60, 0xCD, 0x80}, vector::gp},
        {last_byte + 1, 0xFFFE, {0xE6, 0x60, 0xCD, 0x80}, 0x80},
        {last_byte + 1, 0x0010, {0xE5, 0x63, 0xCD, 0x80}, vector::gp},        // a word at 63h
        {last_byte + 1, 0x0100, {0x66, 0xE5, 0x65, 0xCD, 0x80}, vector::gp},  // a double word at 65h
        {last_byte + 1, 0x0200, {0x66, 0xE5, 0x65, 0xCD, 0x80}, 0x80},
        {last_byte, 0, {0xE4, 0x67, 0xCD, 0x80}, 0x80},                        // its byte and the next are inside
        {last_byte, 0, {0xE4, 0x68, 0xCD, 0x80}, vector::gp},                  // the byte behind would be outside
        {0x67, 0, {0xE4, 0x00, 0xCD, 0x80}, vector::gp},                       // the map begins behind the limit
        {last_byte + 1, 1, {0xBA, 0x60, 0x00, 0x6C, 0xCD, 0x80}, vector::gp},  // insb
    }));
    CAPTURE(row.limit, row.bits, int{row.bytes[0]}, int{row.bytes[1]});
    u32 iopl = GENERATE(0u, 3u);
    SystemPair pair;
    pair.enter_v86(iopl);
    pair.both([&](FlatMachine& m) {
        m.state.tr.limit = row.limit;
        m.poke_value<u16>(SystemPair::tss + 0x68 + 0x60 / 8, row.bits);
        SystemPair::gate(m, SystemPair::idt + 8 * 0x80, SystemPair::code0, SystemPair::handlers + 0x80, 0xEE, 0);
    });
    // With IOPL 0 the INT 80h behind is #GP too, but at itself.
    int vector = pair.run(row.bytes);
    bool at_the_port = pair.stacked(1) - code < row.bytes.size() - 2 && vector == vector::gp;
    CHECK(at_the_port == (row.vector == vector::gp));
}

TEST_CASE("system programs: at level 3 ports follow IOPL first") {
    SystemPair pair;
    pair.enter_level3();
    CHECK(pair.run({0xE4, 0x60}) == vector::gp);
    pair.enter_level3();
    pair.both([](FlatMachine& m) { m.state.eflags |= eflags::iopl; });
    CHECK(pair.run({0xE4, 0x60, 0xCD, 0x80}) == 0x80);
}
