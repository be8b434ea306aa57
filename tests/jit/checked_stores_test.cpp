// Stores that keep meeting a page with code: they are checked, and go on in translated code unless they write code of
// their own block, fault, or are anything but a plain store into RAM.
#include <catch2/catch.hpp>

#include "jit/debug_fixture.hpp"
#include "jit/engine_pair.hpp"
#include "jit/guest_program.hpp"

using namespace vellum;
using namespace vellum::test;
namespace x86 = asmjit::x86;

namespace {

// A loop, on a page of its own, that calls a function (EDX += 3) and then stores at EBX: beside the function, so often
// that the store has become a checked one. Under paging; pages up to 1 MiB are mapped as they are.
struct StorePair : EnginePair<FlatMachine> {
    static constexpr u32 directory = 0x40000, table = 0x41000, function = 0x50000, constant = function + 2,
                         beside = function + 0x800, free_page = 0x60000, absent_page = 0x70000;
    static constexpr u32 present = 1, writable = 2, accessed = 0x20, dirty = 0x40, rounds = 1000, round = 6;
    static_assert(round * rounds > 5000);

    template <typename Store>
    explicit StorePair(Store store) {
        auto loop = assemble(FlatMachine::code_at, [&](x86::Assembler& a) {
            auto again = a.newLabel();
            a.bind(again);
            a.call(function);
            store(a);
            a.dec(x86::ecx);
            a.jnz(again);
            a.hlt();
        });
        both([&](FlatMachine& m) {
            m.poke_value<u32>(directory, table | 7);
            for (u32 page = 0; page < 256; ++page) m.poke_value<u32>(table + 4 * page, page << 12 | 0x67);
            m.state.cr3 = directory;
            m.state.cr0 |= cr0::pg | cr0::wp;
            m.engine->state_replaced();
            m.poke(FlatMachine::code_at, loop);
            m.poke(function, {0x83, 0xC2, 0x03, 0xC3});  // add edx,3; ret
            m.state.eip = FlatMachine::code_at;
            for (Reg r : {Reg::Eax, Reg::Ebp, Reg::Esi, Reg::Edi}) m.set_reg(r, 0x81234567u * (1 + u32(r)));
            m.set_reg(Reg::Ecx, 1u << 30);
            m.set_reg(Reg::Ebx, beside);
        });
        for (int i = 0; i < 40; ++i) REQUIRE(advance(97) == "");
    }
    StorePair() : StorePair{[](x86::Assembler& a) { a.mov(x86::ptr(x86::ebx), x86::ecx); }} {}

    // Instructions that the interpreter did for the translator in so many rounds, in pieces of any length.
    u64 interpreted_in(u32 some_rounds) {
        u64 before = bt.engine->statistics().interpreted_instructions;
        REQUIRE(advance(some_rounds * round) == "");
        return bt.engine->statistics().interpreted_instructions - before;
    }
    void store_at(u32 address) {
        both([&](FlatMachine& m) { m.set_reg(Reg::Ebx, address); });
    }
    void enter_page(u32 linear, u32 value) {
        both([&](FlatMachine& m) {
            m.poke_value<u32>(table + 4 * (linear >> 12), value);
            m.cpu.mmu.flush();
            m.state.instruction_limit = m.state.instructions;
        });
    }
    u32 page_entry(u32 linear) const { return bt.peek<u32>(table + 4 * (linear >> 12)); }
};

constexpr u64 few = 100;  // what ends of runs leave to the interpreter

}  // namespace

TEST_CASE("checked stores: stores beside code stay in translated code", "[jit][checked-stores]") {
    StorePair pair;
    CHECK(pair.interpreted_in(StorePair::rounds) < few);
    CHECK(pair.bt.peek<u32>(StorePair::beside) - pair.bt.reg(Reg::Ecx) <= 1);
}

TEST_CASE("checked stores: every form writes what the interpreter writes, flags and registers included",
          "[jit][checked-stores]") {
    using Store = void (*)(x86::Assembler&);
    Store store = GENERATE(
        Store{[](x86::Assembler& a) { a.mov(x86::byte_ptr(x86::ebx), x86::cl); }},
        Store{[](x86::Assembler& a) { a.mov(x86::word_ptr(x86::ebx, 1), x86::cx); }},
        Store{[](x86::Assembler& a) { a.mov(x86::dword_ptr(x86::ebx), 0x89ABCDEF); }},
        Store{[](x86::Assembler& a) { a.mov(x86::word_ptr(x86::ebx), 0x89AB); }},
        Store{[](x86::Assembler& a) { a.mov(x86::byte_ptr(x86::ebx), 0x89); }},
        Store{[](x86::Assembler& a) { a.add(x86::dword_ptr(x86::ebx), x86::ecx); }},
        Store{[](x86::Assembler& a) { a.adc(x86::dword_ptr(x86::ebx, x86::ebp, 0, 0 - 0x81234567 * 6), x86::esi); }},
        Store{[](x86::Assembler& a) { a.sbb(x86::byte_ptr(x86::ebx), 0x77); }},
        Store{[](x86::Assembler& a) { a.inc(x86::word_ptr(x86::ebx)); }},
        Store{[](x86::Assembler& a) { a.not_(x86::dword_ptr(x86::ebx)); }},
        Store{[](x86::Assembler& a) { a.rcl(x86::dword_ptr(x86::ebx), host_is_amds() ? 3 : 1); }},
        Store{[](x86::Assembler& a) { a.xchg(x86::dword_ptr(x86::ebx), x86::esi); }},
        Store{[](x86::Assembler& a) { a.lock().xadd(x86::dword_ptr(x86::ebx), x86::edi); }},
        Store{[](x86::Assembler& a) { a.lock().cmpxchg(x86::dword_ptr(x86::ebx), x86::ecx); }},
        Store{[](x86::Assembler& a) { a.bts(x86::dword_ptr(x86::ebx), 5); }},
        Store{[](x86::Assembler& a) { a.setc(x86::byte_ptr(x86::ebx)); }});
    StorePair pair{store};
    CHECK(pair.interpreted_in(StorePair::rounds) < few);
    pair.both([](FlatMachine& m) { m.state.eflags |= eflags::df | eflags::of | eflags::cf | eflags::af; });
    for (u32 piece = 1; piece < 40; ++piece) REQUIRE(pair.advance(piece) == "");
}

// By a count above 1 its OF may have to be worked out (emit_shift.cpp): seen by the oracle as a refused block.
TEST_CASE("checked stores: a shift by a count beside code, whose OF is looked at", "[jit][checked-stores]") {
    using Store = void (*)(x86::Assembler&);
    Store store = GENERATE(Store{[](x86::Assembler& a) { a.shl(x86::word_ptr(x86::ebx), 5); }},
                           Store{[](x86::Assembler& a) { a.ror(x86::dword_ptr(x86::ebx), x86::cl); }});
    StorePair pair{[store](x86::Assembler& a) {
        store(a);
        a.pushfd();
        a.pop(x86::esi);
    }};
    for (u32 piece = 1; piece < 200; ++piece) REQUIRE(pair.advance(piece) == "");
}

TEST_CASE("checked stores: an address held in the instruction itself", "[jit][checked-stores]") {
    StorePair pair{[](x86::Assembler& a) {
        a.db(0xA3);  // mov [beside],eax
        a.dd(StorePair::beside);
    }};
    CHECK(pair.interpreted_in(StorePair::rounds) < few);
    CHECK(pair.bt.peek<u32>(StorePair::beside) == pair.bt.reg(Reg::Eax));
}

TEST_CASE("checked stores: beneath the stack pointer that pushes have moved", "[jit][checked-stores]") {
    StorePair pair{[](x86::Assembler& a) {
        a.mov(x86::eax, x86::esp);
        a.mov(x86::esp, x86::ebx);
        a.sub(x86::esp, 8);
        a.mov(x86::ptr(x86::esp, 16), x86::ecx);
        a.mov(x86::esp, x86::eax);
    }};
    CHECK(pair.interpreted_in(StorePair::rounds) < few);
    CHECK(pair.bt.peek<u32>(StorePair::beside + 8) == pair.bt.reg(Reg::Ecx) + 1);
}

TEST_CASE("checked stores: code of another block is replaced", "[jit][checked-stores]") {
    StorePair pair{[](x86::Assembler& a) { a.mov(x86::byte_ptr(x86::ebx), x86::cl); }};
    pair.store_at(StorePair::constant);
    for (u32 piece = 1; piece < 60; ++piece) REQUIRE(pair.advance(piece) == "");
    CHECK(pair.interpreted_in(100) < few);
}

TEST_CASE("checked stores: code of the running block is replaced at the next instruction", "[jit][checked-stores]") {
    StorePair pair{[](x86::Assembler& a) {
        a.mov(x86::byte_ptr(x86::ebx), x86::cl);
        a.mov(x86::eax, 0x11111111);
        a.add(x86::esi, x86::eax);
    }};
    constexpr u32 behind_call_and_store = FlatMachine::code_at + 5 + 2, immediate = behind_call_and_store + 1;
    REQUIRE(pair.bt.peek<u32>(immediate) == 0x11111111);
    pair.store_at(immediate);
    for (u32 piece = 1; piece < 60; ++piece) REQUIRE(pair.advance(piece) == "");
    pair.store_at(StorePair::beside);
    CHECK(pair.advance(6000) == "");
}

TEST_CASE("checked stores: across a page's end, with code on either side", "[jit][checked-stores]") {
    StorePair pair;
    for (u32 address : {StorePair::function - 2, StorePair::function + 0xFFE, StorePair::function - 1}) {
        pair.both([](FlatMachine& m) { m.set_reg(Reg::Ecx, 0xC2830090); });
        pair.store_at(address);
        REQUIRE(pair.advance(7) == "");
        pair.both([](FlatMachine& m) { m.poke(StorePair::function, {0x83, 0xC2, 0x05, 0xC3}); });
        REQUIRE(pair.advance(50) == "");
        pair.both([](FlatMachine& m) { m.poke(StorePair::function, {0x83, 0xC2, 0x03, 0xC3}); });
    }
}

TEST_CASE("checked stores: up to the last byte of a page they are plain", "[jit][checked-stores]") {
    StorePair pair;
    pair.store_at(StorePair::function + 0xFFC);
    CHECK(pair.interpreted_in(100) < few);
}

TEST_CASE("checked stores: a page that is absent faults at the store, with nothing changed", "[jit][checked-stores]") {
    StorePair pair{[](x86::Assembler& a) { a.add(x86::ptr(x86::ebx), x86::ecx); }};
    pair.enter_page(StorePair::absent_page, 0);
    pair.store_at(StorePair::absent_page + 0x123);
    REQUIRE(pair.advance(3 * StorePair::round) == "");
    CHECK(pair.bt.halted_by() == vector::pf);
    CHECK(pair.bt.state.cr2 == StorePair::absent_page + 0x123);
    CHECK(pair.bt.peek<u32>(pair.bt.reg(Reg::Esp) + 4) == FlatMachine::code_at + 5);
}

TEST_CASE("checked stores: a read-only page faults though it holds the code", "[jit][checked-stores]") {
    StorePair pair;
    pair.enter_page(StorePair::function, StorePair::function | StorePair::present | StorePair::accessed);
    pair.both([](FlatMachine& m) { m.engine->state_replaced(); });
    REQUIRE(pair.advance(100) == "");
    CHECK(pair.bt.halted_by() == vector::pf);
    CHECK(pair.bt.peek<u32>(pair.bt.reg(Reg::Esp)) == 3);  // present, write
}

TEST_CASE("checked stores: a clean page becomes dirty", "[jit][checked-stores]") {
    StorePair pair;
    pair.enter_page(StorePair::free_page, StorePair::free_page | StorePair::present | StorePair::writable);
    pair.store_at(StorePair::free_page);
    REQUIRE(pair.advance(2 * StorePair::round) == "");
    CHECK(pair.page_entry(StorePair::free_page) == (StorePair::free_page | 0x63));
}

TEST_CASE("checked stores: a device's memory gets each of them", "[jit][checked-stores]") {
    StorePair pair;
    pair.enter_page(StorePair::free_page, 0x800000 | StorePair::present | StorePair::writable);
    pair.store_at(StorePair::free_page + 8);
    REQUIRE(pair.advance(50 * StorePair::round) == "");
    CHECK(pair.bt.outside.mmio_writes.size() == 50);
    CHECK(pair.bt.outside.mmio_writes == pair.interp.outside.mmio_writes);
}

TEST_CASE("checked stores: a data breakpoint beside code is hit", "[jit][checked-stores]") {
    StorePair pair;
    pair.both([](FlatMachine& m) {
        m.state.dr[0] = StorePair::beside;
        m.state.dr[7] = 0x000D0402;
        m.engine->state_replaced();
    });
    REQUIRE(pair.advance(3 * StorePair::round) == "");
    CHECK(pair.bt.halted_by() == vector::db);
    CHECK(pair.bt.peek<u32>(pair.bt.reg(Reg::Esp)) == FlatMachine::code_at + 7);
}

TEST_CASE("checked stores: where the code is gone they are plain stores again", "[jit][checked-stores]") {
    StorePair pair;
    pair.store_at(StorePair::free_page);
    REQUIRE(pair.interpreted_in(StorePair::rounds) < few);
    u64 invalidated = pair.bt.engine->statistics().blocks_invalidated;
    REQUIRE(pair.interpreted_in(StorePair::rounds) < few);
    CHECK(pair.bt.engine->statistics().blocks_invalidated == invalidated);  // it has happened
    CHECK(pair.bt.engine->statistics().code_write_faults > 0);
    pair.store_at(StorePair::beside);
    u64 faults = pair.bt.engine->statistics().code_write_faults;
    REQUIRE(pair.advance(4 * StorePair::round) == "");
    CHECK(pair.bt.engine->statistics().code_write_faults > faults);  // nothing checks them now
}

namespace {

// The function is ADD EDX, a constant of four bytes; RET.
struct ConstantPair : StorePair {
    static constexpr u32 four_bytes = function + 2;

    template <typename Store>
    explicit ConstantPair(Store store) : StorePair{store} {
        both([](FlatMachine& m) { m.poke(function, {0x81, 0xC2, 0x78, 0x56, 0x34, 0x12, 0xC3}); });
        store_at(four_bytes);
        REQUIRE(advance(round * rounds) == "");
    }
    // In one run: short ones are the interpreter's. EDX becomes the sum of all constants.
    u64 translated_in(u32 some_rounds) {
        u64 before = bt.engine->statistics().blocks_translated;
        REQUIRE(advance(some_rounds * round) == "");
        return bt.engine->statistics().blocks_translated - before;
    }
};

}  // namespace

TEST_CASE("checked stores: a constant in code is replaced in its translation", "[jit][checked-stores]") {
    using Store = void (*)(x86::Assembler&);
    Store store = GENERATE(Store{[](x86::Assembler& a) { a.mov(x86::dword_ptr(x86::ebx), x86::ecx); }},
                           Store{[](x86::Assembler& a) { a.mov(x86::word_ptr(x86::ebx, 2), x86::cx); }},
                           Store{[](x86::Assembler& a) { a.mov(x86::byte_ptr(x86::ebx, 3), x86::cl); }},
                           Store{[](x86::Assembler& a) { a.mov(x86::dword_ptr(x86::ebx), 0x89ABCDEF); }});
    ConstantPair pair{store};
    CHECK(pair.translated_in(StorePair::rounds) < 10);  // blocks that begin where runs end
}

TEST_CASE("checked stores: what is more than a constant, or not known before, is translated again",
          "[jit][checked-stores]") {
    using Store = void (*)(x86::Assembler&);
    Store store = GENERATE(Store{[](x86::Assembler& a) { a.mov(x86::dword_ptr(x86::ebx, -1), 0x345678C2); }},
                           Store{[](x86::Assembler& a) { a.mov(x86::word_ptr(x86::ebx, 3), 0xC312); }},
                           Store{[](x86::Assembler& a) { a.add(x86::dword_ptr(x86::ebx), x86::ecx); }});
    ConstantPair pair{store};
    CHECK(pair.translated_in(StorePair::rounds) > StorePair::rounds / 2);
}

TEST_CASE("checked stores: a constant that two blocks share is replaced in both", "[jit][checked-stores]") {
    EnginePair<FlatMachine> pair;
    constexpr u32 function = 0x50000, rounds = 3000;
    auto loop = assemble(FlatMachine::code_at, [&](x86::Assembler& a) {
        counted_loop(a, rounds, [&] {
            a.call(function);
            a.mov(x86::dword_ptr(function + 4), x86::ecx);
            a.call(function + 2);
        });
    });
    pair.both([&](FlatMachine& m) {
        m.poke(FlatMachine::code_at, loop);
        m.poke(function, {0x01, 0xD0, 0x81, 0xC2, 0, 0, 0, 0, 0xC3});  // add eax,edx; add edx,constant; ret
        m.state.eip = FlatMachine::code_at;
    });
    for (u32 i = 0; i < 40; ++i) REQUIRE(pair.advance(777) == "");
    CHECK(pair.interp.state.activity == Activity::Halted);
    CHECK(pair.bt.engine->statistics().blocks_translated < 500);
}

TEST_CASE("checked stores: a breakpoint on a page that they do not touch leaves them to translated code",
          "[jit][checked-stores]") {
    StorePair pair;
    pair.both([](FlatMachine& m) {
        m.state.dr[0] = StorePair::free_page;
        m.state.dr[7] |= dr7_global(0, dr7_data_write, 4);
    });
    CHECK(pair.interpreted_in(StorePair::rounds) < few);
}

TEST_CASE("checked stores: a breakpoint on the page that they touch is met", "[jit][checked-stores]") {
    StorePair pair;
    pair.both([](FlatMachine& m) {
        m.state.dr[0] = StorePair::beside;
        m.state.dr[7] |= dr7_global(0, dr7_data_write, 4);
    });
    REQUIRE(pair.advance(100) == "");
    CHECK(pair.interp.halted_by() == vector::db);
}
