// Hand-picked instructions on both engines.
#include <catch2/catch.hpp>

#include "jit/engine_pair.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

template <typename Machine>
std::string run_both(std::initializer_list<u8> code, u64 stretch = 1000) {
    EnginePair<Machine> pair;
    pair.both([&](Machine& m) {
        m.poke(TestMachine::code_at, code);
        m.poke(TestMachine::code_at + code.size(), {0xF4});
        m.state.eip = TestMachine::code_at;
    });
    while (pair.interp.state.activity == Activity::Running) {
        std::string found = pair.advance(stretch);
        if (!found.empty()) return found;
    }
    return {};
}

}  // namespace

TEST_CASE("PUSHF in 16-bit code pushes the flags of the instruction before it", "[jit][translation]") {
    // xor eax,eax; pushf; add eax,5; popf
    CHECK(run_both<RealModeMachine>({0x66, 0x31, 0xC0, 0x9C, 0x66, 0x05, 5, 0, 0, 0, 0x9D}) == "");
    // or eax,eax; jmp next; mov eax,ebp; pushf; add eax,-8; popf
    CHECK(run_both<RealModeMachine>(
              {0x66, 0x31, 0xC0, 0xEB, 0, 0x88, 0xDA, 0x66, 0x89, 0xE8, 0x9C, 0x66, 0x83, 0xC0, 0xF8, 0x9D}) == "");
    CHECK(run_both<RealModeMachine>(
              {0x66, 0x31, 0xC0, 0x66, 0x01, 0xD2, 0x66, 0x89, 0xD0, 0x9C, 0x66, 0x01, 0xF0, 0x9D}) == "");
}
