// Programs of level 0 under paging, with a page fault handler of their own, on both engines.
#pragma once

#include <catch2/catch.hpp>

#include "jit/engine_pair.hpp"
#include "jit/guest_program.hpp"

namespace vellum::test {

// The first MiB is mapped onto itself by one table; #PF goes to `handler`.
struct PagedProgram : EnginePair<FlatMachine> {
    static constexpr u32 directory = 0x40000, table = 0x41000, handler = 0x5000, pages = 256;

    static constexpr u32 entry_of(u32 page) { return table + 4 * page; }

    explicit PagedProgram(const EngineFactory& make_bt = make_counting_translator) : EnginePair{1u << 20, make_bt} {
        both([](FlatMachine& m) {
            m.poke_value<u32>(directory, table | 7);
            for (u32 page = 0; page < pages; ++page) m.poke_value<u32>(entry_of(page), page << 12 | 0x67);
            m.poke_value<u64>(FlatMachine::idt_at + 8 * vector::pf, u64{0x8E00} << 32 | 8u << 16 | handler);
            m.state.cr3 = directory;
            m.state.cr0 |= cr0::pg | cr0::wp;
            m.engine->state_replaced();
        });
    }

    // To its HLT.
    template <typename Program, typename Handler>
    void run(Program program, Handler on_fault) {
        auto code = assemble(FlatMachine::code_at, program), faults = assemble(handler, on_fault);
        both([&](FlatMachine& m) {
            m.poke(FlatMachine::code_at, code);
            m.poke(handler, faults);
            m.state.eip = FlatMachine::code_at;
        });
        for (int i = 0; i < 1000 && interp.state.activity == Activity::Running; ++i) REQUIRE(advance(100) == "");
        CHECK(interp.state.activity == Activity::Halted);
    }
};

}  // namespace vellum::test
