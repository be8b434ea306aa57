// A processor with 32 MiB of RAM, paging structures made by hand, and windows over them.
#pragma once

#include <catch2/catch.hpp>

#include <cstring>

#include "host_touch.hpp"
#include "jit/address_spaces.hpp"

namespace vellum::test {

constexpr u32 P = 1, RW = 2, US = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100;

struct PagingFixture {
    static constexpr u64 ram = 32u << 20;
    static constexpr u32 directory = 0x10000, table = 0x11000, other_directory = 0x12000, other_table = 0x13000;

    explicit PagingFixture(AddressSpaceLimits limits = {}) : spaces{state, memory, mmu, limits} {
        memory.map(Physical{0}, ram, 0, true, true);
        state.cr0 = cr0::pe | cr0::pg | cr0::wp;
        state.cr3 = directory;
        state.cr4 = cr4::pse | cr4::pge;
        put(directory, table | P | RW | US | A);
    }

    void put(u32 address, u32 value) {
        memory.write(Physical{address}, {reinterpret_cast<const u8*>(&value), sizeof value});
    }
    void put64(u32 address, u64 value) {
        memory.write(Physical{address}, {reinterpret_cast<const u8*>(&value), sizeof value});
    }
    u32 get(u32 address) {
        u32 value = 0;
        memory.read(Physical{address}, {reinterpret_cast<u8*>(&value), sizeof value});
        return value;
    }
    void map_page(u32 linear, u32 physical, u32 flags) { put(table + (linear >> 12) * 4, physical | flags); }
    u32 page_entry(u32 linear) { return get(table + (linear >> 12) * 4); }

    AddressSpaces::Fill fill(u32 linear, Access access) {
        return spaces.fill(spaces.current(), Linear{linear}, access).what;
    }
    void load_cr3(u32 value) {
        state.cr3 = value;
        spaces.cr3_written();
    }
    u8* at(u32 linear) { return spaces.current().base + linear; }
    bool readable(u32 linear) { return host_readable(at(linear)); }
    bool writable(u32 linear) { return host_writable(at(linear)); }
    void at_user() { state.cpl = 3; }
    void at_supervisor() { state.cpl = 0; }

    CpuState state;
    GuestMemory memory{ram};
    Mmu mmu{state, memory};
    AddressSpaces spaces;
};

// The same under PAE: 4 MiB by two tables.
struct PaeFixture : PagingFixture {
    PaeFixture() {
        state.cr4 |= cr4::pae;
        state.efer = efer::nxe;
        put64(other_directory, u64{other_table} | P | RW | US | A);
        put64(other_directory + 8, u64{other_table + page_size} | P | RW | US | A);
        state.pdpte[0] = other_directory | P;
        state.cr3 = 0x20;
        spaces.everything_changed();
    }
    void map_wide(u32 linear, u64 entry) { put64(other_table + (linear >> 12) * 8, entry); }
    void map_page(u32 linear, u32 physical, u32 flags) { map_wide(linear, physical | flags); }
    u32 page_entry(u32 linear) { return get(other_table + (linear >> 12) * 8); }
};

using Fill = AddressSpaces::Fill;

}  // namespace vellum::test
