// Address spaces that share code pages, each with its own idea of the pages that these lead to. Links between pages,
// remembered returns and jump caches must follow what the current tables say.
#include <catch2/catch.hpp>

#include <array>
#include <random>

#include "jit/engine_pair.hpp"
#include "jit/guest_program.hpp"

using namespace vellum;
using namespace vellum::test;
namespace x86 = asmjit::x86;

namespace {

constexpr u32 present = 1, writable = 2, user = 4, page_size_bit = 0x80, global = 0x100, accessed = 0x20, dirty = 0x40;

// Function f lies at linear page f of a window, in one of several copies that add something else to EAX and lead on to
// another function; EDX counts how far. The driver, on a page that all spaces share, works through a list of steps:
// load CR3, change an entry and INVLPG it, call.
struct World {
    static constexpr u32 spaces = 5, functions = 8, copies = 3, window = 0x400000, script = 0x200000;
    static constexpr u32 directories = 0x100000, tables = 0x110000, pages = 0x140000, depth = 14;
    struct Step {
        u32 cr3, function, entry_at, entry, invalidated, unused[3];
    };

    explicit World(u64 seed) : random{seed} {
        pair.both([](FlatMachine& m) {
            m.poke(TestMachine::code_at, driver());
            m.state.cr4 |= cr4::pse | cr4::pge;
        });
        for (u32 f = 0; f < functions; ++f)
            for (u32 c = 0; c < copies; ++c) put(page_of_copy(f, c), function(f, c));
        for (u32 s = 0; s < spaces; ++s) {
            put_value(directory(s), present | writable | page_size_bit | global | accessed | dirty);
            put_value(directory(s) + 4, table(s) | present | writable | user);
            for (u32 f = 0; f < functions; ++f) put_value(table(s) + 4 * f, entry(f, below(copies)));
        }
    }

    u32 below(u32 n) { return static_cast<u32>(random() % n); }
    static u32 directory(u32 s) { return directories + s * 0x1000; }
    static u32 table(u32 s) { return tables + s * 0x1000; }
    static u32 page_of_copy(u32 f, u32 c) { return pages + (f * copies + c) * 0x1000; }
    static u32 entry(u32 f, u32 c) { return page_of_copy(f, c) | present | writable | user; }
    void put(u32 at, const std::vector<u8>& bytes) {
        pair.both([&](FlatMachine& m) { m.poke(at, bytes); });
    }
    void put_value(u32 at, u32 value) {
        pair.both([&](FlatMachine& m) { m.poke_value<u32>(at, value); });
    }

    static std::vector<u8> driver() {
        return assemble(TestMachine::code_at, [](x86::Assembler& a) {
            counted_loop(a, 1, [&] {
                auto again = a.newLabel(), unchanged = a.newLabel(), done = a.newLabel();
                a.bind(again);
                a.mov(x86::ebx, x86::dword_ptr(x86::esi, offsetof(Step, cr3)));
                a.test(x86::ebx, x86::ebx);
                a.jz(done);
                a.mov(x86::cr3, x86::ebx);
                a.mov(x86::ebx, x86::dword_ptr(x86::esi, offsetof(Step, entry_at)));
                a.test(x86::ebx, x86::ebx);
                a.jz(unchanged);
                a.mov(x86::ebp, x86::dword_ptr(x86::esi, offsetof(Step, entry)));
                a.mov(x86::dword_ptr(x86::ebx), x86::ebp);
                a.mov(x86::ebx, x86::dword_ptr(x86::esi, offsetof(Step, invalidated)));
                a.invlpg(x86::ptr(x86::ebx));
                a.bind(unchanged);
                a.mov(x86::edx, depth);
                a.call(x86::dword_ptr(x86::esi, offsetof(Step, function)));
                a.add(x86::esi, sizeof(Step));
                a.jmp(again);
                a.bind(done);
            });
        });
    }
    // Copies lead on by a call, a jump or an indirect jump.
    static std::vector<u8> function(u32 f, u32 c) {
        u32 here = window + f * 0x1000, next = window + (f + 1 + c) % functions * 0x1000;
        return assemble(here, [=](x86::Assembler& a) {
            auto out = a.newLabel();
            a.imul(x86::eax, x86::eax, 31);
            a.add(x86::eax, f * 16 + c + 1);
            a.dec(x86::edx);
            a.jz(out);
            if (c == 0) a.call(next);
            if (c == 1) a.jmp(next);
            if (c == 2) {
                a.mov(x86::edi, next);
                a.jmp(x86::edi);
            }
            a.add(x86::eax, 7);
            a.bind(out);
            a.ret();
        });
    }

    // In each step a space is likely to stay what it was; `change`: how many in 100 steps change an entry.
    void write_script(u32 steps, u32 stay, u32 change) {
        u32 space = 0;
        for (u32 i = 0; i < steps; ++i) {
            if (below(100) >= stay) space = below(spaces);
            Step step{directory(space), window + below(functions) * 0x1000, 0, 0, 0, {}};
            if (below(100) < change) {
                u32 f = below(functions);
                step.entry_at = table(below(100) < 70 ? space : below(spaces)) + 4 * f;  // of another: seen by its CR3
                step.entry = entry(f, below(copies));
                step.invalidated = window + f * 0x1000;
            }
            pair.both([&](FlatMachine& m) { m.poke_value(script + i * sizeof(Step), step); });
        }
        put_value(script + steps * sizeof(Step), 0);
    }
    void start() {
        pair.both([](FlatMachine& m) {
            m.state.cr3 = directory(0);
            m.state.cr0 |= cr0::pg;
            m.set_reg(Reg::Esi, script);
            m.state.eip = TestMachine::code_at;
            m.state.activity = Activity::Running;
            m.cpu.mmu.flush();
            m.engine->state_replaced();
        });
    }

    std::mt19937_64 random;
    EnginePair<FlatMachine> pair{4u << 20};
};

}  // namespace

TEST_CASE("links: random address spaces share code pages and see other pages behind them", "[jit][linking]") {
    auto [stay, change] = GENERATE(table<u32, u32>({{0, 0}, {50, 0}, {95, 0}, {50, 20}, {95, 5}, {80, 60}}));
    auto seed = GENERATE(range(1, 5));
    CAPTURE(stay, change, seed);
    World world{static_cast<u64>(seed)};
    world.write_script(600, stay, change);
    world.start();
    while (world.pair.interp.state.activity == Activity::Running)
        REQUIRE(world.pair.advance(world.below(4000) + 1) == "");
    CHECK(world.pair.interp.reg(Reg::Eax) != 0);
    CHECK(world.pair.interp.halted_by() == -1);
}
