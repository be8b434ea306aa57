// Host faults of translated code: fill the window and go on, or leave at an exact boundary.
#include "jit/dispatcher.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "cpu/alu.hpp"
#include "cpu/memory_access.hpp"

namespace vellum {

namespace {

constexpr u64 window_bytes = u64{1} << 32;
constexpr u64 longest_operand = sizeof(FxImage);
constexpr u32 most_releases = 8;      // of one page, before its code is held to be living beside data: a power of two
constexpr u32 most_repetitions = 64;  // of the very same fault, filled each time

u32 low_half(u64 value) { return static_cast<u32>(value); }

// `mov r11d,[r11]`, as only polls have it.
bool is_poll(u64 rip) {
    constexpr u8 bytes[] = {0x45, 0x8B, 0x1B};
    return std::equal(std::begin(bytes), std::end(bytes), reinterpret_cast<const u8*>(rip));
}

// The flags of comparing the elements behind which ESI and EDI are; both segments are flat.
template <typename T>
void compare_last_elements(Cpu& cpu, bool scans) {
    u32 step = cpu.state.eflags & eflags::df ? ~u32{sizeof(T)} + 1 : u32{sizeof(T)};
    OrFault<T> first = static_cast<T>(cpu.state.reg(Reg::Eax));
    if (!scans) first = cpu.read<T>(Seg::Es, cpu.state.reg(Reg::Esi) - step);
    auto second = cpu.read<T>(Seg::Es, cpu.state.reg(Reg::Edi) - step);
    if (first && second) alu::binary<alu::Binary::Cmp, T>(*first, *second, cpu.state.eflags);
}

// OF of a shift as emit_shift.cpp has it: of one to the left, CF and the top bit XORed, of one to the right the two top
// bits.
void set_overflow(HostFault& fault, u8 how) {
    u64 result = fault.registers[how & 0xF];
    bool top = result >> 31 & 1, other = how & SideEntry::of_left_shift ? fault.flags & eflags::cf : result >> 30 & 1;
    fault.flags = (fault.flags & ~u64{eflags::of}) | (top != other ? eflags::of : 0);
}

void swap_low_bytes(u64& value) { value = (value & ~u64{0xFFFF}) | (value & 0xFF) << 8 | (value >> 8 & 0xFF); }

}  // namespace

// Leaves before a guest instruction of the block.
void Translator::leave_at(HostFault& fault, const Block& block, const SideEntry& entry, ExitSite::Kind kind) {
    u32 index = entry.index;
    if (entry.overflow != SideEntry::exact) set_overflow(fault, entry.overflow);
    if (entry.downwards) fault.flags |= eflags::df;
    fault.registers[r12] = reinterpret_cast<u64>(view_->base) |
                           low_half(fault.registers[r12] + static_cast<u64>(static_cast<i64>(entry.esp_delta)));
    fault_exit_.kind = kind;
    fault_exit_.block = const_cast<Block*>(&block);
    fault_exit_.ahead = block.counted_ahead(index);
    fault_exit_.eip = fault_exit_.next_eip = block.eips[index];
    fault.registers[r10] = reinterpret_cast<u64>(&fault_exit_);
    fault.rip = cache_.runtime().exit;
}

// An instruction that keeps faulting is retranslated as a callout.
void Translator::note_faulting_site(const Block& block, u32 index) {
    if (!config_.adaptive_sites || site_fault_ == SiteFault::Other) return;
    Physical at = block.key.physical + (block.eips[index] - block.eip);
    bool rated = site_fault_ == SiteFault::Rated;
    if (rated ? sites_.note_rated_fault(at) : sites_.note_fault(at, site_fault_ == SiteFault::Code))
        site_to_retranslate_ = at;
}

// A page that held code is written: most often it has become a page of data (the guest gave it to somebody else), and
// its code is not missed. The store then goes on at once, where stores beside living code are done one by one.
bool Translator::release_page(Linear address, const Block& running) {
    if (!config_.adaptive_sites) return false;
    auto translation = cpu_.mmu.walk(address, Access::Write, view_->user ? Privilege::User : Privilege::Supervisor);
    if (!translation) return false;
    Physical page = page_of((*translation).page);
    if (page == page_of(running.key.physical) || (running.straddles && page == running.second_page)) return false;
    // Code that lived beside data may die later (firmware's, in memory that a kernel then gives away): ever more rarely
    // it is tried again.
    u32 wishes = ++released_[raw(page)];
    if (wishes > most_releases && !std::has_single_bit(wishes)) return false;
    cache_.invalidate(page, 0, page_size - 1);
    interpreter_.forget_decoded(page);
    return spaces_.fill(*view_, address, Access::Write).what == AddressSpaces::Fill::Mapped;
}

Translator::StringComparison Translator::comparison_at(u64 rip) {
    const u8* at = reinterpret_cast<const u8*>(rip);
    bool narrow = *at == 0x66;
    at += narrow;
    StringComparison found;
    found.repeated = *at == 0xF3 || *at == 0xF2;
    at += found.repeated;
    found.scans = (*at & 0xFE) == 0xAE;
    if (found.scans || (*at & 0xFE) == 0xA6) found.bytes = !(*at & 1) ? 1 : narrow ? 2 : 4;
    return found;
}

// Processors differ in which operand of CMPS they read first (Intel's: the source, AMD's: the destination). The guest's
// reads the source first, so that its fault comes first, and the destination's page is not marked accessed then.
bool Translator::source_faults_first(const HostFault& fault) const {
    auto [bytes, scans, repeated] = comparison_at(fault.rip);
    u64 source = fault.registers[rsi];
    if (bytes == 0 || scans || fault.address - source < bytes) return false;
    Privilege privilege = view_->user ? Privilege::User : Privilege::Supervisor;
    for (u64 at : {source, source + bytes - 1})
        if (!cpu_.mmu.walk(static_cast<Linear>(low_half(at)), Access::Read, privilege)) return true;
    return false;
}

// A repeated CMPS or SCAS that faults has left the flags of its last iteration (AMD's processors) or those from before
// all of them (Intel's, SDM 2, CMPS; unless the host was interrupted in between). The guest sees the former, always.
void Translator::set_flags_of_last_iteration() {
    auto [bytes, scans, repeated] = std::exchange(faulted_comparison_, {});
    if (bytes == 0 || !repeated || static_cast<u32>(cache_.context().repeat_start) == state_.reg(Reg::Ecx)) return;
    switch (bytes) {
        case 1: return compare_last_elements<u8>(cpu_, scans);
        case 2: return compare_last_elements<u16>(cpu_, scans);
        default: return compare_last_elements<u32>(cpu_, scans);
    }
}

void Translator::anticipate_retry(View& view) {
    if (faulted_access_.eip != state_.eip || faulted_access_.view_slot != view.slot) return;
    faulted_access_.waits = false;
    spaces_.anticipate(view, faulted_access_.address, faulted_access_.access);
}

// The instruction as it was fetched. It may lie in a page table, where A and D of its own accesses change it.
void Translator::note_faulted_bytes(const Block& block, u32 index) {
    Physical first = block.key.physical + (block.eips[index] - block.eip);
    u32 length = block.eips[index + 1] - block.eips[index];
    u32 here = std::min(length, page_size - offset_in_page(first));
    faulted_length_ = length;
    std::span<u8> bytes = std::span{faulted_bytes_}.first(length);
    cpu_.memory.read(first, bytes.first(here));
    if (here < length) cpu_.memory.read(block.second_page, bytes.subspan(here));
}

// Does the operand of the guest's instruction begin on the page before? Its load gets that far though its first page
// may be read-only. (note_faulted_bytes has the instruction.)
bool Translator::faults_on_second_page(const HostFault& fault, const Block& block, const SideEntry& entry) {
    if (offset_in_page(Linear{fault.address}) != 0) return false;
    DecodeStatus status;
    bool code32 = modes_[block.key.mode].code32();
    const Instruction* in = memo_.decode(std::span{faulted_bytes_}.first(faulted_length_), code32, status);
    if (!in) return true;
    const MemoryOperand& m = in->memory;
    auto part = [&](u8 reg) {
        if (reg == MemoryOperand::none) return 0u;
        return low_half(fault.registers[host_of(reg)]) + (reg == 4 ? static_cast<u32>(entry.esp_delta) : 0);
    };
    u32 offset = m.displacement + part(m.base) + part(m.index) * m.scale;
    if (in->address_size == 2) offset &= 0xFFFF;
    return low_half(fault.address) != static_cast<u32>(state_.segment(m.segment).base + offset);
}

// True: the access will succeed now.
bool Translator::try_fill(HostFault& fault, const Block& running) {
    u64 base = reinterpret_cast<u64>(view_->base);
    bool again = fault.address == repeated_fault_address_ && fault.rip == repeated_fault_rip_;
    repeated_faults_ = again ? repeated_faults_ + 1 : 0;
    repeated_fault_address_ = fault.address;
    repeated_fault_rip_ = fault.rip;
    if (fault.address - base < window_bytes) {
        Linear address = static_cast<Linear>(fault.address - base);
        Access access = fault.write ? Access::Write : Access::Read;
        // An operand may run past the end of 4 GiB, which is a fault of its segment: no page is asked for it then.
        if (raw(address) > window_bytes - longest_operand && spaces_.would_mark(address, access)) {
            site_fault_ = SiteFault::Rated;
            return false;
        }
        Occupation& now = cpu_.occupation;
        now.note(Occupation::fault(Occupation::Fault::WindowFill));  // what it comes to most often
        switch (spaces_.fill(*view_, address, access).what) {
            case AddressSpaces::Fill::Mapped:
                ++window_fills_;
                site_fault_ = SiteFault::Rated;
                return repeated_faults_ < most_repetitions;
            case AddressSpaces::Fill::GuestFault:
                ++guest_page_faults_;
                now.note(Occupation::fault(Occupation::Fault::GuestPageFault));
                site_fault_ = SiteFault::Rated;
                faulted_access_ = {true, access, address, 0, view_->slot};
                return false;
            case AddressSpaces::Fill::Mmio:
                ++mmio_faults_;
                now.note(Occupation::fault(Occupation::Fault::Mmio));
                site_fault_ = SiteFault::NeedsHelp;
                return false;
            case AddressSpaces::Fill::WatchedWrite:
                ++code_write_faults_;
                now.note(Occupation::fault(Occupation::Fault::CodeWrite));
                if (release_page(address, running)) return true;
                site_fault_ = SiteFault::Code;
                return false;
        }
    }
    // Beyond the window: r12 may have run across an end of the guest's 4 GiB.
    u64 normalised = base | low_half(fault.registers[r12]);
    if (normalised == fault.registers[r12]) return false;
    fault.registers[r12] = normalised;
    return true;
}

bool Translator::on_host_fault(HostFault& fault) {
    if (!view_ || !cache_.contains(fault.rip)) return false;
    ++host_faults_;
    OccupationScope scope{cpu_.occupation, Occupation::fault(Occupation::Fault::Other)};
    return answer_fault(fault);
}

bool Translator::answer_fault(HostFault& fault) {
    follow_crossings();
    if (fault.rip == cache_.runtime().lookup_poll) {
        fault.registers[r10] = reinterpret_cast<u64>(&indirect_exit_);
        fault.rip = cache_.runtime().exit;
        return true;
    }
    if (mode_state_ && mode_state_->overflowed_at(fault.address)) {
        fault.registers[rsp] = mode_state_->empty_return_sp();
        return true;
    }
    Block* block = cache_.block_at(fault.rip);
    if (!block) return false;
    u32 offset = static_cast<u32>(fault.rip - cache_.runtime().code_base);
    auto after = std::upper_bound(block->side.begin(), block->side.end(), offset,
                                  [](u32 at, const SideEntry& entry) { return at < entry.host; });
    if (after == block->side.begin()) return false;
    const SideEntry& entry = *std::prev(after);
    site_fault_ = SiteFault::Other;
    note_faulted_bytes(*block, entry.index);
    if (fault.kind == HostFault::Kind::Page) {
        if (is_poll(fault.rip)) {
            leave_at(fault, *block, entry, ExitSite::Kind::Boundary);
            return true;
        }
        // What will be written is asked for as that when it is read (XCHG faults as a write, SDM 3A 4.7).
        fault.write |= entry.exchanges;
        bool undecided = source_faults_first(fault) || (entry.exchanges && faults_on_second_page(fault, *block, entry));
        if (!undecided && try_fill(fault, *block)) {
            note_faulting_site(*block, entry.index);
            // A and D, which are marked now, may lie in what was read.
            if (entry.exchanges) fault.rip = cache_.runtime().code_base + entry.host;
            // Code in a page table: A and D that this access has set may have changed what comes next.
            if (!block->dead) return true;
        }
    } else {
        site_fault_ = SiteFault::Rated;
    }
    if (entry.swapped != SideEntry::not_swapped) swap_low_bytes(fault.registers[entry.swapped]);
    faulted_comparison_ = comparison_at(fault.rip);
    leave_at(fault, *block, entry, ExitSite::Kind::Fault);
    faulted_access_.eip = fault_exit_.eip;
    note_faulting_site(*block, entry.index);
    return true;
}

void Translator::page_will_change(Physical page, u32 first_offset, u32 last_offset) {
    if (!constant_replaced_) cache_.invalidate(page, first_offset, last_offset);
}

}  // namespace vellum
