// Instructions that keep meeting pages which no window shows become callouts, as long as they do.
#include "jit/fresh_pages.hpp"
#include "jit/adaptive_sites.hpp"
#include "jit/bytes.hpp"
#include "jit/paged_program.hpp"

using namespace vellum;
using namespace vellum::test;
namespace x86 = asmjit::x86;

namespace {

constexpr u32 stores = 64;  // to a page, where it is written more than once
constexpr u32 page = 0x80, rounds = 400, address = page << page_shift;
constexpr Physical site{0x12345};

// `rounds` times: takes the page away, and lets the body touch it. EBX counts the page's faults.
template <typename Body>
void touch_a_missing_page(x86::Assembler& a, Body body) {
    auto again = a.newLabel();
    a.mov(x86::esi, rounds);
    a.bind(again);
    a.mov(x86::dword_ptr(PagedProgram::entry_of(page)), 0);
    a.invlpg(x86::ptr(address));
    body();
    a.dec(x86::esi);
    a.jnz(again);
    a.hlt();
}

// ECX counts the stores down.
template <typename Store>
void store_often(x86::Assembler& a, Store store) {
    auto next = a.newLabel();
    a.mov(x86::ecx, stores);
    a.bind(next);
    store();
    a.dec(x86::ecx);
    a.jnz(next);
}

void enter_page(x86::Assembler& a) {
    a.inc(x86::ebx);
    a.mov(x86::dword_ptr(PagedProgram::entry_of(page)), address | 7);
    a.add(x86::esp, 4);
    a.iretd();
}

EngineStatistics statistics(const PagedProgram& pair) { return pair.bt.engine->statistics(); }

// Executes a callout until its term ends; how often? `rate`: every so many times it faults.
u32 callouts_of_term(AdaptiveSites& sites, u32 rate, u32 most) {
    for (u32 n = 1; n <= most; ++n)
        if (sites.end_of_term(site, n % rate == 0)) return n;
    return most;
}

u32 faults_until_callout(AdaptiveSites& sites) {
    for (u32 n = 1;; ++n)
        if (sites.note_rated_fault(site)) return n;
}

}  // namespace

TEST_CASE("fresh pages: an instruction that meets a fresh page each time soon does so without signals", "[jit]") {
    PagedProgram pair;
    pair.run(
        [](x86::Assembler& a) {
            touch_a_missing_page(a, [&] {
                a.add(x86::eax, 0x12345678);
                a.adc(x86::dword_ptr(address), x86::esi);
                a.adc(x86::edi, 0);
            });
        },
        enter_page);
    CHECK(pair.interp.reg(Reg::Ebx) == rounds);
    CHECK(statistics(pair).guest_page_faults < 40);
    CHECK(statistics(pair).window_fills < 40);
    CHECK(statistics(pair).callouts.at("adc") > rounds);
}

// The handler returns to the instruction itself, where another block begins than the one that it faulted in.
TEST_CASE("fresh pages: every block that holds the instruction leaves it to the interpreter", "[jit]") {
    PagedProgram pair;
    pair.run(
        [](x86::Assembler& a) {
            touch_a_missing_page(a, [&] {
                a.mov(x86::ecx, x86::esi);
                a.mov(x86::dword_ptr(address), x86::ecx);
            });
        },
        enter_page);
    CHECK(statistics(pair).callouts.at("mov") > 2 * (rounds - 40));
    CHECK(statistics(pair).window_fills < 40);
}

TEST_CASE("fresh pages: one that seldom faults stays in translated code", "[jit]") {
    PagedProgram pair;
    pair.run(
        [](x86::Assembler& a) {
            touch_a_missing_page(
                a, [&] { store_often(a, [&] { a.mov(x86::dword_ptr(address, x86::ecx, 2), x86::ecx); }); });
        },
        enter_page);
    CHECK(statistics(pair).callouts.at("mov") < stores * rounds / 10);
    CHECK(statistics(pair).guest_page_faults > rounds / 2);
}

// A page that the guest has entered, and that translated code finds without a window.
TEST_CASE("fresh pages: the first touch of a page that is there counts as well", "[jit]") {
    PagedProgram pair;
    pair.run(
        [](x86::Assembler& a) {
            touch_a_missing_page(a, [&] {
                a.mov(x86::dword_ptr(PagedProgram::entry_of(page)), address | 7);
                a.add(x86::dword_ptr(address), x86::esi);
            });
        },
        enter_page);
    CHECK(pair.interp.reg(Reg::Ebx) == 0);
    CHECK(statistics(pair).window_fills < 40);
    CHECK(statistics(pair).callouts.at("add") > rounds - 40);
}

// The first instruction touches each page once, the second one many times.
TEST_CASE("fresh pages: one that is in use gets its window from a callout", "[jit]") {
    PagedProgram pair;
    pair.run(
        [](x86::Assembler& a) {
            touch_a_missing_page(a, [&] {
                a.or_(x86::dword_ptr(address), x86::esi);
                store_often(a, [&] { a.add(x86::dword_ptr(address), x86::ecx); });
            });
        },
        enter_page);
    CHECK(statistics(pair).callouts.at("or") > 2 * (rounds - 40));
    CHECK(statistics(pair).callouts.at("add") < stores * rounds / 4);
}

TEST_CASE("fresh pages: a page is in use when callouts have touched it eight times", "[jit]") {
    constexpr Linear somewhere{0x5000};
    FreshPages pages;
    u32 touches = 1;
    for (; !pages.touch(1, somewhere); ++touches) CHECK_FALSE(pages.touch(1, Linear{0x6000 + touches * page_size}));
    CHECK(touches == FreshPages::enough);
    CHECK_FALSE(pages.touch(1, Linear{raw(somewhere) + 0xFFF}));
    for (u32 i = 2; i < FreshPages::enough; ++i) CHECK_FALSE(pages.touch(1, somewhere));
    pages.forget(1, somewhere);
    CHECK_FALSE(pages.touch(1, somewhere));
}

// Seen in xz: tables of many megabytes, each page of which was forgotten before it was touched again.
TEST_CASE("fresh pages: of any number of pages that are touched in turn some get their windows", "[jit]") {
    FreshPages pages;
    u32 shown = 0;
    for (u32 round = 0; round < 8; ++round)
        for (u32 page = 0; page < 100'000; ++page) shown += pages.touch(1, Linear{page * u64{page_size}});
    CHECK(shown == 100'000);
}

TEST_CASE("fresh pages: a division that keeps overflowing costs no signals either", "[jit]") {
    PagedProgram pair;
    pair.both([](FlatMachine& m) {
        m.poke_value<u64>(FlatMachine::idt_at + 8 * vector::de, u64{0x8E00} << 32 | 8u << 16 | PagedProgram::handler);
    });
    pair.run([](x86::Assembler& a) { counted_loop(a, rounds, [&] { a.div(x86::ebp); }); },
             [](x86::Assembler& a) {
                 a.inc(x86::ebx);
                 a.add(x86::dword_ptr(x86::esp), 2);  // behind the division
                 a.iretd();
             });
    CHECK(pair.interp.reg(Reg::Ebx) == rounds);
    CHECK(statistics(pair).callouts.at("fault") < 40);
    CHECK(statistics(pair).callouts.at("div") > rounds - 40);
}

TEST_CASE("fresh pages: a site is tried for a short time and kept while it pays", "[jit]") {
    AdaptiveSites sites;
    CHECK(faults_until_callout(sites) == 16);
    CHECK(sites.is_callout(site));
    CHECK_FALSE(sites.none_on(page_of(site)));
    CHECK(callouts_of_term(sites, 2, 5000) == 5000);
    CHECK(callouts_of_term(sites, 5000, 5000) < 600);  // pages that are there: given up with the term
    CHECK_FALSE(sites.is_callout(site));
}

TEST_CASE("fresh pages: one that does not pay is tried ever more seldom", "[jit]") {
    AdaptiveSites sites;
    for (u32 faults : {16u, 32u, 64u, 128u}) {
        CHECK(faults_until_callout(sites) == faults);
        CHECK(callouts_of_term(sites, 16, 5000) == 32);
    }
}

TEST_CASE("fresh pages: callouts of sites that were forgotten end", "[jit]") {
    AdaptiveSites sites;
    faults_until_callout(sites);
    sites.clear();
    CHECK(sites.none_on(page_of(site)));
    CHECK(sites.end_of_term(site, true));
}
