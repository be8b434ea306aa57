// Where a loop asks for attention: before the comparison, so that it stays together with its Jcc.
#include <catch2/catch.hpp>

#include <algorithm>

#include "jit/engine_pair.hpp"
#include "jit/guest_program.hpp"

using namespace vellum;
using namespace vellum::test;
namespace x86 = asmjit::x86;

namespace {

struct FirstBlock final : CodeObserver {
    std::vector<u8> bytes;
    void code_added(const NamedCode& code) override {
        if (bytes.empty() && code.name.starts_with("guest.")) bytes.assign(code.bytes.begin(), code.bytes.end());
    }
    // How often the block has those bytes one behind the other.
    int count(std::initializer_list<u8> wanted) const {
        int found = 0;
        for (auto at = bytes.begin(); at != bytes.end(); ++at) {
            at = std::search(at, bytes.end(), wanted.begin(), wanted.end());
            if (at == bytes.end()) break;
            ++found;
        }
        return found;
    }
};

template <typename Write>
FirstBlock block_of(Write write) {
    FirstBlock seen;
    FlatMachine m{1u << 20, [&](Cpu& cpu) {
                      TranslatorConfig config;
                      config.verifier = verify;
                      config.observer = &seen;
                      return make_translator(cpu, config);
                  }};
    m.poke(TestMachine::code_at, assemble(TestMachine::code_at, write));
    m.state.eip = TestMachine::code_at;
    CHECK(m.engine->run() == Stop::Halted);
    return seen;
}

}  // namespace

// 45 8B 1B: `mov r11d,[r11]`, with which a poll ends. FF C9: `dec ecx`. 0F 85: JNZ. 0F 83: JAE.
TEST_CASE("polls: a loop's comparison and branch stay together", "[jit][attention]") {
    FirstBlock loop = block_of([](x86::Assembler& a) { counted_loop(a, 3, [] {}); });
    CHECK(loop.count({0x45, 0x8B, 0x1B, 0xFF, 0xC9, 0x0F, 0x85}) == 1);
    CHECK(loop.count({0x45, 0x8B, 0x1B}) == 1);
}

TEST_CASE("polls: none comes between STI and what follows it", "[jit][attention]") {
    FirstBlock loop = block_of([](x86::Assembler& a) { counted_loop(a, 3, [&] { a.sti(); }); });
    CHECK(loop.count({0x45, 0x8B, 0x1B, 0xFF, 0xC9}) == 0);
    CHECK(loop.count({0xFF, 0xC9}) == 1);
    CHECK(loop.count({0x45, 0x8B, 0x1B, 0x0F, 0x85}) == 1);
}

TEST_CASE("polls: a branch that is jumped to asks for itself", "[jit][attention]") {
    FirstBlock loop = block_of([](x86::Assembler& a) {
        auto again = a.newLabel(), branch = a.newLabel();
        a.mov(x86::ecx, 3);
        a.bind(again);
        a.test(x86::al, 1);
        a.jnz(branch);
        a.dec(x86::ecx);
        a.bind(branch);
        a.jnz(again);
        a.hlt();
    });
    CHECK(loop.count({0x45, 0x8B, 0x1B, 0x0F, 0x85}) == 1);
    CHECK(loop.count({0x45, 0x8B, 0x1B}) == 1);
}

TEST_CASE("polls: a branch that only leads on needs none", "[jit][attention]") {
    FirstBlock straight = block_of([](x86::Assembler& a) {
        auto on = a.newLabel();
        a.cmp(x86::eax, 5);
        a.jnz(on);
        a.inc(x86::edx);
        a.bind(on);
        a.hlt();
    });
    CHECK(straight.count({0x45, 0x8B, 0x1B}) == 0);
}
