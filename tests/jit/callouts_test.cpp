// What leaves translated code and comes back: instructions that the interpreter executes without fetching them, the way
// back by the jump cache, and accesses that are tried again after the guest's page fault handler.
#include "jit/paged_program.hpp"
#include "jit/system_fixture.hpp"

using namespace vellum;
using namespace vellum::test;
namespace x86 = asmjit::x86;

namespace {

// Some pages are the guest's to enter when they are touched.
struct PagedPair : PagedProgram {
    static constexpr u32 touched = 0x80, pages = 7;  // fewer faults than what makes a callout of the instruction

    PagedPair() {
        both([](FlatMachine& m) {
            for (u32 page = touched; page < touched + pages; ++page) m.poke_value<u32>(entry_of(page), 0);
            m.engine->state_replaced();
        });
    }
    EngineStatistics statistics() const { return bt.engine->statistics(); }
};

void write_each_page(x86::Assembler& a) {
    auto again = a.newLabel();
    a.mov(x86::ebx, PagedPair::touched << 12);
    a.bind(again);
    a.mov(x86::dword_ptr(x86::ebx, 4), x86::ebx);
    a.add(x86::ebx, 0x1000);
    a.cmp(x86::ebx, (PagedPair::touched + PagedPair::pages) << 12);
    a.jb(again);
    a.hlt();
}

// Enters the page of CR2 with the flags given, every second page of memory, so that no two neighbours join.
void map_page(x86::Assembler& a, u32 flags) {
    a.mov(x86::eax, x86::cr2);
    a.shr(x86::eax, 12);
    a.lea(x86::ecx, x86::dword_ptr(x86::eax, x86::eax));
    a.and_(x86::ecx, 0x3F);
    a.add(x86::ecx, 0x60);
    a.shl(x86::ecx, 12);
    a.or_(x86::ecx, flags);
    a.mov(x86::dword_ptr(PagedPair::table, x86::eax, 2), x86::ecx);
    a.add(x86::esp, 4);
    a.iretd();
}

}  // namespace

TEST_CASE("callouts: a page that the guest's fault handler entered is there when the access is tried again",
          "[jit][callouts]") {
    PagedPair pair;
    pair.run(write_each_page, [](x86::Assembler& a) { map_page(a, 0x67); });
    CHECK(pair.statistics().guest_page_faults == PagedPair::pages);
    CHECK(pair.statistics().window_fills < PagedPair::pages / 2);
}

TEST_CASE("callouts: A and D are set by the access that is tried again, and not before", "[jit][callouts]") {
    for (u32 flags : {0x07u, 0x27u, 0x47u}) {
        CAPTURE(flags);
        PagedPair pair;
        pair.run(write_each_page, [&](x86::Assembler& a) { map_page(a, flags); });
        CHECK(pair.statistics().guest_page_faults == PagedPair::pages);
    }
}

TEST_CASE("callouts: a handler that goes on behind the access leaves the page untouched", "[jit][callouts]") {
    PagedPair pair;
    pair.run(write_each_page, [](x86::Assembler& a) {
        a.add(x86::dword_ptr(x86::esp, 4), 3);
        map_page(a, 0x07);
    });
    CHECK(pair.bt.peek<u32>(PagedPair::table + 4 * PagedPair::touched) % 0x1000 == 0x07);
}

TEST_CASE("callouts: a handler that enters another page than the one that is missing gets its fault again",
          "[jit][callouts]") {
    PagedPair pair;
    pair.run(write_each_page, [](x86::Assembler& a) {
        auto second = a.newLabel();
        a.xor_(x86::edi, 1);
        a.jz(second);
        a.add(x86::esp, 4);
        a.iretd();
        a.bind(second);
        map_page(a, 0x67);
    });
    CHECK(pair.statistics().guest_page_faults > PagedPair::pages);
}

TEST_CASE("callouts: a read-only page that the handler makes writable is written", "[jit][callouts]") {
    PagedPair pair;
    pair.run(
        [](x86::Assembler& a) {
            auto again = a.newLabel();
            a.mov(x86::ebx, PagedPair::touched << 12);
            a.bind(again);
            a.mov(x86::eax, x86::dword_ptr(x86::ebx));
            a.mov(x86::dword_ptr(x86::ebx, 4), x86::ebx);
            a.add(x86::ebx, 0x1000);
            a.cmp(x86::ebx, (PagedPair::touched + PagedPair::pages) << 12);
            a.jb(again);
            a.hlt();
        },
        [](x86::Assembler& a) {
            auto missing = a.newLabel();
            a.test(x86::dword_ptr(x86::esp), 1);
            a.jz(missing);
            a.invlpg(x86::ptr(x86::ebx));
            map_page(a, 0x67);
            a.bind(missing);
            map_page(a, 0x25);
        });
    CHECK(pair.statistics().guest_page_faults > PagedPair::pages);
}

// FS is null and a segment in turns: how it may be used is part of a block's mode.
TEST_CASE("callouts: MOV to a segment register that changes the mode goes on in the right block", "[jit][callouts]") {
    SystemPair pair;
    auto code = assemble(SystemPair::code, [](x86::Assembler& a) {
        auto again = a.newLabel(), null = a.newLabel();
        a.mov(x86::ecx, 200);
        a.bind(again);
        a.xor_(x86::eax, SystemPair::data0);
        a.mov(x86::fs, x86::eax);
        a.mov(x86::edx, x86::fs);
        a.test(x86::edx, x86::edx);
        a.jz(null);
        x86::Mem word = x86::dword_ptr(SystemPair::data);
        word.setSegment(x86::fs);
        a.add(word, x86::ecx);
        a.bind(null);
        a.dec(x86::ecx);
        a.jnz(again);
    });
    CHECK(pair.run(code) == -1);
    CHECK(pair.interp.peek<u32>(SystemPair::data) == 200 * 100 / 2 + 100);
}

TEST_CASE("callouts: far returns to places whose addresses share their low half find the right one",
          "[jit][callouts]") {
    constexpr u32 first = 0x50100, second = 0x60100;
    SystemPair pair;
    for (u32 at : {first, second}) {
        auto part = assemble(at, [&](x86::Assembler& a) {
            a.lea(x86::ebx, x86::dword_ptr(x86::ebx, x86::ebx, 1, at >> 16));
            a.db(0xCB);  // RETF
        });
        pair.put(at, part);
    }
    auto code = assemble(SystemPair::code, [&](x86::Assembler& a) {
        auto again = a.newLabel(), back = a.newLabel();
        a.mov(x86::ecx, 100);
        a.bind(again);
        a.push(SystemPair::code0);
        a.lea(x86::eax, x86::ptr(back));
        a.push(x86::eax);
        a.push(SystemPair::code0);
        a.push(second);
        a.push(SystemPair::code0);
        a.push(first);
        a.db(0xCB);
        a.bind(back);
        a.dec(x86::ecx);
        a.jnz(again);
    });
    CHECK(pair.run(code) == -1);
}

// The frame of an interrupt is pushed where code was translated from.
TEST_CASE("callouts: an interrupt's frame over code ends the code", "[jit][callouts]") {
    constexpr u32 target = 0x50000;
    SystemPair pair;
    pair.both([](FlatMachine& m) {
        SystemPair::gate(m, SystemPair::idt + 8 * 0x40, SystemPair::code0, SystemPair::near_code, 0x8E, 0);
    });
    pair.put(SystemPair::near_code, {0xCF});
    auto code = assemble(SystemPair::code, [&](x86::Assembler& a) {
        auto again = a.newLabel();
        a.mov(x86::esi, 64);
        a.mov(x86::ebp, x86::esp);
        a.bind(again);
        a.mov(x86::dword_ptr(target), 0xC3410000 + 0x4040);  // inc eax; inc eax; inc ecx; ret
        a.mov(x86::esp, x86::ebp);
        a.call(target);
        a.mov(x86::esp, target + 0x10);
        a.int_(0x40);
        a.mov(x86::esp, x86::ebp);
        a.add(x86::edx, x86::dword_ptr(target + 4));
        a.mov(x86::byte_ptr(target + 4), 0xC3);
        a.call(target + 4);
        a.dec(x86::esi);
        a.jnz(again);
    });
    CHECK(pair.run(code) == -1);
}
