// What the fuzz target `code` found, each in its smallest form (docs/fuzzing.md).
#include <catch2/catch.hpp>

#include "jit/paged_program.hpp"

namespace vellum::test {

TEST_CASE("fuzz: FERR# rises at the waiting instruction after an exception, on both engines") {
    EnginePair<FlatMachine> pair;
    pair.both([](FlatMachine& m) {
        m.state.cr0 &= ~cr0::ne;
        m.state.fpu.tags = 0;
        m.state.fpu.control = 0x37B;  // division by zero is not masked
        m.poke(TestMachine::code_at, {0xD9, 0xE8, 0xD9, 0xEE, 0xDE, 0xF9, 0x90, 0xD9, 0xE8});
        m.state.eip = TestMachine::code_at;
    });
    REQUIRE(pair.advance(4) == "");  // fld1; fldz; fdivp; nop
    CHECK_FALSE(pair.interp.outside.ferr);
    CHECK_FALSE(pair.bt.outside.ferr);
    REQUIRE(pair.advance(1) == "");  // fld1
    CHECK(pair.interp.outside.ferr);
    CHECK(pair.bt.outside.ferr);
}

TEST_CASE("fuzz: each iteration of REP MOVS into a device has its own time, on both engines") {
    // The first iteration stores to the last byte of RAM, the others to what is behind it.
    constexpr u32 ram = 1u << 20, iterations = 4;
    EnginePair<FlatMachine> pair{ram};
    std::vector<u64> times[2];
    auto* at = times;
    pair.both([&](FlatMachine& m) {
        m.outside.on_write_mmio = [&m, seen = at++] { seen->push_back(m.state.instructions); };
        m.poke(TestMachine::code_at, {0xF3, 0xA4});
        m.state.eip = TestMachine::code_at;
        m.set_reg(Reg::Esi, TestMachine::data_at);
        m.set_reg(Reg::Edi, ram - 1);
        m.set_reg(Reg::Ecx, iterations);
    });
    REQUIRE(pair.advance(iterations) == "");
    CHECK(times[0] == std::vector<u64>{1, 2, 3});
    CHECK(times[1] == times[0]);
}

TEST_CASE("fuzz: an operand that runs past 4 GiB marks both its pages, on both engines") {
    constexpr u32 high_table = 0x42000, last_entry = high_table + 4 * 1023, last_page = 0x9000;
    auto [name, bytes] = GENERATE(table<const char*, std::vector<u8>>({
        {"rep movsd, downwards", {0xFD, 0xF3, 0xA5}},
        {"mov eax,[esi]", {0x8B, 0x06}},
        {"add [esi],ax", {0x66, 0x01, 0x06}},
        {"fxsave [esi-255]", {0x0F, 0xAE, 0x86, 0x01, 0xFF, 0xFF, 0xFF}},
    }));
    CAPTURE(name);
    constexpr u8 accessed = 0x20;
    PagedProgram pair;
    pair.both([&](FlatMachine& m) {
        m.poke_value<u32>(PagedProgram::directory + 4 * 1023, high_table | 0x27);
        m.poke_value<u32>(last_entry, last_page | 7);
        m.poke_value<u32>(PagedProgram::entry_of(0), 7);
        m.poke_value<u64>(FlatMachine::idt_at + 8 * vector::gp, u64{0x8E00} << 32 | 8u << 16 | PagedProgram::handler);
        m.poke(TestMachine::code_at, bytes);
        m.poke(TestMachine::code_at + static_cast<u32>(bytes.size()), {0xF4});
        m.state.eip = TestMachine::code_at;
        m.set_reg(Reg::Ecx, 3);
        m.set_reg(Reg::Esi, 0xFFFFFFFF);
        m.set_reg(Reg::Edi, TestMachine::data_at);
    });
    REQUIRE(pair.advance(1000) == "");
    CHECK(pair.bt.state.activity == Activity::Halted);
    CHECK((pair.bt.peek<u32>(last_entry) & accessed) != 0);
    CHECK((pair.bt.peek<u32>(PagedProgram::entry_of(0)) & accessed) != 0);
}

TEST_CASE("probes: ten bytes over the end of 4 GiB, where both ends are shown already, go on at 0 on both engines",
          "[jit]") {
    constexpr u32 high_table = 0x42000, last_page = 0x9000;
    auto [name, bytes] = GENERATE(table<const char*, std::vector<u8>>({
        {"fbstp [esi-7]", {0xDF, 0x76, 0xF9}},
        {"fbstp [esi+edx*2-7]", {0xDF, 0x74, 0x56, 0xF9}},
        {"fstp tbyte [esi-7]", {0xDB, 0x7E, 0xF9}},
        {"fstp tbyte [esi+edx*2-7]", {0xDB, 0x7C, 0x56, 0xF9}},
        {"fld tbyte [esi-7]", {0xDB, 0x6E, 0xF9}},
        {"fld tbyte [ebx]", {0xDB, 0x2B}},
        {"fbld [esi-7]", {0xDF, 0x66, 0xF9}},
        {"fld tbyte [esi+edx*2-7]", {0xDB, 0x6C, 0x56, 0xF9}},
        {"fbld [esi+edx*2-7]", {0xDF, 0x64, 0x56, 0xF9}},
        {"fstp qword [esi-6]", {0xDD, 0x5E, 0xFA}},
        {"fistp qword [esi+edx*2-6]", {0xDF, 0x7C, 0x56, 0xFA}},
    }));
    CAPTURE(name);
    // fninit; fld1; mov [esi-15],eax; mov [0],eax
    std::vector<u8> program = {0xDB, 0xE3, 0xD9, 0xE8, 0x89, 0x46, 0xF1, 0xA3, 0, 0, 0, 0};
    program.insert(program.end(), bytes.begin(), bytes.end());
    program.push_back(0xF4);
    PagedProgram pair;
    pair.both([&](FlatMachine& m) {
        m.poke_value<u32>(PagedProgram::directory + 4 * 1023, high_table | 0x27);
        m.poke_value<u32>(high_table + 4 * 1023, last_page | 0x67);
        m.poke(TestMachine::code_at, program);
        m.state.eip = TestMachine::code_at;
        m.set_reg(Reg::Esi, 0xFFFFFFFF);
        m.set_reg(Reg::Ebx, 0xFFFFFFF8);
    });
    REQUIRE(pair.advance(1000) == "");
    CHECK(pair.bt.state.activity == Activity::Halted);
    CHECK(pair.bt.state.eip == TestMachine::code_at + program.size());
}

// A segment of 4 GiB with a base: its offsets do not go on at 0, as on hardware (#SS, #GP), wherever they lead to.
TEST_CASE("fuzz: an operand over the end of a 4 GiB segment with a base faults, on both engines") {
    constexpr u32 base = 0x20000;
    struct Case {
        const char* name;
        std::vector<u8> bytes;
        bool faults;
    };
    auto c = GENERATE(values<Case>({
        {"push ecx", {0x51}, true},
        {"pop edx", {0x5A}, true},
        {"ret", {0xC3}, true},
        {"mov eax,fs:[esi]", {0x64, 0x8B, 0x06}, true},
        {"mov al,fs:[esi]", {0x64, 0x8A, 0x06}, false},
        {"mov eax,fs:[esi-1]", {0x64, 0x8B, 0x46, 0xFF}, false},
        {"add fs:[esi],ax", {0x64, 0x66, 0x01, 0x06}, false},
        {"add fs:[esi+2],ax", {0x64, 0x66, 0x01, 0x46, 0x02}, true},
        {"mov eax,fs:[-4]", {0x64, 0x8B, 0x05, 0xFC, 0xFF, 0xFF, 0xFF}, false},
        {"mov eax,fs:[-3]", {0x64, 0x8B, 0x05, 0xFD, 0xFF, 0xFF, 0xFF}, true},
        {"fnsave fs:[esi-80]", {0x64, 0xDD, 0x76, 0xB0}, true},
        {"fxsave fs:[esi-10Dh]", {0x64, 0x0F, 0xAE, 0x86, 0xF3, 0xFE, 0xFF, 0xFF}, true},
    }));
    CAPTURE(c.name);
    EnginePair<FlatMachine> pair;
    bool of_stack = c.bytes.size() == 1;
    pair.both([&](FlatMachine& m) {
        m.state.segment(Seg::Fs) = m.state.segment(Seg::Ds);
        m.state.segment(of_stack ? Seg::Ss : Seg::Fs).base = base;
        m.poke(TestMachine::code_at, c.bytes);
        m.poke(TestMachine::code_at + static_cast<u32>(c.bytes.size()), {0xF4});
        m.state.eip = TestMachine::code_at;
        m.set_reg(Reg::Esp, c.bytes[0] == 0x51 ? 1 : 0xFFFFFFFE);
        m.set_reg(Reg::Esi, 0xFFFFFFFD);
    });
    CHECK(pair.advance(100) == "");
    CHECK((pair.bt.state.eip != TestMachine::code_at + c.bytes.size() + 1) == c.faults);
}

// Real mode keeps the rights of what protected mode loaded, until it is loaded anew.
TEST_CASE("fuzz: stores through a code segment that protected mode left in ES fault in real mode, on both engines") {
    auto [name, bytes] = GENERATE(table<const char*, std::vector<u8>>({
        {"stosb", {0xAA}},
        {"mov es:[edi],al", {0x26, 0x88, 0x07}},
        {"mov al,es:[edi], from code that cannot be read", {0x26, 0x8A, 0x07}},
    }));
    CAPTURE(name);
    constexpr u16 readable_code = 0xC09B, execute_only = 0xC099;
    EnginePair<FlatMachine> pair;
    pair.both([&](FlatMachine& m) {
        m.state.segment(Seg::Es).access = bytes.back() == 0x07 && bytes[1] == 0x8A ? execute_only : readable_code;
        m.state.cr0 &= ~cr0::pe;
        m.state.idtr = {0, 0x3FF};
        m.poke_value<u32>(4 * vector::gp, 0x3000);
        m.poke(0x3000, {0xF4});
        m.poke(TestMachine::code_at, bytes);
        m.poke(TestMachine::code_at + bytes.size(), {0xF4});
        m.state.eip = TestMachine::code_at;
        m.set_reg(Reg::Edi, TestMachine::data_at);
    });
    REQUIRE(pair.advance(100) == "");
    CHECK(pair.bt.state.eip == 0x3001);
}

TEST_CASE("fuzz: code in a page table, of which a store of its own sets D, is as it is then, on both engines") {
    // The store before it makes of DAA, the low byte of the page's entry, an address-size prefix.
    constexpr u32 page = 0x80, entry = PagedProgram::entry_of(page), before = 0x54027, halt = 0xF4000000;
    PagedProgram pair;
    pair.both([&](FlatMachine& m) {
        m.poke_value<u32>(entry, before);                        // daa; inc eax; add eax,...
        m.poke_value<u32>(entry + 4, halt);                      // ...; hlt
        m.poke(entry - 5, {0xA2, 0x00, 0x00, page >> 4, 0x00});  // mov [page],al
        m.state.eip = entry - 5;
        m.set_reg(Reg::Eax, 0x0F);
        m.engine->state_replaced();
    });
    REQUIRE(pair.advance(100) == "");
    CHECK(pair.bt.state.activity == Activity::Halted);
    CHECK(pair.bt.reg(Reg::Eax) == 0x10);
    CHECK(pair.bt.peek<u32>(entry) == (before | 0x40));
}

TEST_CASE("fuzz: a store in a page table that marks its own last byte is done as it was fetched, on both engines") {
    // With A and D set, `add [edi],al` would be `add [edi+40h],ah`.
    constexpr u32 page = 0x80, entry = PagedProgram::entry_of(page), before = 0x54007, halt = 0xF4000000;
    PagedProgram pair;
    pair.both([&](FlatMachine& m) {
        m.poke_value<u32>(entry, before);    // ...; inc eax; add eax,...
        m.poke_value<u32>(entry + 4, halt);  // ...; hlt
        m.state.eip = entry - 1;             // 00: add
        m.set_reg(Reg::Edi, page << page_shift);
        m.set_reg(Reg::Eax, 0x305);
        m.engine->state_replaced();
    });
    REQUIRE(pair.advance(100) == "");
    CHECK(pair.bt.state.activity == Activity::Halted);
    CHECK(pair.bt.reg(Reg::Eax) == 0x306);
    CHECK(pair.bt.peek<u32>(0x54000) == 5);
    CHECK(pair.bt.peek<u32>(entry) == (before | 0x60));
}

TEST_CASE(
    "fuzz: EIP above the limit of CS, or an instruction across it, sets A of no page behind it, on both engines") {
    constexpr u32 page = 0x80, not_accessed = page_size * (page + 1) | 7;
    bool across = GENERATE(true, false);
    PagedProgram pair;
    pair.both([&](FlatMachine& m) {
        m.poke_value<u32>(PagedProgram::entry_of(page + 1), not_accessed);
        m.poke((page + 1) * page_size - 1, {0xB8, 0x44, 0x33, 0x22, 0x11});  // mov eax,11223344h
        m.state.segment(Seg::Cs).limit = (page + 1) * page_size - 1;
        m.state.eip = (page + 1) * page_size - across;
        m.engine->state_replaced();
    });
    REQUIRE(pair.advance(100) == "");
    CHECK(pair.bt.halted_by() == vector::gp);
    CHECK(pair.bt.peek<u32>(PagedProgram::entry_of(page + 1)) == not_accessed);
}

TEST_CASE("fuzz: an interrupt behind IF does not divide REP INS over itself, on both engines") {
    EnginePair<FlatMachine> pair;
    pair.both([](FlatMachine& m) {
        m.outside.on_read_port = [](u16, u8) { return 0x90u; };
        m.outside.vector_pending = 0x40;
        m.cpu.attention.raise(Attention::Interrupt);
        m.state.eflags &= ~eflags::if_;
        m.poke(TestMachine::code_at, {0xF3, 0x6C, 0xF4, 0xF4, 0xF4, 0xF4});
        m.state.eip = TestMachine::code_at;
        m.set_reg(Reg::Edi, TestMachine::code_at);
        m.set_reg(Reg::Ecx, 4);
    });
    REQUIRE(pair.advance(100) == "");
    CHECK(pair.bt.reg(Reg::Ecx) == 0);
    CHECK(pair.bt.state.eip == TestMachine::code_at + 5);  // behind two NOPs and HLT
}

}  // namespace vellum::test
