// Pages of code that are seen at another linear address than before, and the translations that they take along.
#include <catch2/catch.hpp>

#include <random>

#include "jit/debug_fixture.hpp"
#include "jit/engine_pair.hpp"
#include "jit/guest_program.hpp"

using namespace vellum;
using namespace vellum::test;
namespace x86 = asmjit::x86;

namespace {

constexpr u32 present = 1, writable = 2, user = 4, page_size_bit = 0x80, accessed = 0x20, dirty = 0x40;

// A program of two pages that does not know where it lies, in 4 MiB that a space of its own maps to it somewhere. The
// driver, at the same address in all spaces, works through a list of steps: change entries, load CR3, call. Of the
// program's second page there are two copies, which differ.
struct World {
    static constexpr u32 spaces = 4, window = 0x400000, script = 0x200000, program_at = 0x140000;
    static constexpr u32 beyond_memory = 0x800000;
    static constexpr u32 directories = 0x100000, tables = 0x110000;
    static constexpr u32 program_entry = program_at | present | writable | user | accessed | dirty;
    struct Step {
        u32 cr3, clear_at, entry_at, function, second_entry;
    };

    World() {
        both([](FlatMachine& m) {
            m.poke(TestMachine::code_at, driver());
            auto first = program(true), other = program(false);
            m.poke(program_at, first);
            m.poke(program_at + 0x2000, {other.begin() + 0x1000, other.end()});
            m.state.cr4 |= cr4::pse;
        });
        for (u32 s = 0; s < spaces; ++s) {
            put(directory(s), present | writable | page_size_bit | accessed | dirty);
            put(directory(s) + 8, beyond_memory | present | writable | page_size_bit | accessed);
            put(directory(s) + 4, table(s) | present | writable | user);
        }
    }

    void both(auto change) { pair.both(change); }
    void put(u32 at, u32 value) {
        both([&](FlatMachine& m) { m.poke_value<u32>(at, value); });
    }
    static u32 directory(u32 s) { return directories + s * 0x1000; }
    static u32 table(u32 s) { return tables + s * 0x1000; }

    static std::vector<u8> driver() {
        return assemble(TestMachine::code_at, [](x86::Assembler& a) {
            auto again = a.newLabel(), done = a.newLabel();
            a.bind(again);
            a.mov(x86::ebx, x86::dword_ptr(x86::esi, offsetof(Step, cr3)));
            a.test(x86::ebx, x86::ebx);
            a.jz(done);
            a.mov(x86::ebp, x86::dword_ptr(x86::esi, offsetof(Step, clear_at)));
            for (int page = 0; page < 2; ++page) a.mov(x86::dword_ptr(x86::ebp, 4 * page), 0);
            a.mov(x86::ebp, x86::dword_ptr(x86::esi, offsetof(Step, entry_at)));
            a.mov(x86::dword_ptr(x86::ebp), program_entry);
            a.mov(x86::edx, x86::dword_ptr(x86::esi, offsetof(Step, second_entry)));
            a.mov(x86::dword_ptr(x86::ebp, 4), x86::edx);
            a.mov(x86::cr3, x86::ebx);
            a.mov(x86::edx, 5);
            a.call(x86::dword_ptr(x86::esi, offsetof(Step, function)));
            a.add(x86::esi, sizeof(Step));
            a.jmp(again);
            a.bind(done);
            a.hlt();
        });
    }

    // Loops, calls itself, calls the second page and by a register, and mixes the return addresses that it finds into
    // EAX.
    static std::vector<u8> program(bool first) {
        return assemble(0, [=](x86::Assembler& a) {
            auto start = a.newLabel(), there = a.newLabel(), here = a.newLabel(), out = a.newLabel();
            auto loop = a.newLabel(), beyond = a.newLabel(), back = a.newLabel(), indirect = a.newLabel();
            a.bind(start);
            a.mov(x86::ecx, 9);
            a.bind(loop);
            a.lea(x86::eax, x86::ptr(x86::eax, x86::eax, 1, 3));
            a.dec(x86::ecx);
            a.jnz(loop);
            a.call(here);
            a.bind(here);
            a.pop(x86::edi);
            a.imul(x86::eax, x86::eax, 31);
            a.add(x86::eax, x86::edi);
            a.call(there);
            a.add(x86::eax, 7);
            a.sub(x86::edi, 5);  // the CALL to `here`
            a.add(x86::edi, 0x800);
            a.call(x86::edi);
            a.dec(x86::edx);
            a.jz(out);
            a.call(start);
            a.bind(out);
            a.xor_(x86::eax, x86::dword_ptr(x86::esp));
            a.cpuid();                                       // the interpreter's
            a.add(x86::eax, x86::dword_ptr(beyond_memory));  // by a fault of the host
            a.ret();
            pad_to(a, 0x800);
            while (a.offset() < a.code()->labelOffset(here) - 5 + 0x800) a.nop();
            a.bind(indirect);
            a.rol(x86::eax, 3);
            a.jmp(back);
            pad_to(a, 0x1000);
            a.bind(there);
            a.add(x86::eax, x86::dword_ptr(x86::esp));
            a.call(beyond);
            a.ret();
            a.bind(beyond);
            first ? a.inc(x86::eax) : a.dec(x86::eax);
            a.jmp(indirect);
            a.bind(back);
            a.ret();
        });
    }

    // The steps that follow one another; in each, a space sees the program at a page of its window and no longer where
    // `clear` says.
    struct Place {
        u32 space, page, clear_space, clear_page;
        bool other_second_page = false;
    };
    void run(const std::vector<Place>& places, const std::function<u32()>& stretch) {
        for (u32 i = 0; i < places.size(); ++i) {
            const Place& p = places[i];
            Step step{directory(p.space), table(p.clear_space) + 4 * p.clear_page, table(p.space) + 4 * p.page,
                      window + p.page * 0x1000, program_entry + (p.other_second_page ? 0x2000 : 0x1000)};
            both([&](FlatMachine& m) { m.poke_value(script + i * sizeof(Step), step); });
        }
        put(script + static_cast<u32>(places.size() * sizeof(Step)), 0);
        both([](FlatMachine& m) {
            m.state.cr3 = directory(0);
            m.state.cr0 |= cr0::pg;
            m.set_reg(Reg::Esi, script);
            m.state.eip = TestMachine::code_at;
            m.cpu.mmu.flush();
            m.engine->state_replaced();
        });
        while (pair.interp.state.activity == Activity::Running) REQUIRE(pair.advance(stretch()) == "");
        CHECK(pair.interp.halted_by() == -1);
    }
    EngineStatistics statistics() { return pair.bt.engine->statistics(); }

    EnginePair<FlatMachine> pair{4u << 20};
};

}  // namespace

TEST_CASE("moved pages: a program that the next address space sees elsewhere is not translated again", "[jit][moves]") {
    std::vector<World::Place> once{{0, 10, 0, 500}};
    World first;
    first.run(once, [] { return 100'000u; });
    World world;
    std::vector<World::Place> places = once;
    for (u32 i = 1; i < 20; ++i) {
        const World::Place& last = places.back();
        places.push_back({i % World::spaces, 20 + 7 * i, last.space, last.page});
    }
    world.run(places, [] { return 100'000u; });
    CHECK(world.statistics().blocks_moved > 19 * 5);
    CHECK(world.statistics().blocks_translated < first.statistics().blocks_translated + 10);
}

TEST_CASE("moved pages: where the last address space still sees the page, it keeps its translations", "[jit][moves]") {
    World world;
    std::vector<World::Place> places;
    for (u32 i = 0; i < 20; ++i) places.push_back({i % 2, 10 + 100 * (i % 2), 3, 500});
    world.run(places, [] { return 100'000u; });
    CHECK(world.statistics().blocks_moved == 0);
    World twice;
    twice.run({places[0], places[1]}, [] { return 100'000u; });
    CHECK(world.statistics().blocks_translated < twice.statistics().blocks_translated + 10);
}

TEST_CASE("moved pages: with the switch off each place has translations of its own", "[jit][moves]") {
    std::vector<World::Place> places{{0, 10, 0, 500}, {1, 20, 0, 10}};
    World on;
    on.run(places, [] { return 100'000u; });
    CHECK(on.statistics().blocks_moved > 0);
    World world;
    world.pair.bt.engine = [&] {
        TranslatorConfig config;
        config.counting = true;
        config.moved_pages = false;
        return make_translator(world.pair.bt.cpu, config);
    }();
    world.run(places, [] { return 100'000u; });
    CHECK(world.statistics().blocks_moved == 0);
}

TEST_CASE("moved pages: address spaces that map and unmap a program anywhere, in any order", "[jit][moves]") {
    auto seed = GENERATE(range(1, 9));
    CAPTURE(seed);
    std::mt19937 random{static_cast<u32>(seed)};
    auto below = [&](u32 n) { return static_cast<u32>(random() % n); };
    World world;
    std::vector<World::Place> places;
    for (u32 i = 0; i < 300; ++i) {
        bool ends = !places.empty() && below(3);
        World::Place place{below(World::spaces), 2 * below(8), 3, 500, below(4) == 0};
        if (ends) {
            const World::Place& old =
                places[places.size() - 1 - below(std::min<u32>(4, static_cast<u32>(places.size())))];
            place.clear_space = old.space;
            place.clear_page = old.page;
        }
        places.push_back(place);
    }
    world.run(places, [&] { return below(3000) + 1; });
    CHECK(world.statistics().blocks_moved > 0);
}

TEST_CASE("moved pages: a breakpoint in DR7 keeps no page from moving elsewhere", "[jit][moves]") {
    World world;
    world.both([](FlatMachine& m) {
        m.state.dr[0] = World::window + 0x80;
        m.state.dr[7] |= dr7_global(0, 0, 1);
    });
    std::vector<World::Place> places{{0, 10, 0, 500}};
    for (u32 i = 1; i < 20; ++i)
        places.push_back({i % World::spaces, 20 + 7 * i, places.back().space, places.back().page});
    world.run(places, [] { return 100'000u; });
    CHECK(world.statistics().blocks_moved > 19 * 5);
}

TEST_CASE("moved pages: code meets the breakpoints of the place where it is seen", "[jit][moves]") {
    constexpr u32 handler = 0x31000, met = 0x32000;
    std::mt19937 random{1};
    World world;
    world.both([](FlatMachine& m) {
        m.poke(handler, {0xFF, 0x05, 0, 0x20, 3, 0,           // inc dword [met]
                         0x81, 0x4C, 0x24, 0x08, 0, 0, 1, 0,  // or dword [esp+8], RF
                         0xCF});                              // iret
        m.poke_value<u16>(FlatMachine::idt_at + 8 * vector::db, handler & 0xFFFF);
        for (u32 i = 0; i < 4; ++i) {
            m.state.dr[i] = World::window + 0x8000 * i + 5;  // the first instruction of the program's loop
            m.state.dr[7] |= dr7_global(i, 0, 1);
        }
    });
    std::vector<World::Place> places{{0, 10, 0, 500}};
    for (u32 i = 1; i < 100; ++i)
        places.push_back({i % World::spaces, 4 * (i % 10), places.back().space, places.back().page});
    world.run(places, [&] { return 1 + static_cast<u32>(random() % 3000); });
    CHECK(world.statistics().blocks_moved > 100);
    CHECK(world.pair.interp.peek<u32>(met) > 100);
}

// An exit to the interpreter remembers the block that followed, which has another mode here (no FPU state is live), and
// that mode's translations of the page stay behind where somebody still sees them.
TEST_CASE("moved pages: what followed a callout is forgotten when it does not move along", "[jit][moves]") {
    const u32 here = World::window + 0x10000, there = World::window + 0x20000, behind = 7;
    World world;
    auto page = [behind](u32 added) {
        return assemble(0, [=](x86::Assembler& a) {
            a.fninit();
            a.fld1();
            a.fstp(x86::st0);
            a.iretd();
            REQUIRE(a.offset() == behind);
            a.add(x86::eax, added);
            a.ret();
        });
    };
    constexpr u32 first_page = World::program_at, other_page = World::program_at + 0x1000;
    auto driver = assemble(TestMachine::code_at, [=](x86::Assembler& a) {
        auto by_iret = a.newLabel();
        auto see = [&](u32 space, u32 linear, u32 physical) {
            a.mov(x86::dword_ptr(World::table(space) + 4 * ((linear - World::window) >> 12)),
                  physical | present | writable | user | accessed | dirty);
        };
        auto enter = [&](u32 space) {
            a.mov(x86::ebx, World::directory(space));
            a.mov(x86::cr3, x86::ebx);
        };
        auto go = [&](u32 entry, u32 target) {
            a.mov(x86::edi, entry);
            a.mov(x86::edx, target);
            a.call(by_iret);
        };
        see(0, here, first_page);
        see(1, here, first_page);
        enter(0);
        for (int i = 0; i < 3; ++i) go(here, here + behind);
        enter(1);
        a.mov(x86::edi, here + behind);
        a.call(x86::edi);
        see(0, here, other_page);
        see(0, there, first_page);
        enter(0);
        go(there, here + behind);
        go(there, there + behind);
        go(there, here + behind);
        a.hlt();
        a.bind(by_iret);
        a.pushfd();
        a.push(x86::cs);
        a.push(x86::edx);
        a.jmp(x86::edi);
    });
    world.both([&](FlatMachine& m) {
        m.poke(TestMachine::code_at, driver);
        m.poke(first_page, page(1));
        m.poke(other_page, page(1000));
        m.state.cr3 = World::directory(0);
        m.state.cr0 |= cr0::pg;
        m.state.eip = TestMachine::code_at;
        m.cpu.mmu.flush();
        m.engine->state_replaced();
    });
    while (world.pair.interp.state.activity == Activity::Running) REQUIRE(world.pair.advance(1000) == "");
    CHECK(world.pair.interp.halted_by() == -1);
    CHECK(world.pair.interp.reg(Reg::Eax) == 4 + 1000 + 1 + 1000);
    CHECK(world.statistics().blocks_moved > 0);
}
