// Windows follow the guest's page tables as a TLB would (SDM 3A 4.7, 4.8 and 4.10).
#include "paging_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

TEST_CASE("windows: nothing is accessible before a fill, and the filled page shows the guest's memory") {
    PagingFixture f;
    f.map_page(0x5000, 0x200000, P | RW);
    f.put(0x200010, 0x12345678);
    CHECK_FALSE(f.readable(0x5000));

    REQUIRE(f.fill(0x5010, Access::Read) == Fill::Mapped);

    u32 seen = 0;
    std::memcpy(&seen, f.at(0x5010), sizeof seen);
    CHECK(seen == 0x12345678);
    CHECK_FALSE(f.readable(0x6000));
}

TEST_CASE("windows: a page is read-only until a write sets its D bit") {
    PagingFixture f;
    f.map_page(0x5000, 0x200000, P | RW);
    REQUIRE(f.fill(0x5000, Access::Read) == Fill::Mapped);
    CHECK(f.page_entry(0x5000) == (0x200000 | P | RW | A));
    CHECK_FALSE(f.writable(0x5000));

    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);

    CHECK(f.page_entry(0x5000) == (0x200000 | P | RW | A | D));
    CHECK(f.writable(0x5000));
    *f.at(0x5007) = 0x5A;
    CHECK(f.memory.read_pointer(Physical{0x200000})[7] == 0x5A);
}

TEST_CASE("windows: what the guest's tables forbid is the guest's page fault") {
    PagingFixture f;
    f.map_page(0x5000, 0x200000, P | US);
    f.map_page(0x6000, 0x201000, P | RW);
    CHECK(f.fill(0x7000, Access::Read) == Fill::GuestFault);
    CHECK(f.fill(0x5000, Access::Write) == Fill::GuestFault);
    f.at_user();
    auto result = f.spaces.fill(f.spaces.current(), Linear{0x6123}, Access::Write);
    CHECK(result.what == Fill::GuestFault);
    CHECK(result.fault == Fault::page(0x6123, 7));
}

TEST_CASE("windows: the user's view never shows a supervisor page") {
    PagingFixture f;
    f.map_page(0x5000, 0x200000, P | RW | A | D);
    f.map_page(0x6000, 0x201000, P | RW | US | A | D);
    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);
    REQUIRE(f.writable(0x6000));  // the neighbour came along
    f.at_user();
    REQUIRE(f.fill(0x6000, Access::Write) == Fill::Mapped);
    CHECK(f.writable(0x6000));
    CHECK_FALSE(f.readable(0x5000));
    CHECK(f.spaces.current().user);
}

TEST_CASE("windows: neighbours in a row come with one fill, but only what hardware could have cached") {
    PagingFixture f;
    for (u32 i = 0; i < 16; ++i) f.map_page(0x10000 + i * 0x1000, 0x200000 + i * 0x1000, P | RW | A | D);
    f.map_page(0x13000, 0x203000, P | RW);      // not accessed
    f.map_page(0x1A000, 0x20A000, P | RW | A);  // clean, so not like its neighbours
    REQUIRE(f.fill(0x16000, Access::Write) == Fill::Mapped);
    CHECK(f.writable(0x14000));
    CHECK(f.writable(0x19000));
    CHECK_FALSE(f.readable(0x13000));
    CHECK_FALSE(f.readable(0x1A000));
    CHECK_FALSE(f.readable(0x20000));
    CHECK(f.page_entry(0x13000) == (0x203000 | P | RW));
}

TEST_CASE("windows: neighbours elsewhere in memory do not come along") {
    PagingFixture f;
    f.map_page(0x10000, 0x200000, P | RW | A | D);
    f.map_page(0x11000, 0x300000, P | RW | A | D);
    REQUIRE(f.fill(0x10000, Access::Read) == Fill::Mapped);
    CHECK_FALSE(f.readable(0x11000));
}

TEST_CASE("windows: two linear pages of one physical page show the same bytes") {
    PagingFixture f;
    f.map_page(0x5000, 0x200000, P | RW | A | D);
    f.map_page(0x9000, 0x200000, P | RW | A | D);
    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);
    REQUIRE(f.fill(0x9000, Access::Read) == Fill::Mapped);
    *f.at(0x5000) = 0x77;
    CHECK(*f.at(0x9000) == 0x77);
}

TEST_CASE("windows: with CR0.WP clear the supervisor writes read-only pages, in a view of its own") {
    PagingFixture f;
    f.map_page(0x5000, 0x200000, P | US | A);
    f.state.cr0 &= ~cr0::wp;
    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);
    CHECK(f.writable(0x5000));
    f.state.cr0 |= cr0::wp;
    CHECK(f.fill(0x5000, Access::Write) == Fill::GuestFault);
    REQUIRE(f.fill(0x5000, Access::Read) == Fill::Mapped);
    CHECK_FALSE(f.writable(0x5000));
}

TEST_CASE("windows: accesses that are not memory are left to the interpreter") {
    PagingFixture f;
    f.memory.map(Physical{0xF0000}, 0x1000, 0xF0000, true, false);
    f.map_page(0x5000, 0xF0000, P | RW | A | D);
    f.map_page(0x6000, 0xFEC00000, P | RW | A | D);
    CHECK(f.fill(0x6000, Access::Read) == Fill::Mmio);
    CHECK(f.fill(0x5000, Access::Write) == Fill::Mmio);
    CHECK(f.fill(0x5000, Access::Read) == Fill::Mapped);
    CHECK_FALSE(f.writable(0x5000));
}

TEST_CASE("windows: a page that becomes watched loses write permission in every view") {
    PagingFixture f;
    f.map_page(0x5000, 0x200000, P | RW | US | A | D);
    f.map_page(0x9000, 0x200000, P | RW | US | A | D);
    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);
    REQUIRE(f.fill(0x9000, Access::Write) == Fill::Mapped);
    f.at_user();
    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);

    f.memory.watch(Physical{0x200000}, GuestMemory::Watch::Translated);

    CHECK_FALSE(f.writable(0x5000));
    CHECK(f.readable(0x5000));
    CHECK(f.fill(0x5000, Access::Write) == Fill::WatchedWrite);
    f.at_supervisor();
    CHECK_FALSE(f.writable(0x5000));
    CHECK_FALSE(f.writable(0x9000));
    f.memory.unwatch(Physical{0x200000}, GuestMemory::Watch::Translated);
    CHECK(f.fill(0x5000, Access::Write) == Fill::Mapped);
    CHECK(f.writable(0x5000));
}

TEST_CASE("windows: physical memory that is mapped to something else disappears from all views") {
    PagingFixture f;
    f.map_page(0x5000, 0xA0000, P | RW | A | D);
    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);
    f.memory.unmap(Physical{0xA0000}, 0x20000);
    CHECK_FALSE(f.readable(0x5000));
    CHECK(f.fill(0x5000, Access::Read) == Fill::Mmio);
}

TEST_CASE("windows: INVLPG renews a mapping that changed and keeps one that did not") {
    PagingFixture f;
    f.put(0x200000, 2);
    f.put(0x400000, 4);
    f.map_page(0x5000, 0x200000, P | RW | A | D);
    f.map_page(0x9000, 0x300000, P | RW | A | D);
    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);
    REQUIRE(f.fill(0x9000, Access::Write) == Fill::Mapped);
    f.map_page(0x5000, 0x400000, P | RW | A | D);
    CHECK(*f.at(0x5000) == 2);  // as in a TLB

    f.spaces.page_invalidated(Linear{0x5000});
    f.spaces.page_invalidated(Linear{0x9000});

    CHECK(*f.at(0x5000) == 4);
    CHECK(f.readable(0x9000));
}

TEST_CASE("windows: a row of pages that INVLPG ends one by one costs three calls to the host, and nothing is lost") {
    PagingFixture f;
    for (u32 page = 0x5000; page < 0xD000; page += 0x1000) f.map_page(page, 0x200000 + page, P | RW | A | D);
    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);
    REQUIRE(f.writable(0xC000));
    u64 before = f.spaces.statistics().unmaps;
    for (u32 page = 0x5000; page < 0xA000; page += 0x1000) {
        f.map_page(page, 0, 0);
        f.spaces.page_invalidated(Linear{page});
        CHECK_FALSE(f.readable(page));
    }
    CHECK(f.spaces.statistics().unmaps == before + 3);
    // What the guest did not take away comes back.
    CHECK(f.fill(0xA000, Access::Write) == Fill::Mapped);
    CHECK(f.writable(0xA000));
    CHECK(f.fill(0x9000, Access::Read) == Fill::GuestFault);
}

TEST_CASE("windows: after a load of CR3 a page is shown as its entry says, a lost A or D bit included") {
    PagingFixture f;
    for (u32 i = 0; i < 5; ++i) {
        f.map_page(0x10000 + i * 0x2000, 0x200000 + i * 0x10000, P | RW | A | D);
        REQUIRE(f.fill(0x10000 + i * 0x2000, Access::Write) == Fill::Mapped);
    }
    f.map_page(0x10000, 0, 0);
    f.map_page(0x12000, 0x210000, P | RW | A);
    f.map_page(0x14000, 0x220000, P | RW | D);
    f.map_page(0x16000, 0x230000, P | A | D);
    f.load_cr3(f.directory);
    CHECK_FALSE(f.readable(0x10000));
    CHECK(f.readable(0x12000));
    CHECK_FALSE(f.writable(0x12000));
    CHECK_FALSE(f.readable(0x14000));
    CHECK(f.readable(0x16000));
    CHECK_FALSE(f.writable(0x16000));
    CHECK(f.writable(0x18000));
}

TEST_CASE("windows: D set behind the window's back is kept by a load of CR3 and found by the next write") {
    PagingFixture f;
    f.map_page(0x5000, 0x200000, P | RW | A);
    REQUIRE(f.fill(0x5000, Access::Read) == Fill::Mapped);
    f.map_page(0x5000, 0x200000, P | RW | A | D);
    f.load_cr3(f.directory);
    CHECK(f.readable(0x5000));
    CHECK_FALSE(f.writable(0x5000));
    CHECK(f.fill(0x5000, Access::Write) == Fill::Mapped);
    CHECK(f.writable(0x5000));
    f.map_page(0x5000, 0x200000, P | RW | A);
    f.load_cr3(f.directory);
    CHECK_FALSE(f.writable(0x5000));
    CHECK(f.fill(0x5000, Access::Write) == Fill::Mapped);
    CHECK(f.page_entry(0x5000) & D);
}

TEST_CASE("windows: a changed directory entry takes all its pages away") {
    PagingFixture f;
    f.map_page(0x5000, 0x200000, P | RW | A | D);
    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);
    f.put(f.directory, f.table | P | US | A);  // no longer writable
    f.load_cr3(f.directory);
    CHECK_FALSE(f.readable(0x5000));
}

TEST_CASE("windows: each CR3 has a window, which is still filled when it comes back") {
    PagingFixture f;
    f.put(f.other_directory, f.other_table | P | RW | US | A);
    f.map_page(0x5000, 0x200000, P | RW | A | D);
    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);
    u8* first = f.at(0);
    f.load_cr3(f.other_directory);
    CHECK(f.at(0) != first);
    CHECK_FALSE(f.readable(0x5000));
    f.load_cr3(f.directory);
    CHECK(f.at(0) == first);
    CHECK(f.writable(0x5000));
}

TEST_CASE("windows: what changed while another CR3 was loaded is gone on return") {
    PagingFixture f;
    f.put(f.other_directory, f.other_table | P | RW | US | A);
    f.map_page(0x5000, 0x200000, P | RW | A | D);
    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);
    f.load_cr3(f.other_directory);
    f.map_page(0x5000, 0, 0);
    f.load_cr3(f.directory);
    CHECK_FALSE(f.readable(0x5000));
}

TEST_CASE("windows: global pages survive a load of CR3 and end by INVLPG in every view") {
    PagingFixture f;
    f.put(f.other_directory, f.table | P | RW | US | A);
    f.map_page(0x5000, 0x200000, P | RW | G | A | D);
    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);
    f.load_cr3(f.other_directory);
    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);
    f.map_page(0x5000, 0, 0);
    f.load_cr3(f.directory);
    CHECK(f.readable(0x5000));

    f.spaces.page_invalidated(Linear{0x5000});

    CHECK_FALSE(f.readable(0x5000));
    f.load_cr3(f.other_directory);
    CHECK_FALSE(f.readable(0x5000));
}

TEST_CASE("windows: without CR4.PGE the G bit means nothing") {
    PagingFixture f;
    f.state.cr4 &= ~cr4::pge;
    f.map_page(0x5000, 0x200000, P | RW | G | A | D);
    f.map_page(0x6000, 0x201000, P | RW | G | A | D);
    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);
    f.map_page(0x5000, 0, 0);
    f.map_page(0x6000, 0, 0);
    f.load_cr3(f.directory);
    CHECK_FALSE(f.readable(0x5000));
    CHECK_FALSE(f.readable(0x6000));
}

TEST_CASE("windows: with paging off linear addresses are physical ones") {
    PagingFixture f;
    f.state.cr0 &= ~cr0::pg;
    f.spaces.everything_changed();
    REQUIRE(f.fill(0x123456, Access::Write) == Fill::Mapped);
    *f.at(0x123456) = 0x11;
    CHECK(f.memory.read_pointer(Physical{0x123000})[0x456] == 0x11);
    CHECK(f.writable(0xFFF000));
    CHECK(f.fill(0x2000000, Access::Read) == Fill::Mmio);
    f.load_cr3(0x5000);
    CHECK(f.writable(0x123456));
}

TEST_CASE("windows: with the A20 gate closed odd megabytes show the even ones") {
    PagingFixture f;
    f.state.cr0 &= ~cr0::pg;
    f.state.a20_mask = ~(u64{1} << 20);
    f.spaces.everything_changed();
    REQUIRE(f.fill(0x100000, Access::Write) == Fill::Mapped);
    *f.at(0x100010) = 0x42;
    CHECK(f.memory.read_pointer(Physical{0})[0x10] == 0x42);
    f.memory.watch(Physical{0}, GuestMemory::Watch::Translated);
    CHECK_FALSE(f.writable(0x100000));
    CHECK_FALSE(f.writable(0));
}

TEST_CASE("windows: everything_changed renews global pages that changed, in every view") {
    PagingFixture f;
    f.put(0x201000, 21);
    f.put(f.other_directory, f.table | P | RW | US | A);
    f.map_page(0x5000, 0x200000, P | RW | G | A | D);
    f.map_page(0x9000, 0x300000, P | RW | G | A | D);
    f.put(f.directory + 4, 0x400000 | P | RW | PS | G | A | D);
    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);
    REQUIRE(f.fill(0x9000, Access::Write) == Fill::Mapped);
    REQUIRE(f.fill(0x400000, Access::Write) == Fill::Mapped);
    f.load_cr3(f.other_directory);
    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);
    f.map_page(0x5000, 0x201000, P | RW | G | A | D);
    f.put(f.directory + 4, 0);

    f.spaces.everything_changed();

    CHECK(*f.at(0x5000) == 21);
    f.load_cr3(f.directory);
    CHECK(*f.at(0x5000) == 21);
    CHECK_FALSE(f.readable(0x400000));
    CHECK(f.writable(0x9000));
}

TEST_CASE("windows: pages are global from when CR4.PGE is set") {
    PagingFixture f;
    f.state.cr4 &= ~cr4::pge;
    f.map_page(0x5000, 0x200000, P | RW | G | A | D);
    f.map_page(0x9000, 0x300000, P | RW | A | D);
    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);
    REQUIRE(f.fill(0x9000, Access::Write) == Fill::Mapped);
    f.state.cr4 |= cr4::pge;
    f.spaces.everything_changed();
    CHECK(f.writable(0x5000));
    f.map_page(0x5000, 0, 0);
    f.map_page(0x9000, 0, 0);
    f.load_cr3(f.directory);
    CHECK(f.writable(0x5000));
    CHECK_FALSE(f.readable(0x9000));
}

TEST_CASE("windows: when the A20 gate moves, nothing stays and the code generation goes on") {
    PagingFixture f;
    f.map_page(0x5000, 0x300000, P | RW | A | D);
    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);
    View& before = f.spaces.current();
    u64 generation = before.code_generation;
    u8* host = f.at(0x5000);
    f.state.a20_mask = ~(u64{1} << 20);
    f.spaces.everything_changed();
    CHECK_FALSE(host_readable(host));
    CHECK(before.code_generation > generation);
}

TEST_CASE("windows: the code generation counts removals of pages that were fetched from, and only those") {
    PagingFixture f;
    f.map_page(0x5000, 0x200000, P | RW | A | D);
    f.map_page(0x9000, 0x300000, P | A);
    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);
    REQUIRE(*f.spaces.fetch(f.spaces.current(), Linear{0x9000}) == Physical{0x300000});
    u64 generation = f.spaces.current().code_generation;

    f.map_page(0x5000, 0, 0);
    f.spaces.page_invalidated(Linear{0x5000});
    CHECK(f.spaces.current().code_generation == generation);
    CHECK(*f.spaces.fetch(f.spaces.current(), Linear{0x9000}) == Physical{0x300000});

    f.map_page(0x9000, 0x301000, P | A);
    f.load_cr3(f.directory);
    CHECK(f.spaces.current().code_generation == generation + 1);
    CHECK(*f.spaces.fetch(f.spaces.current(), Linear{0x9000}) == Physical{0x301000});
}

TEST_CASE("windows: a fetch obeys the tables of the view's privilege and sets A") {
    PagingFixture f;
    f.map_page(0x5000, 0x200000, P | RW);
    f.map_page(0x6000, 0x201000, P | US);
    f.at_user();
    CHECK_FALSE(f.spaces.fetch(f.spaces.current(), Linear{0x5000}));
    CHECK(f.spaces.fetch(f.spaces.current(), Linear{0x6000}));
    CHECK(f.page_entry(0x6000) == (0x201000 | P | US | A));
    CHECK_FALSE(f.readable(0x6000));  // known, but not mapped for that
}

TEST_CASE("windows: both sides of every window are inaccessible") {
    PagingFixture f;
    f.state.cr0 &= ~cr0::pg;
    f.spaces.everything_changed();
    REQUIRE(f.fill(0, Access::Write) == Fill::Mapped);
    u8* base = f.spaces.current().base;
    CHECK((reinterpret_cast<u64>(base) & 0xFFFFFFFF) == 0);
    CHECK_FALSE(host_readable(base - 1));
    CHECK_FALSE(host_readable(base - 0x10000));
    CHECK_FALSE(host_readable(base + (u64{1} << 32)));
    CHECK_FALSE(host_readable(base + (u64{2} << 32) - 0x10000));
}

TEST_CASE("windows: the least recently used view gives way when there are too many") {
    PagingFixture f{{.views = 2}};
    f.map_page(0x5000, 0x200000, P | RW | A | D);
    f.put(f.other_directory, f.table | P | RW | US | A);
    f.put(0x14000, f.table | P | RW | US | A);
    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);
    f.load_cr3(f.other_directory);
    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);
    f.load_cr3(0x14000);
    CHECK_FALSE(f.readable(0x5000));
    CHECK(f.spaces.statistics().views_evicted == 1);
    f.load_cr3(f.other_directory);
    CHECK(f.readable(0x5000));
}

TEST_CASE("windows: more mappings than the host permits are made room for") {
    PagingFixture f{{.views = 4, .mappings = 64}};
    for (u32 i = 0; i < 200; ++i) f.map_page(0x100000 + i * 0x1000, 0x200000 + (i * 7 % 200) * 0x1000, P | RW | A | D);
    f.put(f.other_directory, f.table | P | RW | US | A);
    REQUIRE(f.fill(0x100000, Access::Write) == Fill::Mapped);
    f.load_cr3(f.other_directory);
    for (u32 i = 0; i < 200; ++i) {
        REQUIRE(f.fill(0x100000 + i * 0x1000, Access::Write) == Fill::Mapped);
        REQUIRE(f.writable(0x100000 + i * 0x1000));
    }
    CHECK(f.spaces.statistics().views_evicted == 1);
}

TEST_CASE("windows: holes that would use up the host's mappings empty the view instead") {
    PagingFixture f{{.views = 4, .mappings = 64}};
    for (u32 i = 0; i < 512; ++i) f.map_page(0x200000 + i * 0x1000, 0x400000 + i * 0x1000, P | RW | A | D);
    for (u32 i = 0; i < 512; i += 16) REQUIRE(f.fill(0x200000 + i * 0x1000, Access::Write) == Fill::Mapped);
    for (u32 i = 0; i < 512; i += 2) f.map_page(0x200000 + i * 0x1000, 0, 0);

    f.load_cr3(f.directory);

    for (u32 i = 0; i < 512; i += 2) CHECK_FALSE(f.readable(0x200000 + i * 0x1000));
    CHECK(f.spaces.statistics().unmaps < 100);
    CHECK(f.fill(0x201000, Access::Write) == Fill::Mapped);
    CHECK(f.writable(0x201000));
}

namespace {

// Whatever the window shows of 64 pages is what their entries say now, and no more than they permit.
template <typename Fixture>
void check_window(Fixture& f, u32 first) {
    for (u32 linear = first; linear < first + 64 * page_size; linear += page_size) {
        u32 entry = f.page_entry(linear);
        Physical page{entry & 0xFFFFF000};
        bool user = f.state.cpl == 3;
        INFO(std::hex << linear << " " << entry);
        if (f.readable(linear)) {
            u32 tag = 0;
            std::memcpy(&tag, f.at(linear), sizeof tag);
            CHECK(tag == raw(page));
            CHECK((entry & (P | A)) == (P | A));
            CHECK((!user || entry & US));
        }
        if (f.writable(linear)) {
            CHECK((entry & (RW | D)) == (RW | D));
            CHECK_FALSE(f.memory.watched(page));
        }
    }
}

}  // namespace

TEMPLATE_TEST_CASE("windows: after any history, a load of CR3 leaves nothing stale", "", PagingFixture, PaeFixture) {
    TestType f;
    constexpr u32 first = 0x1E0000, storage = 0x400000;  // across two leaves
    for (u32 page = storage; page < storage + 64 * page_size; page += page_size) f.put(page, page);
    u32 random = 12345;
    auto below = [&](u32 n) { return (random = random * 1664525 + 1013904223, (random >> 8) % n); };
    for (u32 round = 0; round < 150; ++round) {
        for (u32 step = 0; step < 40; ++step) {
            u32 linear = first + below(64) * page_size;
            u32 physical = storage + (below(3) ? linear - first : below(64) * page_size);
            u32 flags = (below(8) ? P : 0) | (below(4) ? RW : 0) | (below(2) ? US : 0) | (below(2) ? A | D : 0);
            if (below(2)) f.map_page(linear, physical, flags);
            f.state.cpl = below(2) ? 3 : 0;
            f.fill(first + below(64) * page_size, below(2) ? Access::Write : Access::Read);
            if (below(10) == 0) f.memory.watch(Physical{physical}, GuestMemory::Watch::Translated);
            if (below(10) == 0) f.memory.unwatch(Physical{physical}, GuestMemory::Watch::Translated);
            if (below(10) == 0) f.spaces.page_invalidated(Linear{linear});
        }
        f.load_cr3(f.state.cr3);
        f.at_user();
        check_window(f, first);
        f.at_supervisor();
        check_window(f, first);
    }
}
