// Writes to the control registers.
#include "cpu/control_registers.hpp"

#include <cstring>

#include "cpu/fpu.hpp"

namespace vellum {

namespace {

constexpr u64 cr0_writable =
    cr0::pe | cr0::mp | cr0::em | cr0::ts | cr0::ne | cr0::wp | cr0::am | cr0::nw | cr0::cd | cr0::pg;
constexpr u64 cr4_writable =
    cr4::tsd | cr4::de | cr4::pse | cr4::pae | cr4::mce | cr4::pge | cr4::pce | cr4::osfxsr | cr4::osxmmexcpt;
// A change of these empties the TLB, global pages too.
constexpr u64 cr0_flushing = cr0::pe | cr0::wp | cr0::pg;
constexpr u64 cr4_flushing = cr4::pse | cr4::pae | cr4::pge;

const Fault gp0 = Fault::exception(vector::gp);

bool pae_paging(u64 cr0_value, u64 cr4_value) { return cr0_value & cr0::pg && cr4_value & cr4::pae; }

// The four page-directory-pointer entries are read at loads of CR3 and the like, not by walks. False: reserved bits.
bool load_pdptes(Cpu& cpu, u64 cr3_value) {
    constexpr u64 reserved = 0x1E6 | ~((u64{1} << physical_address_bits) - 1);
    Physical table{cr3_value & 0xFFFFFFE0 & cpu.state.a20_mask};
    u64 entries[4];
    cpu.memory.read(table, {reinterpret_cast<u8*>(entries), sizeof entries});
    for (u64 entry : entries)
        if (entry & 1 && entry & reserved) return false;
    std::memcpy(cpu.state.pdpte, entries, sizeof entries);
    return true;
}

}  // namespace

Fault write_cr0(Cpu& cpu, u32 value) {
    CpuState& state = cpu.state;
    u64 next = (value & cr0_writable) | cr0::et;  // reserved bits are ignored
    u64 changed = next ^ state.cr0;
    bool paging_without_protection = next & cr0::pg && !(next & cr0::pe);
    bool write_back_without_cache = next & cr0::nw && !(next & cr0::cd);
    if (paging_without_protection || write_back_without_cache) return gp0;
    if (pae_paging(next, state.cr4) && changed & (cr0::pg | cr0::cd | cr0::nw) && !load_pdptes(cpu, state.cr3))
        return gp0;
    state.cr0 = next;
    if (changed & cr0::ne) x87::update_ferr(cpu);
    if (changed & cr0_flushing) cpu.mmu.flush();
    return Fault::none();
}

Fault write_cr3(Cpu& cpu, u32 value) {
    CpuState& state = cpu.state;
    if (pae_paging(state.cr0, state.cr4) && !load_pdptes(cpu, value)) return gp0;
    state.cr3 = value;
    cpu.mmu.flush_non_global();
    return Fault::none();
}

Fault write_cr4(Cpu& cpu, u32 value) {
    CpuState& state = cpu.state;
    if (value & ~cr4_writable) return gp0;
    u64 changed = value ^ state.cr4;
    if (pae_paging(state.cr0, value) && changed & cr4_flushing && !load_pdptes(cpu, state.cr3)) return gp0;
    state.cr4 = value;
    if (changed & cr4_flushing) cpu.mmu.flush();
    return Fault::none();
}

Fault write_efer(Cpu& cpu, u64 value) {
    if (value & ~efer::nxe) return gp0;
    u64 changed = value ^ cpu.state.efer;
    cpu.state.efer = value;
    if (changed) cpu.mmu.flush();
    return Fault::none();
}

}  // namespace vellum
