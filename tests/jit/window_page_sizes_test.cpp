// Windows over large pages and PAE tables (SDM 3A 4.3 and 4.4), page by page as over 4 KiB pages of two-level tables.
#include "paging_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

TEST_CASE("windows: a 4 MiB page is shown whole, and its neighbours in the directory with it") {
    PagingFixture f;
    f.put(f.directory + 4, 0x400000 | P | RW | PS | A | D);
    f.put(f.directory + 8, 0x800000 | P | RW | PS | A | D);
    f.put(f.directory + 12, 0xC00000 | P | RW | PS | D);  // not accessed
    REQUIRE(f.fill(0x600000, Access::Read) == Fill::Mapped);
    CHECK(f.writable(0x400000));
    CHECK(f.writable(0x7FF000));
    CHECK(f.writable(0x800000));
    CHECK_FALSE(f.readable(0xC00000));
    CHECK(f.get(f.directory + 12) == (0xC00000 | P | RW | PS | D));
    *f.at(0x412345) = 0x3C;
    CHECK(f.memory.read_pointer(Physical{0x412000})[0x345] == 0x3C);
}

TEST_CASE("windows: a clean 4 MiB page becomes writable by its first write, which sets D") {
    PagingFixture f;
    f.put(f.directory + 4, 0x400000 | P | RW | PS);
    REQUIRE(f.fill(0x400000, Access::Read) == Fill::Mapped);
    CHECK_FALSE(f.writable(0x400000));
    REQUIRE(f.fill(0x600000, Access::Write) == Fill::Mapped);
    CHECK(f.writable(0x400000));
    CHECK(f.writable(0x7FF000));
    CHECK(f.get(f.directory + 4) == (0x400000 | P | RW | PS | A | D));
    f.put(f.directory + 4, 0x400000 | P | RW | PS | A);
    f.spaces.page_invalidated(Linear{0x7FF000});
    CHECK_FALSE(f.readable(0x400000));
}

TEST_CASE("windows: around a watched page a large page is read-only until it is written") {
    PagingFixture f;
    f.memory.watch(Physical{0x405000}, GuestMemory::Watch::Translated);
    f.put(f.directory + 4, 0x400000 | P | RW | PS | A | D);
    REQUIRE(f.fill(0x480000, Access::Write) == Fill::Mapped);
    CHECK(f.writable(0x410000));
    CHECK(f.readable(0x405000));
    CHECK_FALSE(f.writable(0x405000));
    CHECK_FALSE(f.writable(0x406000));
    REQUIRE(f.fill(0x406000, Access::Write) == Fill::Mapped);
    CHECK(f.writable(0x40F000));
    CHECK_FALSE(f.writable(0x405000));
    CHECK_FALSE(f.writable(0x404000));
    CHECK(f.fill(0x405000, Access::Write) == Fill::WatchedWrite);
}

TEST_CASE("windows: a page of a large page that becomes watched is protected") {
    PagingFixture f;
    f.put(f.directory + 4, 0x400000 | P | RW | PS | A | D);
    REQUIRE(f.fill(0x480000, Access::Write) == Fill::Mapped);
    f.memory.watch(Physical{0x612000}, GuestMemory::Watch::Decoded);
    CHECK_FALSE(f.writable(0x612000));
    CHECK(f.writable(0x600000));
    CHECK(f.fill(0x613000, Access::Write) == Fill::Mapped);
    CHECK(f.writable(0x613000));
    CHECK_FALSE(f.writable(0x612000));
}

TEST_CASE("windows: a hole in memory stays a hole in a large page") {
    PagingFixture f;
    f.memory.unmap(Physical{0x4A0000}, 0x20000);
    f.put(f.directory + 4, 0x400000 | P | RW | PS | A | D);
    REQUIRE(f.fill(0x400000, Access::Write) == Fill::Mapped);
    CHECK(f.writable(0x49F000));
    CHECK_FALSE(f.readable(0x4A0000));
    CHECK(f.writable(0x4C0000));
    CHECK(f.fill(0x4A0000, Access::Read) == Fill::Mmio);
    f.memory.map(Physical{0x4A0000}, 0x20000, 0x4A0000, true, true);
    CHECK(f.fill(0x4A0000, Access::Write) == Fill::Mapped);
    CHECK(f.writable(0x4A0000));
}

TEST_CASE("windows: INVLPG anywhere in a changed 4 MiB page ends all of it") {
    PagingFixture f;
    f.put(f.directory + 4, 0x400000 | P | RW | PS | A | D);
    REQUIRE(f.fill(0x400000, Access::Write) == Fill::Mapped);
    REQUIRE(f.fill(0x600000, Access::Write) == Fill::Mapped);
    f.put(f.directory + 4, 0);
    f.spaces.page_invalidated(Linear{0x401000});
    CHECK_FALSE(f.readable(0x400000));
    CHECK_FALSE(f.readable(0x7FF000));
}

namespace {
constexpr u64 NX = u64{1} << 63;
}  // namespace

TEST_CASE("windows, PAE: pages are filled, revalidated and taken away") {
    PaeFixture f;
    f.map_wide(0x5000, 0x200000 | P | RW | A | D | NX);
    f.map_wide(0x6000, 0x201000 | P | RW | A | D);
    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);
    CHECK(f.writable(0x6000));
    f.load_cr3(0x20);
    CHECK(f.writable(0x5000));
    f.map_wide(0x5000, 0x200000 | P | RW | A | D);  // became executable
    f.load_cr3(0x20);
    CHECK(f.readable(0x5000));
    CHECK(f.fill(0x5000, Access::Fetch) == Fill::Mapped);
    f.map_wide(0x5000, u64{1} << 40 | 0x200000 | P | RW | A | D);
    f.load_cr3(0x20);
    CHECK_FALSE(f.readable(0x5000));
    CHECK(f.readable(0x6000));
}

TEST_CASE("windows, PAE: an entry above 4 GiB is not memory") {
    PaeFixture f;
    f.map_wide(0x5000, 0x200000 | P | RW | A | D);
    f.map_wide(0x6000, 0x100201000 | P | RW | A | D);
    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);
    CHECK_FALSE(f.readable(0x6000));
    CHECK(f.fill(0x6000, Access::Read) == Fill::Mmio);
}

TEST_CASE("windows, PAE: NX forbids fetches, not reads") {
    PaeFixture f;
    f.map_wide(0x5000, 0x200000 | P | RW | A | D | NX);
    CHECK_FALSE(f.spaces.fetch(f.spaces.current(), Linear{0x5000}));
    CHECK(f.fill(0x5000, Access::Read) == Fill::Mapped);
    CHECK_FALSE(f.spaces.fetch(f.spaces.current(), Linear{0x5000}));
}

TEST_CASE("windows, PAE: 2 MiB pages") {
    PaeFixture f;
    f.put64(f.other_directory + 8, 0x400000 | P | RW | PS | A | D);
    REQUIRE(f.fill(0x234000, Access::Write) == Fill::Mapped);
    *f.at(0x3FF001) = 0x66;
    CHECK(f.memory.read_pointer(Physical{0x5FF000})[1] == 0x66);
    CHECK_FALSE(f.readable(0x400000));
}

TEST_CASE("windows, PAE: a changed PDPTE counts from the next load of CR3") {
    PaeFixture f;
    f.map_wide(0x5000, 0x200000 | P | RW | A | D);
    REQUIRE(f.fill(0x5000, Access::Write) == Fill::Mapped);
    f.put64(0x15000, 0);
    f.state.pdpte[0] = 0x15000 | P;
    f.load_cr3(0x20);
    CHECK_FALSE(f.readable(0x5000));
    CHECK(f.fill(0x5000, Access::Read) == Fill::GuestFault);
}
