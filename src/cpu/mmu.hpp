// Linear to physical: the walk of the guest's page tables with A and D bits (SDM 3A chapter 4), and a small software
// TLB over it. Nothing host-specific: windows of the translator are filled from `walk`.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "cpu/debug_points.hpp"
#include "cpu/fault.hpp"
#include "cpu/guest_memory.hpp"
#include "cpu/state.hpp"

namespace vellum {

// MAXPHYADDR: bits above are reserved in PAE entries, MTRRs and CPUID 80000008h.
constexpr u32 physical_address_bits = 36;

enum class Access : u8 { Read, Write, Fetch };
enum class Privilege : u8 { Supervisor, User };

// What a successful walk found. Permissions are those of the whole path, WP and NX considered for `privilege`.
struct Translation {
    Physical page{};          // of 4 KiB, A20 mask applied
    bool writable = false;    // a write would be permitted
    bool dirty = false;       // D is set (or paging is off)
    bool user = false;        // U/S
    bool executable = false;  // a fetch would be permitted
    bool global = false;
    u64 page_bytes = page_size;  // 4 KiB, 2 MiB or 4 MiB; 4 GiB with paging off; at most 1 MiB with A20 masked
    // Where the entries were read and what they held after A/D were set: a translator revalidates them. 0: none.
    Physical entry_address[2] = {};  // PDE, PTE
    u64 entry_value[2] = {};
};

class Mmu final : private MapListener {
 public:
    Mmu(CpuState& state, GuestMemory& memory);
    ~Mmu();

    // Walks the tables now, sets A (and D for writes) as hardware does, consults no TLB. Fault: #PF as for the guest.
    OrFault<Translation> walk(Linear address, Access access, Privilege privilege);

    // For a debugger: what the tables say of the address, whatever its rights. Changes nothing, not even A.
    std::optional<Physical> look_up(Linear address);
    // Host addresses of these pages are withheld, so that accesses take the slow road, where watchpoints are.
    void withhold(const std::vector<WatchedPage>& pages);
    const std::vector<WatchedPage>& withheld() const { return withheld_; }
    bool withholds(Linear page, bool write) const;

    // Through the TLB. The page offset is kept.
    OrFault<Physical> translate(Linear address, Access access, Privilege privilege);

    // Host addresses of a whole page for plain loads and stores; null: MMIO, ROM for writes, a watched page, or not in
    // the TLB (call translate first, which fills it).
    const u8* read_page(Linear page, Privilege privilege) const {
        const Entry& e = entries_[static_cast<u8>(privilege)][index(page)];
        return e.read_tag == raw(page) ? e.read : nullptr;
    }
    u8* write_page(Linear page, Privilege privilege) const {
        const Entry& e = entries_[static_cast<u8>(privilege)][index(page)];
        return e.write_tag == raw(page) ? e.write : nullptr;
    }

    void flush();                  // everything, global pages too
    void flush_non_global();       // MOV CR3 with CR4.PGE
    void flush_page(Linear page);  // INVLPG
    // Counts flushes of every kind: cheap test whether cached translations of others may be stale.
    u64 generation() const { return generation_; }

 private:
    struct Entry {
        u64 read_tag = ~u64{0}, write_tag = ~u64{0}, fetch_tag = ~u64{0};
        const u8* read = nullptr;
        u8* write = nullptr;
        Physical physical{};
        bool global = false;
    };
    static constexpr u32 entry_count = 1024;
    static u32 index(Linear page) { return static_cast<u32>(raw(page) >> page_shift) & (entry_count - 1); }
    void page_map_changed(Physical first, u64 bytes) override;
    void fill(Linear page, Privilege privilege, const Translation& found);
    void take_pointers(Entry& entry, Linear page);
    void drop(u32 privilege, u32 slot);
    template <typename Predicate>
    void drop_where(Predicate stale);  // among the entries in use

    CpuState& state_;
    GuestMemory& memory_;
    std::array<Entry, entry_count> entries_[2];             // by Privilege
    std::array<u64, entry_count / 64> used_[2] = {};        // one bit for each filled entry: a flush visits only these
    std::array<u64, entry_count / 64> large_regions_ = {};  // 4 MiB regions that had a large page since the last flush
    u64 generation_ = 0;
    std::vector<WatchedPage> withheld_;
};

}  // namespace vellum
