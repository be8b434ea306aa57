// What the translator makes of a small program, as bytes of the host.
#pragma once

#include <catch2/catch.hpp>

#include <algorithm>
#include <initializer_list>
#include <vector>

#include "jit/engine_pair.hpp"
#include "jit/guest_program.hpp"

namespace vellum::test {

struct EmittedBlocks final : CodeObserver {
    std::vector<std::vector<u8>> blocks;  // in the order in which they were made

    void code_added(const NamedCode& code) override {
        if (code.name.starts_with("guest.")) blocks.emplace_back(code.bytes.begin(), code.bytes.end());
    }
    // How often a block has those bytes one behind the other.
    static int count(const std::vector<u8>& bytes, std::initializer_list<u8> wanted) {
        int found = 0;
        for (auto at = bytes.begin(); at != bytes.end(); ++at) {
            at = std::search(at, bytes.end(), wanted.begin(), wanted.end());
            if (at == bytes.end()) break;
            ++found;
        }
        return found;
    }
    int count_in_first(std::initializer_list<u8> wanted) const { return count(blocks.at(0), wanted); }
    bool has(std::initializer_list<u8> wanted) const {
        return std::any_of(blocks.begin(), blocks.end(), [&](const auto& block) { return count(block, wanted) != 0; });
    }
};

// Runs the program to its HLT, with EDI at data and a stack.
template <typename Write>
EmittedBlocks emitted_for(Write write, TranslatorConfig config = {}) {
    EmittedBlocks seen;
    FlatMachine m{1u << 20, [&](Cpu& cpu) {
                      config.verifier = verify;
                      config.observer = &seen;
                      return make_translator(cpu, config);
                  }};
    m.poke(TestMachine::code_at, assemble(TestMachine::code_at, write));
    m.state.eip = TestMachine::code_at;
    m.set_reg(Reg::Edi, TestMachine::data_at);
    m.set_reg(Reg::Esp, 0x8000);
    CHECK(m.engine->run() == Stop::Halted);
    return seen;
}

}  // namespace vellum::test
