// x87 exceptions while CR0.NE is clear, on both engines: FERR# at the next waiting instruction, which stands still
// until the exception is cleared or IGNNE# is asserted (SDM vol. 1, 8.7 and D.2).
#include "jit/debug_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

constexpr u32 code = FlatMachine::code_at, data = FlatMachine::data_at;
constexpr u8 nop = 0x90, fwait = 0x9B;
const Bytes fnclex = {0xDB, 0xE2};
// fninit; fldcw [data], which holds 37Bh; fld1; fldz; fdivp: 14 bytes, after which #Z is pending
const Bytes divide = Bytes{0xDB, 0xE3} + with_address({0xD9, 0x2D}, data) + Bytes{0xD9, 0xE8, 0xD9, 0xEE, 0xDE, 0xF9};
constexpr u32 behind = code + 14;

struct ErrorPair : DebugPair {
    ErrorPair() {
        both([](FlatMachine& m) {
            m.state.cr0 &= ~cr0::ne;
            m.poke_value<u16>(data, 0x37B);
        });
    }
    // Puts the code, and runs that many instructions of it.
    void begin(const Bytes& bytes, u64 instructions) {
        both([&](FlatMachine& m) {
            m.poke(code, bytes);
            m.poke(code + bytes.size(), {0xF4});
            m.state.eip = code;
        });
        CHECK(advance(instructions) == "");
    }
    bool ferr() const {
        CHECK(interp.outside.ferr == bt.outside.ferr);
        return bt.outside.ferr;
    }
};

}  // namespace

TEST_CASE("x87 errors: FERR# is asserted at the next waiting instruction, which stands still") {
    ErrorPair pair;
    pair.begin(divide + Bytes{nop, fwait}, 6);
    CHECK(pair.interp.state.eip == behind + 1);
    CHECK_FALSE(pair.ferr());
    CHECK(pair.advance(20) == "");
    CHECK(pair.interp.state.eip == behind + 1);
    CHECK(pair.ferr());
}

TEST_CASE("x87 errors: an interrupt ends the standstill, and FNCLEX takes FERR# back") {
    ErrorPair pair;
    pair.both([](FlatMachine& m) { m.poke(FlatMachine::handlers_at + vector::nmi, fnclex + Bytes{0xCF}); });
    pair.begin(divide + Bytes{fwait}, 20);
    CHECK(pair.ferr());
    pair.both([](FlatMachine& m) { m.cpu.attention.raise(Attention::Nmi); });
    CHECK(pair.advance(20) == "");
    CHECK(pair.interp.state.activity == Activity::Halted);
    CHECK_FALSE(pair.ferr());
}

TEST_CASE("x87 errors: with IGNNE# waiting instructions go on, and the exception stays pending") {
    ErrorPair pair;
    pair.both([](FlatMachine& m) { m.outside.ignore_x87_errors = true; });
    // fld1; fadd st, st; fwait; fnstsw ax; then one that masks: fldcw [data+4]
    pair.begin(divide + Bytes{0xD9, 0xE8, 0xD8, 0xC0, fwait, 0xDF, 0xE0} + with_address({0xD9, 0x2D}, data + 4), 9);
    CHECK(pair.ferr());
    CHECK((pair.interp.reg(Reg::Eax) & 0x84) == 0x84);
    CHECK(pair.interp.state.fpu.st[0][9] == 0x40);  // 2.0
    pair.both([](FlatMachine& m) { m.poke_value<u16>(data + 4, 0x37F); });
    CHECK(pair.advance(1) == "");
    CHECK_FALSE(pair.ferr());
}

TEST_CASE("x87 errors: with IGNNE# MMX instructions go on") {
    ErrorPair pair;
    pair.both([](FlatMachine& m) { m.outside.ignore_x87_errors = true; });
    pair.begin(divide + Bytes{0x0F, 0xEF, 0xC0}, 8);  // pxor mm0, mm0
    CHECK(pair.interp.state.activity == Activity::Halted);
    CHECK(pair.interp.state.fpu.tags == 0xFF);
    CHECK((pair.interp.state.fpu.status & 0x84) == 0x84);
}

TEST_CASE("x87 errors: setting CR0.NE takes FERR# back, and the exception is #MF from then on") {
    ErrorPair pair;
    pair.both([](FlatMachine& m) { m.poke(FlatMachine::handlers_at + vector::nmi, {0x0F, 0x22, 0xC0, 0xCF}); });
    pair.begin(divide + Bytes{fwait}, 20);
    CHECK(pair.ferr());
    pair.set_reg(Reg::Eax, static_cast<u32>(pair.interp.state.cr0 | cr0::ne));
    pair.both([](FlatMachine& m) { m.cpu.attention.raise(Attention::Nmi); });
    CHECK(pair.advance(20) == "");
    CHECK(pair.interp.halted_by() == vector::mf);
    CHECK_FALSE(pair.ferr());
}
