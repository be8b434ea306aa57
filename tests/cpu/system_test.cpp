// Control registers, descriptor-table registers, ports, MSRs and CPUID.
#include <catch2/catch.hpp>

#include <string>

#include "cpu/control_registers.hpp"
#include "cpu/cpuid.hpp"
#include "cpu/model_specific.hpp"
#include "cpu/system_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

const Fault gp0 = Fault::exception(vector::gp);
const Fault ud = Fault::exception(vector::ud);

}  // namespace

TEST_CASE("system: CR0 refuses impossible combinations and ignores reserved bits") {
    SystemFixture m;
    CHECK(write_cr0(m.cpu, static_cast<u32>(cr0::pg)) == gp0);
    CHECK(write_cr0(m.cpu, static_cast<u32>(cr0::pe | cr0::nw)) == gp0);
    CHECK(write_cr0(m.cpu, static_cast<u32>(cr0::pe | cr0::ts) | 1u << 7) == Fault::none());
    CHECK(m.state.cr0 == (cr0::pe | cr0::ts | cr0::et));
}

TEST_CASE("system: CR4 refuses what CPUID does not offer") {
    SystemFixture m;
    CHECK(write_cr4(m.cpu, static_cast<u32>(cr4::vme)) == gp0);
    CHECK(write_cr4(m.cpu, 1u << 20) == gp0);
    CHECK(write_cr4(m.cpu, static_cast<u32>(cr4::pse | cr4::pge | cr4::osfxsr)) == Fault::none());
}

TEST_CASE("system: PDPTEs are read when CR3 is loaded, and reserved bits in them are #GP") {
    SystemFixture m;
    m.poke<u64>(0x10000, 0x12001);
    m.poke<u64>(0x10008, 0x00000);
    REQUIRE(write_cr4(m.cpu, static_cast<u32>(cr4::pae)) == Fault::none());
    REQUIRE(write_cr3(m.cpu, 0x10000) == Fault::none());
    CHECK(m.state.pdpte[0] == 0);
    REQUIRE(write_cr0(m.cpu, static_cast<u32>(cr0::pe | cr0::pg)) == Fault::none());
    CHECK(m.state.pdpte[0] == 0x12001);
    m.poke<u64>(0x10000, 0x13001);
    CHECK(m.state.pdpte[0] == 0x12001);
    m.poke<u64>(0x11000, 0x13003);  // bit 1 is reserved
    CHECK(write_cr3(m.cpu, 0x11000) == gp0);
    CHECK(m.state.cr3 == 0x10000);
    REQUIRE(write_cr3(m.cpu, 0x10000) == Fault::none());
    CHECK(m.state.pdpte[0] == 0x13001);
}

TEST_CASE("system: a change of paging empties the TLB") {
    SystemFixture m;
    m.poke<u32>(0x10000 + 4, 0x11007);
    m.poke<u32>(0x11000, 0x30007);
    m.poke<u32>(0x10000, 0x00000083);
    REQUIRE(write_cr4(m.cpu, static_cast<u32>(cr4::pse)) == Fault::none());
    REQUIRE(write_cr3(m.cpu, 0x10000) == Fault::none());
    CHECK(raw(*m.cpu.mmu.translate(Linear{0x400000}, Access::Read, Privilege::Supervisor)) == 0x400000);
    REQUIRE(m.execute({0x0F, 0x20, 0xC0}) == Fault::none());  // mov eax, cr0
    m.state.reg(Reg::Eax) |= cr0::pg;
    REQUIRE(m.execute({0x0F, 0x22, 0xC0}) == Fault::retired());  // mov cr0, eax
    CHECK(m.state.eip == SystemFixture::code_at + 6);
    CHECK(raw(*m.cpu.mmu.translate(Linear{0x400000}, Access::Read, Privilege::Supervisor)) == 0x30000);
}

TEST_CASE("system: privileged instructions are #GP(0) at level 3") {
    SystemFixture m;
    m.enter_level(3);
    auto bytes = GENERATE(values<std::vector<u8>>({
        {0x0F, 0x20, 0xC0},                 // mov eax, cr0
        {0x0F, 0x22, 0xD8},                 // mov cr3, eax
        {0x0F, 0x21, 0xF8},                 // mov eax, dr7
        {0x0F, 0x01, 0x15, 0, 0x50, 0, 0},  // lgdt [5000h]
        {0x0F, 0x01, 0x1D, 0, 0x50, 0, 0},  // lidt [5000h]
        {0x0F, 0x01, 0xF0},                 // lmsw ax
        {0x0F, 0x06},                       // clts
        {0x0F, 0x01, 0x3D, 0, 0x50, 0, 0},  // invlpg [5000h]
        {0x0F, 0x08},                       // invd
        {0x0F, 0x09},                       // wbinvd
        {0x0F, 0x32},                       // rdmsr
        {0x0F, 0x30},                       // wrmsr
        {0x0F, 0x33},                       // rdpmc
    }));
    CHECK(m.execute(bytes) == gp0);
}

TEST_CASE("system: descriptor-table registers, also at level 3 for reading") {
    SystemFixture m;
    m.poke<u16>(0x5000, 0x1234);
    m.poke<u32>(0x5002, 0xAABBCCDD);
    REQUIRE(m.execute({0x0F, 0x01, 0x1D, 0, 0x50, 0, 0}) == Fault::none());  // lidt [5000h]
    CHECK(m.state.idtr.base == 0xAABBCCDD);
    CHECK(m.state.idtr.limit == 0x1234);
    m.enter_level(3);
    REQUIRE(m.execute({0x0F, 0x01, 0x0D, 0, 0x60, 0, 0}) == Fault::none());  // sidt [6000h]
    CHECK(m.peek<u16>(0x6000) == 0x1234);
    CHECK(m.peek<u32>(0x6002) == 0xAABBCCDD);
    m.enter_level(0);
    REQUIRE(m.execute({0x66, 0x0F, 0x01, 0x1D, 0, 0x50, 0, 0}) == Fault::none());
    CHECK(m.state.idtr.base == 0xBBCCDD);
}

TEST_CASE("system: LMSW sets PE but does not clear it, SMSW shows CR0") {
    SystemFixture m;
    m.enter_real_mode();
    m.state.reg(Reg::Eax) = 0x9;  // PE and TS
    REQUIRE(m.execute({0x0F, 0x01, 0xF0}) == Fault::retired());
    CHECK((m.state.cr0 & 0xF) == 9);
    m.state.reg(Reg::Eax) = 0;
    REQUIRE(m.execute({0x0F, 0x01, 0xF0}) == Fault::retired());
    CHECK((m.state.cr0 & 0xF) == 1);
    m.state.segment(Seg::Cs).access |= 0x4000;
    REQUIRE(m.execute({0x0F, 0x01, 0xE3}) == Fault::none());  // smsw ebx
    CHECK(m.state.reg(Reg::Ebx) == m.state.cr0);
}

TEST_CASE("system: debug registers: aliases, fixed bits and general detect") {
    SystemFixture m;
    m.state.reg(Reg::Eax) = 0;
    REQUIRE(m.execute({0x0F, 0x23, 0xE0}) == Fault::retired());  // mov dr4, eax
    CHECK(m.state.dr[6] == 0xFFFF0FF0);
    m.state.cr4 = cr4::de;
    CHECK(m.execute({0x0F, 0x23, 0xE0}) == ud);
    m.state.reg(Reg::Eax) = 0x2000;
    REQUIRE(m.execute({0x0F, 0x23, 0xF8}) == Fault::retired());  // mov dr7, eax
    CHECK(m.state.dr[7] == 0x2400);
    CHECK(m.execute({0x0F, 0x21, 0xC0}) == Fault::exception(vector::db));
    CHECK(m.state.debug_traps == 1u << 13);  // for DR6
}

TEST_CASE("system: port access follows IOPL, then the bitmap of the TSS") {
    SystemFixture m;
    constexpr u16 map = 0x68;
    m.enter_level(3);
    CHECK(check_io_permission(m.cpu, 0x60, 1) == gp0);  // no map inside the limit
    m.state.tr.limit = map + 0x10;
    m.poke<u16>(SystemFixture::tss + map + 0x0C, 0b1000'0000'1111'1110);  // ports 60h-6Fh
    CHECK(check_io_permission(m.cpu, 0x60, 1) == Fault::none());
    CHECK(check_io_permission(m.cpu, 0x60, 2) == gp0);
    CHECK(check_io_permission(m.cpu, 0x68, 4) == Fault::none());
    CHECK(check_io_permission(m.cpu, 0x6C, 4) == gp0);
    CHECK(check_io_permission(m.cpu, 0x80, 1) == gp0);  // the second byte would lie beyond the limit
    m.state.eflags |= eflags::iopl;
    CHECK(check_io_permission(m.cpu, 0x61, 1) == Fault::none());
    m.enter_v86(3);  // IOPL does not help there
    CHECK(check_io_permission(m.cpu, 0x61, 1) == gp0);
    CHECK(check_io_permission(m.cpu, 0x60, 1) == Fault::none());
    m.state.tr.access = access::tss16 | 2;
    CHECK(check_io_permission(m.cpu, 0x60, 1) == gp0);
}

TEST_CASE("system: IN and OUT pass size, port and value") {
    SystemFixture m;
    m.outside.ports[0x60] = 0xAABBCCDD;
    m.outside.ports[0x1234] = 0x11223344;
    m.state.reg(Reg::Eax) = 0xFFFFFFFF;
    REQUIRE(m.execute({0xE4, 0x60}) == Fault::none());
    CHECK(m.state.reg(Reg::Eax) == 0xFFFFFFDD);
    m.state.reg(Reg::Edx) = 0x1234;
    REQUIRE(m.execute({0xED}) == Fault::none());
    CHECK(m.state.reg(Reg::Eax) == 0x11223344);
    REQUIRE(m.execute({0x66, 0xEF}) == Fault::none());
    REQUIRE(m.execute({0xE6, 0x80}) == Fault::none());
    CHECK(m.outside.port_writes == std::vector<QuietOutside::Written>{{0x1234, 2, 0x3344}, {0x80, 1, 0x44}});
    m.enter_level(3);
    CHECK(m.execute({0xE4, 0x60}) == gp0);
}

TEST_CASE("system: CPUID names the model and only what works") {
    constexpr HostFeatures none;
    CHECK(cpuid_answer(1, 0, none).eax == 0x106CA);
    CHECK(cpuid_answer(1, 0, none).edx == 0x0789FBFD);
    CHECK(cpuid_answer(1, 0, none).ecx == 0x00980201);
    CHECK(cpuid_answer(0x80000001, 0, none).edx == 1u << 20);
    CHECK(cpuid_answer(0x80000008, 0, none).eax == 0x2024);
    std::string vendor, brand;
    auto append = [](std::string& text, u32 word) {
        for (u32 i = 0; i < 4; ++i) text += static_cast<char>(word >> (8 * i));
    };
    CpuidAnswer zero = cpuid_answer(0, 0, none);
    for (u32 word : {zero.ebx, zero.edx, zero.ecx}) append(vendor, word);
    CHECK(vendor == "GenuineIntel");
    for (u32 leaf = 0x80000002; leaf <= 0x80000004; ++leaf) {
        CpuidAnswer a = cpuid_answer(leaf, 0, none);
        for (u32 word : {a.eax, a.ebx, a.ecx, a.edx}) append(brand, word);
    }
    CHECK(std::string{brand.c_str()} == "Vellum virtual CPU");
    CHECK(cpuid_answer(4, 3, none) == CpuidAnswer{});
    CHECK(cpuid_answer(0x12345, 1, none) == cpuid_answer(zero.eax, 1, none));
    CHECK(cpuid_answer(0x40000000, 0, none) == cpuid_answer(zero.eax, 0, none));
}

TEST_CASE("system: CPUID hides the APIC while it is disabled") {
    SystemFixture m;
    m.state.reg(Reg::Eax) = 1;
    m.outside.apic = 0xFEE00000;
    REQUIRE(m.execute({0x0F, 0xA2}) == Fault::none());
    CHECK_FALSE(m.state.reg(Reg::Edx) & cpuid_apic);
    CHECK(m.state.reg(Reg::Eax) == 0x106CA);
}

TEST_CASE("system: the time-stamp counter follows guest time and can be set") {
    SystemFixture m;
    m.outside.time = 1000;
    REQUIRE(write_msr(m.cpu, 0x10, 5'000'000'000) == Fault::none());
    m.outside.time = 1007;
    REQUIRE(m.execute({0x0F, 0x31}) == Fault::none());
    CHECK((m.state.reg(Reg::Edx) << 32 | m.state.reg(Reg::Eax)) == 5'000'000'007);
    m.enter_level(3);
    REQUIRE(m.execute({0x0F, 0x31}) == Fault::none());
    m.state.cr4 = cr4::tsd;
    CHECK(m.execute({0x0F, 0x31}) == gp0);
}

TEST_CASE("system: MSRs keep what may be written and refuse the rest") {
    struct Row {
        u32 index;
        u64 value;
        bool accepted;
    };
    auto row = GENERATE(values<Row>({
        {0x174, 0x60, true},
        {0x277, 0x0606060606060606, true},
        {0x277, 0x0606060606060602, false},
        {0x277, 0x08, false},
        {0xC0000080, 0x800, true},
        {0xC0000080, 0x100, false},
        {0x200, 0xC0000006, true},
        {0x200, 0xC0000007, false},
        {0x201, 0xFC0000800, true},
        {0x201, 0x1000000000, false},
        {0x26F, 0x0505050505050505, true},
        {0x26F, 0x0202020202020202, false},
        {0x2FF, 0xC06, true},
        {0x2FF, 0x1006, false},
        {0x1B, 0xFEE00800, true},
        {0x1B, 0xFEE00400, false},
        {0xFE, 1, false},
        {0x12345678, 1, false},
    }));
    SystemFixture m;
    CAPTURE(row.index, row.value);
    CHECK(write_msr(m.cpu, row.index, row.value) == (row.accepted ? Fault::none() : gp0));
    CHECK((*read_msr(m.cpu, row.index) == row.value) == row.accepted);
}

TEST_CASE("system: every fixed MTRR has a place of its own") {
    SystemFixture m;
    const u32 indices[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26A, 0x26B, 0x26C, 0x26D, 0x26E, 0x26F};
    u64 value = 0;
    for (u32 index : indices) {
        REQUIRE(write_msr(m.cpu, index, 0x0101010101010101 * (value & 1) + (value & 4)) == Fault::none());
        ++value;
    }
    value = 0;
    for (u32 index : indices) {
        CHECK(*read_msr(m.cpu, index) == 0x0101010101010101 * (value & 1) + (value & 4));
        ++value;
    }
}

TEST_CASE("system: the undefined instructions are undefined, and RDPMC has no counters") {
    SystemFixture m;
    CHECK(m.execute({0x0F, 0x0B}) == ud);
    CHECK(m.execute({0x0F, 0xB9, 0xC0}) == ud);
    CHECK(m.execute({0x0F, 0xFF, 0xC0}) == ud);
    CHECK(m.execute({0x0F, 0xAA}) == ud);
    CHECK(m.execute({0x0F, 0x33}) == gp0);
}
