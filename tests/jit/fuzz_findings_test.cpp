// What the fuzz target `code` found, each in its smallest form (docs/fuzzing.md).
#include <catch2/catch.hpp>

#include "jit/engine_pair.hpp"

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

}  // namespace vellum::test
