// Paging: rights, error codes, A and D, reserved bits, the TLB (SDM 3A chapter 4).
#include <catch2/catch.hpp>

#include "cpu/system_fixture.hpp"

using namespace vellum;
using test::SystemFixture;

namespace {

constexpr u64 p = 1, w = 2, u = 4, accessed = 0x20, dirty = 0x40, ps = 0x80, g = 0x100, nx = u64{1} << 63;

struct TwoLevel : SystemFixture {
    static constexpr u64 directory = 0x10000, table = 0x11000, frame = 0x40000;
    static constexpr Linear page{0x00400000};  // PDE 1, PTE 0

    TwoLevel() {
        state.cr3 = directory;
        state.cr0 |= cr0::pg;
        set(p | w | u, p | w | u);
    }
    void set(u64 pde_bits, u64 pte_bits) {
        poke<u32>(directory + 4, static_cast<u32>(table | pde_bits));
        poke<u32>(table, static_cast<u32>(frame | pte_bits));
        cpu.mmu.flush();
    }
    Fault fault_of(Access access, Privilege privilege, Linear at = page) {
        return cpu.mmu.translate(at, access, privilege).fault();
    }
};

struct Pae : SystemFixture {
    static constexpr u64 directory = 0x10000, table = 0x11000, frame = 0x40000;
    static constexpr Linear page{0x00200000};  // PDE 1, PTE 0

    Pae() {
        state.cr4 = cr4::pae;
        state.efer = efer::nxe;
        state.pdpte[0] = directory | p;
        state.cr0 |= cr0::pg;
        set(p | w | u, p | w | u);
    }
    void set(u64 pde_bits, u64 pte_bits) {
        poke<u64>(directory + 8, table | pde_bits);
        poke<u64>(table, frame | pte_bits);
        cpu.mmu.flush();
    }
    Fault fault_of(Access access, Privilege privilege) { return cpu.mmu.translate(page, access, privilege).fault(); }
};

}  // namespace

TEST_CASE("paging: U/S and R/W of both levels are combined, and CR0.WP binds the supervisor") {
    TwoLevel m;
    bool wp = GENERATE(false, true);
    u64 pde = GENERATE(as<u64>{}, p, p | w, p | u, p | w | u);
    u64 pte = GENERATE(as<u64>{}, p, p | w, p | u, p | w | u);
    m.state.cr0 = wp ? m.state.cr0 | cr0::wp : m.state.cr0;
    m.set(pde, pte);
    bool user = pde & pte & u, writable = pde & pte & w;
    auto expected = [&](bool allowed, u16 code) { return allowed ? Fault::none() : Fault::page(0x00400000, code); };
    CAPTURE(wp, pde, pte);
    CHECK(m.fault_of(Access::Read, Privilege::Supervisor) == Fault::none());
    CHECK(m.fault_of(Access::Fetch, Privilege::Supervisor) == Fault::none());
    CHECK(m.fault_of(Access::Write, Privilege::Supervisor) == expected(writable || !wp, 3));
    CHECK(m.fault_of(Access::Read, Privilege::User) == expected(user, 5));
    CHECK(m.fault_of(Access::Write, Privilege::User) == expected(user && writable, 7));
    CHECK(m.fault_of(Access::Fetch, Privilege::User) == expected(user, 5));
}

TEST_CASE("paging: a missing entry faults with P clear and the address of the access") {
    TwoLevel m;
    SECTION("directory") { m.set(w | u, p | w | u); }
    SECTION("table") { m.set(p | w | u, w | u); }
    CHECK(m.fault_of(Access::Write, Privilege::User, TwoLevel::page + 0x123) == Fault::page(0x00400123, 6));
    CHECK(m.peek<u32>(TwoLevel::directory + 4) % 0x40 < accessed);
}

TEST_CASE("paging: reads set A on both levels, writes set D on the leaf only") {
    TwoLevel m;
    REQUIRE(m.fault_of(Access::Read, Privilege::User) == Fault::none());
    CHECK(m.peek<u32>(TwoLevel::directory + 4) == (TwoLevel::table | p | w | u | accessed));
    CHECK(m.peek<u32>(TwoLevel::table) == (TwoLevel::frame | p | w | u | accessed));
    REQUIRE(m.fault_of(Access::Write, Privilege::User) == Fault::none());
    CHECK(m.peek<u32>(TwoLevel::directory + 4) == (TwoLevel::table | p | w | u | accessed));
    CHECK(m.peek<u32>(TwoLevel::table) == (TwoLevel::frame | p | w | u | accessed | dirty));
}

TEST_CASE("paging: a large page needs CR4.PSE, and its reserved bits fault") {
    TwoLevel m;
    m.state.cr4 = cr4::pse;
    m.poke<u32>(TwoLevel::directory + 4, 0x00000000 | p | w | u | ps);
    m.cpu.mmu.flush();
    CHECK(raw(*m.cpu.mmu.translate(Linear{0x00534567}, Access::Read, Privilege::User)) == 0x134567);
    m.poke<u32>(TwoLevel::directory + 4, 0x00002000 | p | w | u | ps);
    m.cpu.mmu.flush();
    CHECK(m.fault_of(Access::Read, Privilege::User) == Fault::page(0x00400000, 13));
}

TEST_CASE("paging: INVLPG of any part drops a whole large page") {
    TwoLevel m;
    m.state.cr4 = cr4::pse;
    m.poke<u32>(TwoLevel::directory + 4, 0x00000000 | p | w | u | ps);
    REQUIRE(m.cpu.mmu.translate(Linear{0x00534567}, Access::Read, Privilege::User));
    m.poke<u32>(TwoLevel::directory + 4, 0);
    m.cpu.mmu.flush_page(Linear{0x00401000});
    CHECK(m.fault_of(Access::Read, Privilege::User, Linear{0x00534567}) == Fault::page(0x00534567, 4));
}

TEST_CASE("paging: under PAE, NX forbids fetches and the error code tells of them") {
    Pae m;
    u64 pde_nx = GENERATE(as<u64>{}, 0, nx), pte_nx = GENERATE(as<u64>{}, 0, nx);
    m.set(p | w | u | pde_nx, p | w | u | pte_nx);
    Fault expected = pde_nx | pte_nx ? Fault::page(0x00200000, 0x15) : Fault::none();
    CHECK(m.fault_of(Access::Fetch, Privilege::User) == expected);
    CHECK(m.fault_of(Access::Read, Privilege::User) == Fault::none());
}

TEST_CASE("paging: under PAE, reserved bits and NX without EFER.NXE fault with RSVD") {
    Pae m;
    SECTION("above the physical address, in the directory") { m.set(p | w | u | u64{1} << 36, p | w | u); }
    SECTION("above the physical address, in the table") { m.set(p | w | u, p | w | u | u64{1} << 62); }
    SECTION("between the large page's address and its flags") { m.set(p | w | u | ps | 0x2000, 0); }
    SECTION("NX while it is off") {
        m.state.efer = 0;
        m.set(p | w | u, p | w | u | nx);
    }
    CHECK(m.fault_of(Access::Read, Privilege::User) == Fault::page(0x00200000, 13));
}

TEST_CASE("paging: under PAE, a large page is 2 MiB") {
    Pae m;
    m.poke<u64>(Pae::directory + 8, 0x00200000 | p | w | u | ps);
    CHECK(raw(*m.cpu.mmu.translate(Linear{0x00312345}, Access::Write, Privilege::User)) == 0x312345);
    CHECK(m.peek<u64>(Pae::directory + 8) == (0x00200000 | p | w | u | ps | accessed | dirty));
}

TEST_CASE("paging: global pages survive a change of CR3, others do not") {
    TwoLevel m;
    m.state.cr4 = cr4::pge;
    u64 bit = GENERATE(as<u64>{}, 0, g);
    m.set(p | w | u, p | w | u | bit);
    REQUIRE(m.fault_of(Access::Read, Privilege::User) == Fault::none());
    m.poke<u32>(TwoLevel::table, 0);
    m.cpu.mmu.flush_non_global();
    CHECK((m.fault_of(Access::Read, Privilege::User) == Fault::none()) == (bit == g));
    m.cpu.mmu.flush();
    CHECK(m.fault_of(Access::Read, Privilege::User) == Fault::page(0x00400000, 4));
}

TEST_CASE("paging: a closed A20 gate masks the page and the tables") {
    SystemFixture m;
    m.state.a20_mask = ~u64{1 << 20};
    CHECK(raw(*m.cpu.mmu.translate(Linear{0x00101234}, Access::Read, Privilege::Supervisor)) == 0x001234);
    CHECK(m.cpu.mmu.walk(Linear{0x00101234}, Access::Read, Privilege::Supervisor).operator*().page_bytes == 1u << 20);
}

TEST_CASE("memory: a write over two pages changes neither when the second faults, and CR2 is the second") {
    TwoLevel m;
    m.poke<u32>(TwoLevel::frame + 0xFFC, 0x11223344);
    CHECK(m.cpu.write<u32>(Seg::Ds, 0x00400FFE, 0xAABBCCDD) == Fault::page(0x00401000, 2));
    CHECK(m.peek<u32>(TwoLevel::frame + 0xFFC) == 0x11223344);
}

TEST_CASE("memory: a write over two pages lands in both frames") {
    TwoLevel m;
    m.poke<u32>(TwoLevel::table + 4, 0x60000 | p | w);
    CHECK_FALSE(m.cpu.write<u32>(Seg::Ds, 0x00400FFE, 0xAABBCCDD));
    CHECK(m.peek<u16>(TwoLevel::frame + 0xFFE) == 0xCCDD);
    CHECK(m.peek<u16>(0x60000) == 0xAABB);
    CHECK(*m.cpu.read<u32>(Seg::Ds, 0x00400FFE) == 0xAABBCCDD);
}

TEST_CASE("memory: what is not RAM goes outside, eight bytes as two fours") {
    SystemFixture m;
    CHECK_FALSE(m.cpu.write<u64>(Seg::Ds, 0xFEC00000, 0x1122334455667788));
    CHECK(m.outside.mmio_writes ==
          std::vector<test::QuietOutside::Written>{{0xFEC00000, 4, 0x55667788}, {0xFEC00004, 4, 0x11223344}});
    CHECK(*m.cpu.read<u16>(Seg::Ds, 0xFEC00010) == 0x1010);
}

TEST_CASE("memory: writes to a watched page tell its watcher") {
    struct Watcher final : PageWatcher {
        u32 first = 0, last = 0;
        void page_will_change(Physical, u32 from, u32 to) override { first = from, last = to; }
    } watcher;
    SystemFixture m;
    m.memory.set_watcher(GuestMemory::Watch::Decoded, &watcher);
    REQUIRE_FALSE(m.cpu.write<u32>(Seg::Ds, 0x5010, 1));
    m.memory.watch(Physical{0x5000}, GuestMemory::Watch::Decoded);
    REQUIRE_FALSE(m.cpu.write<u32>(Seg::Ds, 0x5010, 2));
    CHECK(watcher.first == 0x10);
    CHECK(watcher.last == 0x13);
    CHECK(m.peek<u32>(0x5010) == 2);
}

TEST_CASE("memory: the alignment check concerns CPL 3 with CR0.AM and AC") {
    SystemFixture m;
    m.state.cpl = 3;
    m.state.cr0 |= cr0::am;
    CHECK_FALSE(m.cpu.write<u32>(Seg::Ds, 0x5001, 1));
    m.state.eflags |= eflags::ac;
    CHECK(m.cpu.write<u32>(Seg::Ds, 0x5001, 1) == Fault::exception(vector::ac));
    CHECK(m.cpu.read<u16>(Seg::Ds, 0x5001).fault() == Fault::exception(vector::ac));
    CHECK_FALSE(m.cpu.write<u8>(Seg::Ds, 0x5001, 1));
    m.state.cpl = 0;
    CHECK_FALSE(m.cpu.write<u32>(Seg::Ds, 0x5001, 1));
}

TEST_CASE("memory: limits and types of segments") {
    SystemFixture m;
    Segment& ds = m.state.segment(Seg::Ds);
    auto gp = Fault::exception(vector::gp);
    SECTION("real mode ends at 64 KiB") {
        ds = {0, 0x93, 0xFFFF, 0};
        CHECK_FALSE(m.cpu.write<u16>(Seg::Ds, 0xFFFE, 1));
        CHECK(m.cpu.write<u16>(Seg::Ds, 0xFFFF, 1) == gp);
        CHECK(m.cpu.read<u8>(Seg::Ds, 0x10000).fault() == gp);
    }
    SECTION("expand-down offsets lie above the limit") {
        ds = {0, 0x97, 0x0FFF, 0};
        CHECK(m.cpu.read<u8>(Seg::Ds, 0x0FFF).fault() == gp);
        CHECK(m.cpu.read<u8>(Seg::Ds, 0x1000));
        CHECK(m.cpu.read<u16>(Seg::Ds, 0xFFFF).fault() == gp);
    }
    SECTION("read-only data") {
        ds.access = 0xC091;
        CHECK(m.cpu.read<u8>(Seg::Ds, 0));
        CHECK(m.cpu.write<u8>(Seg::Ds, 0, 1) == gp);
        CHECK(m.cpu.read_for_update<u8>(Seg::Ds, 0).fault() == gp);
    }
    SECTION("execute-only code") {
        ds.access = 0xC099;
        CHECK(m.cpu.read<u8>(Seg::Ds, 0).fault() == gp);
    }
    SECTION("a null segment") {
        ds = {0, 0, 0, 0};
        CHECK(m.cpu.read<u8>(Seg::Ds, 0).fault() == gp);
        m.state.segment(Seg::Ss).access = 0;
        CHECK(m.cpu.read<u8>(Seg::Ss, 0).fault() == Fault::exception(vector::ss));
    }
    SECTION("over the end of 4 GiB") {
        CHECK(m.cpu.read<u8>(Seg::Ds, 0xFFFFFFFF));
        CHECK_FALSE(m.cpu.write<u8>(Seg::Ds, 0, 0x5A));
        CHECK(*m.cpu.read<u16>(Seg::Ds, 0xFFFFFFFF) >> 8 == 0x5A);
        m.state.segment(Seg::Ds).base = 0x1000;
        CHECK(m.cpu.read<u16>(Seg::Ds, 0xFFFFFFFF).fault() == gp);
    }
}

TEST_CASE("memory: a push that faults leaves ESP alone, and a 16-bit stack keeps the upper half") {
    SystemFixture m;
    m.state.segment(Seg::Ss) = {0, 0x93, 0xFFFF, 0};
    m.state.reg(Reg::Esp) = 0x12340001;
    CHECK(m.cpu.push(1, 2) == Fault::exception(vector::ss));
    CHECK(m.state.reg(Reg::Esp) == 0x12340001);
    m.state.reg(Reg::Esp) = 0x12340000;
    CHECK_FALSE(m.cpu.push(0xBEEF, 2));
    CHECK(m.state.reg(Reg::Esp) == 0x1234FFFE);
    CHECK(*m.cpu.pop(2) == 0xBEEF);
    CHECK(m.state.reg(Reg::Esp) == 0x12340000);
}
