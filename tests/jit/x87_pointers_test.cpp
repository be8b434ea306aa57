// What the x87 unit remembers of its last instruction (SDM vol. 1, 8.1.8): where it was, and of one that raised an
// exception which is not masked, its opcode and operand. On both engines.
#include "cpu/fpu.hpp"
#include "jit/debug_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

constexpr u32 code = FlatMachine::code_at, data = FlatMachine::data_at;
constexpr u32 all_masked = data, zero_divide_unmasked = data + 4, zero = data + 8;  // words, and a float
const Bytes fninit = {0xDB, 0xE3}, fnclex = {0xDB, 0xE2}, fld1 = {0xD9, 0xE8}, fldz = {0xD9, 0xEE},
            fdivp = {0xDE, 0xF9}, fpop = {0xDD, 0xD8}, fnop = {0xD9, 0xD0}, fwait = {0x9B};
const Bytes no_ecx = {0x31, 0xC9}, divide_by_ecx = {0xF7, 0xF1}, nop = {0x90};  // xor ecx,ecx; div ecx: #DE
Bytes fldcw(u32 at) { return with_address({0xD9, 0x2D}, at); }
Bytes fdiv(u32 at) { return with_address({0xD8, 0x35}, at); }

struct PointerPair : DebugPair {
    PointerPair() {
        both([](FlatMachine& m) {
            m.poke_value<u16>(all_masked, 0x37F);
            m.poke_value<u16>(zero_divide_unmasked, 0x37B);
        });
    }
    x87::Pointers behind(const Bytes& bytes) {
        run(bytes);
        return x87::pointers(bt.state.fpu);
    }
    u32 selector(Seg s) const { return interp.state.segment(s).selector; }
};

struct Run {
    const char* name;
    Bytes bytes;
    u32 last;  // where in them
};

const Run runs[] = {
    {"one", fnop, 0},
    {"the last of some", fld1 + fpop + nop + fld1 + nop, 5},
    {"a fault between two", fld1 + no_ecx + divide_by_ecx + fpop, 0},
    {"a fault between others", no_ecx + fld1 + fpop + nop + divide_by_ecx + fld1 + fpop, 4},
    {"a fault behind all", no_ecx + fld1 + fpop + divide_by_ecx, 4},
    {"the control word, and what looks at the unit, are not it",
     fld1 + fldcw(all_masked) + Bytes{0xDF, 0xE0} + fwait + fnclex, 0},
    {"the control word between two", fld1 + fldcw(all_masked) + no_ecx + divide_by_ecx + fpop, 0},
    {"a loop that is left at its end", Bytes{0xB9, 3, 0, 0, 0} + fld1 + fpop + Bytes{0xE2, 0xFA} + nop, 7},
    {"a branch over one", Bytes{0x31, 0xC0} + fld1 + Bytes{0x74, 0x02} + fpop + nop, 2},
    {"a branch to one", fld1 + Bytes{0xEB, 0x01, 0xF4} + fpop + nop, 5},
    {"MMX is not it", fld1 + Bytes{0x0F, 0xEF, 0xC0, 0x0F, 0x77}, 0},
};

}  // namespace

TEST_CASE("x87 pointers: the last instruction's address is the guest's own, wherever control left") {
    for (const Run& r : runs) {
        INFO(r.name);
        PointerPair pair;
        x87::Pointers found = pair.behind(fninit + r.bytes);
        CHECK(found.instruction_offset == code + 2 + r.last);
        CHECK(found.instruction_selector == pair.selector(Seg::Cs));
        CHECK(found.opcode == 0);
        CHECK(found.data_offset == 0);
        CHECK(found.data_selector == 0);
    }
}

TEST_CASE(
    "x87 pointers: behind an exception that is not masked, opcode and operand are shown, until the next instruction") {
    const Bytes raise = fninit + fldcw(zero_divide_unmasked) + fld1 + fdiv(zero);
    for (const Bytes& way_out : {fwait, no_ecx + divide_by_ecx, fld1, fnclex, Bytes{0x0F, 0xA2}}) {
        PointerPair pair;
        x87::Pointers found = pair.behind(raise + way_out);
        CHECK(found.instruction_offset == code + 10);
        CHECK(found.opcode == 0x035);  // D8 35
        CHECK(found.data_offset == zero);
        CHECK(found.data_selector == pair.selector(Seg::Ds));
    }
    PointerPair pair;
    x87::Pointers later = pair.behind(raise + fnclex + fld1);
    CHECK(later.instruction_offset == code + 18);
    CHECK(later.opcode == 0);
    CHECK(later.data_offset == 0);
    CHECK(later.data_selector == 0);
    later = pair.behind(raise + fninit);
    CHECK(later.instruction_offset == 0);
    CHECK(later.opcode == 0);
}

TEST_CASE("x87 pointers: the operand is an offset in its segment, and an instruction without one has none") {
    PointerPair pair;
    pair.both([](FlatMachine& m) { m.state.segment(Seg::Es).base = data; });
    Bytes es_divide = Bytes{0x26} + with_address({0xD8, 0x35}, zero - data);
    x87::Pointers found = pair.behind(fninit + fldcw(zero_divide_unmasked) + fld1 + es_divide + fwait);
    CHECK(found.data_offset == zero - data);
    CHECK(found.data_selector == pair.selector(Seg::Es));
    found = pair.behind(fninit + fldcw(zero_divide_unmasked) + fld1 + fldz + fdivp + fwait);
    CHECK(found.opcode == 0x6F9);
    CHECK(found.data_offset == 0);
    CHECK(found.data_selector == 0);
}

TEST_CASE("x87 pointers: what FLDCW makes pending is not the last instruction's") {
    PointerPair pair;
    x87::Pointers found = pair.behind(fninit + fld1 + fldz + fdivp + fldcw(zero_divide_unmasked) + fwait);
    CHECK(pair.bt.halted_by() == vector::mf);
    CHECK(found.instruction_offset == code + 6);
    CHECK(found.opcode == 0);
    // But what is raised behind it is, whether or not its address was stored.
    found = pair.behind(fninit + no_ecx + fldcw(zero_divide_unmasked) + fld1 + fldz + fdivp + divide_by_ecx + fpop);
    CHECK(pair.bt.halted_by() == vector::de);
    CHECK(found.opcode == 0x6F9);
}

TEST_CASE("x87 pointers: code that is entered anew for each instruction shows the same") {
    PointerPair pair;
    pair.both([](FlatMachine& m) {
        Bytes bytes = fninit + fldcw(zero_divide_unmasked) + Bytes{0xB9, 5, 0, 0, 0} + fld1 + fld1 + fpop + fpop +
                      Bytes{0xE2, 0xF6} + fld1 + fdiv(zero) + fnclex + fpop + Bytes{0xF4};
        m.poke(code, bytes);
        m.state.eip = code;
    });
    for (u32 step = 0; step < 40; ++step) CHECK(pair.advance(1 + step % 3) == "");
    CHECK(pair.interp.state.activity == Activity::Halted);
}
