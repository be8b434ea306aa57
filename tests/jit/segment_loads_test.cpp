// Loads of segment registers with what they hold already, which translated code does by itself while their descriptor
// is still the same, and reads of control registers.
#include "cpu/segments.hpp"
#include "jit/paged_program.hpp"
#include "jit/system_fixture.hpp"

using namespace vellum;
using namespace vellum::test;
namespace x86 = asmjit::x86;

namespace {

constexpr u32 gdt = SystemPair::gdt, ldt = SystemPair::ldt, data = SystemPair::data;
constexpr u16 data0 = SystemPair::data0, data3 = SystemPair::data3;
constexpr int none = -1;

// With data0 in AX.
template <typename Body>
Bytes a_hundred_times(Body body) {
    return assemble(SystemPair::code, [&](x86::Assembler& a) {
        a.mov(x86::eax, data0);
        a_hundred_rounds(a, body);
    });
}

u64 callouts_of(const SystemPair& pair) {
    u64 sum = 0;
    for (const auto& [mnemonic, count] : pair.bt.engine->statistics().callouts) sum += count;
    return sum;
}

// At the 50th turn the guest stores `value` at `address`; each turn loads ES and FS with data0 again.
int run_with_change(SystemPair& pair, u32 address, u32 value) {
    return pair.run(a_hundred_times([&](x86::Assembler& a) {
        auto unchanged = a.newLabel();
        a.cmp(x86::esi, 50);
        a.jne(unchanged);
        a.mov(x86::dword_ptr(address), value);
        a.bind(unchanged);
        a.mov(x86::es, x86::eax);
        a.push(x86::eax);
        a.pop(x86::fs);
        x86::Mem word = x86::dword_ptr(data);
        word.setSegment(x86::es);
        a.add(word, x86::esi);
    }));
}

}  // namespace

TEST_CASE("segment loads: what a register holds already is loaded without leaving translated code", "[jit]") {
    SystemPair pair;
    pair.put_value<u16>(data, data0);
    Bytes code = a_hundred_times([](x86::Assembler& a) {
        a.mov(x86::ds, x86::eax);
        a.mov(x86::es, x86::word_ptr(data));
        a.push(x86::eax);
        a.mov(x86::gs, x86::word_ptr(x86::esp));
        a.pop(x86::fs);
        a.mov(x86::ecx, x86::eax);
        a.mov(x86::ds, x86::ecx);
    });
    CHECK(pair.run(code) == none);
    CHECK(callouts_of(pair) <= 2);  // HLT, and a limit at most
}

TEST_CASE("segment loads: switched off, each is a callout", "[jit]") {
    TranslatorConfig config;
    config.system_registers = false;
    FlatMachine m{1u << 20, [&](Cpu& cpu) { return make_translator(cpu, config); }};
    m.poke(FlatMachine::code_at, a_hundred_times([](x86::Assembler& a) {
                                     a.mov(x86::es, x86::eax);
                                     a.mov(x86::ecx, x86::cr0);
                                     a.push(x86::eax);
                                     a.pop(x86::ds);
                                 }) + Bytes{0xF4});
    m.run_from(FlatMachine::code_at);
    CHECK(m.engine->statistics().callouts.at("mov") == 200);
    CHECK(m.engine->statistics().callouts.at("pop") == 100);
}

TEST_CASE("segment loads: no flag changes", "[jit]") {
    SystemPair pair;
    pair.set_reg(Reg::Edi, 0x7FFFFFFF);
    Bytes code = a_hundred_times([](x86::Assembler& a) {
        a.add(x86::edi, 0x12345678);
        a.mov(x86::ds, x86::eax);
        a.adc(x86::ebx, 0);
        a.pushfd();
        a.push(x86::ds);
        a.pop(x86::es);
        a.pop(x86::edx);
        a.add(x86::ebp, x86::edx);
    });
    CHECK(pair.run(code) == none);
    CHECK(pair.reg(Reg::Ebx) > 5);
}

TEST_CASE("segment loads: a base that the guest changes counts from the next load of the same selector", "[jit]") {
    SystemPair pair;
    CHECK(run_with_change(pair, gdt + data0, 0x0010FFFF) == none);  // base 10h
    CHECK(pair.state().segment(Seg::Es).base == 0x10);
    CHECK(pair.interp.peek<u32>(data + 0x10) == 50 * 51 / 2);
}

TEST_CASE("segment loads: so does a limit that is cut", "[jit]") {
    SystemPair pair;
    CHECK(run_with_change(pair, gdt + data0 + 4, 0x00C09300) == none);  // 0FFFFFFFh
    CHECK(pair.state().segment(Seg::Es).limit == 0x0FFFFFFF);
    CHECK(run_with_change(pair, gdt + data0 + 4, 0x00409300) == vector::gp);  // FFFFh: `data` is beyond it
    CHECK(pair.state().segment(Seg::Es).limit == 0xFFFF);
}

TEST_CASE("segment loads: an accessed bit that the guest clears is set again", "[jit]") {
    SystemPair pair;
    CHECK(run_with_change(pair, gdt + data0 + 4, 0x00CF9200) == none);
    CHECK(pair.interp.peek<u8>(gdt + data0 + 5) == 0x93);
}

TEST_CASE("segment loads: a descriptor that has become unfit raises its fault", "[jit]") {
    struct {
        u32 high;
        int vector;
    } const changes[] = {
        {0x00CF1300, vector::np},  // not present
        {0x00CF8900, vector::gp},  // a TSS
        {0x00CF9900, vector::gp},  // code that cannot be read
        {0, vector::gp},
    };
    for (const auto& change : changes) {
        CAPTURE(change.high);
        SystemPair pair;
        CHECK(run_with_change(pair, gdt + data0 + 4, change.high) == change.vector);
        CHECK(pair.stacked(0) == data0);
        CHECK(pair.reg(Reg::Esi) == 50);
    }
}

TEST_CASE("segment loads: what changes only how a register may be used is loaded", "[jit]") {
    for (u32 high : {0x00CF9100u, 0x00DF9300u, 0x00CF9B00u, 0x008F9300u}) {  // read-only, AVL, code, 16-bit
        CAPTURE(high);
        SystemPair pair;
        run_with_change(pair, gdt + data0 + 4, high);
        CHECK(pair.state().segment(Seg::Es).access == (high >> 8 & 0xF0FF));
    }
}

TEST_CASE("segment loads: another table, or a shorter one, counts at once", "[jit]") {
    constexpr u32 pseudo = 0x11000, other_gdt = 0x22000;
    for (u16 limit : {u16{0xFF}, u16{data0 + 6}}) {
        CAPTURE(limit);
        SystemPair pair;
        pair.both([&](FlatMachine& m) {
            m.poke_value<u16>(pseudo, limit);
            m.poke_value<u32>(pseudo + 2, other_gdt);
            m.poke_value<u64>(other_gdt + 8, m.peek<u64>(gdt + 8));
            m.poke_value<u64>(other_gdt + data0, 0x00CF93000020FFFF);
        });
        Bytes code = a_hundred_times([](x86::Assembler& a) {
            auto unchanged = a.newLabel();
            a.mov(x86::es, x86::eax);
            a.cmp(x86::esi, 50);
            a.jne(unchanged);
            a.lgdt(x86::ptr(pseudo));
            a.bind(unchanged);
            a.mov(x86::es, x86::eax);
        });
        CHECK(pair.run(code) == (limit == 0xFF ? none : vector::gp));
        CHECK(pair.state().segment(Seg::Es).base == (limit == 0xFF ? 0x20 : 0));
    }
}

TEST_CASE("segment loads: a local descriptor is looked for in the local table of the moment", "[jit]") {
    constexpr u16 local = 0x0C, other_table = 0x78;
    SystemPair pair;
    pair.both([](FlatMachine& m) {
        SystemPair::describe(m, local, 0x100, 0xFFFFF, 0x93, 0xC);
        SystemPair::describe(m, other_table, ldt + 0x100, 0x17, 0x82, 0);
        m.poke_value<u64>(ldt + 0x100 + 8, 0x00CF93000200FFFF);
    });
    Bytes code = a_hundred_times([&](x86::Assembler& a) {
        auto second = a.newLabel();
        a.mov(x86::ecx, SystemPair::local_table);
        a.cmp(x86::esi, 50);
        a.ja(second);
        a.mov(x86::ecx, other_table);
        a.bind(second);
        a.lldt(x86::cx);
        a.mov(x86::edx, local);
        a.mov(x86::es, x86::edx);
        a.mov(x86::edx, x86::es);
        a.mov(x86::es, x86::edx);
    });
    CHECK(pair.run(code) == none);
    CHECK(pair.state().segment(Seg::Es).base == 0x200);
    CHECK(pair.bt.engine->statistics().callouts.at("mov") < 110);  // the second load is none
    pair.set_reg(Reg::Edx, local);
    pair.set_reg(Reg::Ecx, 0);
    CHECK(pair.run({0x8E, 0xC2, 0x0F, 0x00, 0xD1, 0x8E, 0xC2}) == vector::gp);  // mov es,edx; lldt cx; mov es,edx
}

TEST_CASE("segment loads: null selectors stay null, and others become so", "[jit]") {
    SystemPair pair;
    Bytes code = a_hundred_times([](x86::Assembler& a) {
        a.xor_(x86::edx, x86::edx);
        a.mov(x86::gs, x86::edx);
        a.mov(x86::gs, x86::edx);
        a.mov(x86::edx, 3);
        a.mov(x86::gs, x86::edx);
        a.mov(x86::fs, x86::eax);
        a.mov(x86::fs, x86::edx);
    });
    CHECK(pair.run(code) == none);
    CHECK(pair.state().segment(Seg::Fs).selector == 3);
    CHECK(pair.state().segment(Seg::Fs).access == 0);
}

// A selector that real mode left may ask for a lower level than its descriptor has.
TEST_CASE("segment loads: a selector that its register holds without right is refused", "[jit]") {
    SystemPair pair;
    pair.both([](FlatMachine& m) { m.state.segment(Seg::Es).selector = data0 | 3; });
    pair.set_reg(Reg::Edx, data0 | 3);
    CHECK(pair.run({0x8E, 0xC2}) == vector::gp);
    CHECK(pair.stacked(0) == data0);
}

TEST_CASE("segment loads: level 3 may not load what level 0 left", "[jit]") {
    SystemPair pair;
    pair.enter_level3();
    pair.both([](FlatMachine& m) { m.state.segment(Seg::Es) = {data0, 0xC093, 0xFFFFFFFF, 0}; });
    pair.set_reg(Reg::Edx, data0);
    CHECK(pair.run({0x8E, 0xC2}) == vector::gp);
}

TEST_CASE("segment loads: a handler of level 0 loads what level 3 had without leaving", "[jit]") {
    SystemPair pair;
    pair.both([](FlatMachine& m) {
        SystemPair::gate(m, SystemPair::idt + 8 * 0x40, SystemPair::code0, SystemPair::near_code, 0xEE, 0);
    });
    auto handler = assemble(SystemPair::near_code, [](x86::Assembler& a) {
        a.push(x86::ds);
        a.push(x86::es);
        a.mov(x86::edx, data3);
        a.mov(x86::ds, x86::edx);
        a.mov(x86::es, x86::edx);
        a.pop(x86::es);
        a.pop(x86::ds);
        a.iretd();
    });
    pair.put(SystemPair::near_code, handler);
    auto code = assemble(SystemPair::code, [](x86::Assembler& a) {
        auto again = a.newLabel();
        a.mov(x86::ecx, 100);
        a.bind(again);
        a.int_(0x40);
        a.dec(x86::ecx);
        a.jnz(again);
        a.int_(SystemPair::end_vector);
    });
    pair.enter_level3();
    CHECK(pair.run(code) == SystemPair::end_vector);
    auto callouts = pair.bt.engine->statistics().callouts;
    CHECK(callouts["mov"] == 0);
    CHECK(callouts["pop"] == 0);
    CHECK(callouts["iretd"] >= 100);
}

TEST_CASE("segment loads: a table that is no memory is asked for its descriptor", "[jit]") {
    constexpr u32 beyond = 0x200000, pseudo = 0x11000;
    SystemPair pair;
    pair.both([](FlatMachine& m) {
        m.poke_value<u16>(pseudo, 0xFF);
        m.poke_value<u32>(pseudo + 2, beyond);
    });
    Bytes code = a_hundred_times([](x86::Assembler& a) {
        a.lgdt(x86::ptr(pseudo));
        a.mov(x86::es, x86::eax);
        a.mov(x86::es, x86::eax);
    });
    CHECK(pair.run(code) == none);
    CHECK(pair.state().segment(Seg::Es).base == 0xFFFFFFFF);
}

namespace {

// Selector 1010h, of which GDT page 22h tells, is in ES.
struct PagedTable : PagedProgram {
    static constexpr u32 table_page = 0x22, entry = entry_of(table_page);
    static constexpr u16 far_data = 0x1010;

    PagedTable() {
        both([](FlatMachine& m) {
            m.poke_value<u64>(gdt + far_data, 0x00CF93000000FFFF);
            m.state.gdtr.limit = 0x1FFF;
            m.state.segment(Seg::Es).selector = far_data;
        });
    }
};

// Twenty times: loads ES, changes the entry of the table's page, and loads it again.
template <typename Change, typename Again>
void load_around(x86::Assembler& a, Change change, Again load_again) {
    auto again = a.newLabel();
    a.mov(x86::esi, 20);
    a.mov(x86::ecx, PagedTable::far_data);
    a.bind(again);
    a.mov(x86::es, x86::ecx);
    change();
    a.invlpg(x86::ptr(PagedTable::table_page << page_shift));
    load_again();
    a.dec(x86::esi);
    a.jnz(again);
    a.hlt();
}

}  // namespace

TEST_CASE("segment loads: a table's page that is missing faults as the supervisor's read", "[jit]") {
    PagedTable pair;
    pair.run(
        [](x86::Assembler& a) {
            auto take_away = [&] { a.mov(x86::dword_ptr(PagedTable::entry), 0x22002); };  // not present
            load_around(a, take_away, [&] {
                a.stc();
                a.mov(x86::es, x86::ecx);
                a.adc(x86::edi, 0);
                a.push(x86::ecx);
                a.pop(x86::es);
            });
        },
        [](x86::Assembler& a) {
            a.mov(x86::eax, x86::cr2);
            a.add(x86::ebx, x86::eax);
            a.pop(x86::eax);
            a.add(x86::ebp, x86::eax);
            a.mov(x86::dword_ptr(PagedTable::entry), 0x22001);  // present, read-only, the supervisor's, A clear
            a.iretd();
        });
    CHECK(pair.interp.reg(Reg::Ebx) == 20 * (gdt + PagedTable::far_data));
    CHECK(pair.interp.reg(Reg::Ebp) == 0);
    CHECK(pair.interp.reg(Reg::Edi) == 20);
    CHECK(pair.bt.peek<u32>(PagedTable::entry) == 0x22021);  // A is set
}

TEST_CASE("segment loads: the descriptor is that of the page which the tables show now", "[jit]") {
    PagedTable pair;
    pair.both([](FlatMachine& m) { m.poke_value<u64>(0x60010, 0x00CF93000040FFFF); });
    pair.run(
        [](x86::Assembler& a) {
            auto exchange = [&] { a.xor_(x86::dword_ptr(PagedTable::entry), 0x42000); };
            load_around(a, exchange, [&] {
                a.mov(x86::es, x86::ecx);
                x86::Mem word = x86::dword_ptr(data);
                word.setSegment(x86::es);
                a.add(word, x86::esi);
            });
        },
        [](x86::Assembler& a) { a.hlt(); });
    CHECK(pair.interp.peek<u32>(data + 0x40) == 110);
    CHECK(pair.interp.peek<u32>(data) == 100);
}

TEST_CASE("control registers: level 0 reads them without leaving translated code", "[jit]") {
    SystemPair pair;
    pair.both([](FlatMachine& m) {
        m.state.cr2 = 0x12345678;
        m.state.cr3 = 0x87654000;
        m.state.cr4 = cr4::osfxsr;
    });
    Bytes code = a_hundred_times([](x86::Assembler& a) {
        a.stc();
        a.mov(x86::ebx, x86::cr0);
        a.mov(x86::ecx, x86::cr2);
        a.mov(x86::edx, x86::cr3);
        a.mov(x86::edi, x86::cr4);
        a.adc(x86::ebp, 0);
    });
    CHECK(pair.run(code) == none);
    CHECK(callouts_of(pair) <= 2);
    CHECK(pair.reg(Reg::Ebx) == static_cast<u32>(pair.state().cr0));
    CHECK(pair.reg(Reg::Ecx) == 0x12345678);
    CHECK(pair.reg(Reg::Edx) == 0x87654000);
    CHECK(pair.reg(Reg::Edi) == cr4::osfxsr);
    CHECK(pair.reg(Reg::Ebp) == 100);
    CHECK(pair.run({0x0F, 0x20, 0xC4}) == none);  // mov esp, cr0
    CHECK(pair.reg(Reg::Esp) == static_cast<u32>(pair.state().cr0));
}

TEST_CASE("control registers: a write is seen by the next read", "[jit]") {
    SystemPair pair;
    Bytes code = a_hundred_times([](x86::Assembler& a) {
        a.mov(x86::cr2, x86::esi);
        a.mov(x86::ecx, x86::cr2);
        a.add(x86::ebx, x86::ecx);
    });
    CHECK(pair.run(code) == none);
    CHECK(pair.reg(Reg::Ebx) == 100 * 101 / 2);
}

TEST_CASE("control registers: other levels get #GP, other numbers #UD", "[jit]") {
    for (u8 number : {u8{0}, u8{2}, u8{3}, u8{4}}) {
        CAPTURE(int{number});
        SystemPair pair;
        const Bytes read = {0x0F, 0x20, static_cast<u8>(0xC0 | number << 3)};
        pair.enter_level3();
        CHECK(pair.run(read) == vector::gp);
        pair.enter_v86(3);
        CHECK(pair.run(read) == vector::gp);
    }
    SystemPair pair;
    for (u8 number : {u8{1}, u8{5}, u8{6}, u8{7}})
        CHECK(pair.run({0x0F, 0x20, static_cast<u8>(0xC0 | number << 3)}) == vector::ud);
}

TEST_CASE("control registers: real mode reads them", "[jit]") {
    EnginePair<RealModeMachine> pair;
    pair.both([](RealModeMachine& m) {
        m.state.cr2 = 0x11112222;
        m.run({0x0F, 0x20, 0xC0, 0x0F, 0x20, 0xD1, 0x0F, 0x20, 0xE2});  // mov eax,cr0; mov ecx,cr2; mov edx,cr4
    });
    CHECK(pair.compare() == "");
    CHECK(pair.interp.reg(Reg::Eax) == static_cast<u32>(pair.interp.state.cr0));
    CHECK(pair.interp.reg(Reg::Ecx) == 0x11112222);
}
