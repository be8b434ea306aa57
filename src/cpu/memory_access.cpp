// Memory accesses off the common path: page straddling, MMIO, watched pages, odd segments.
#include "cpu/memory_access.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "cpu/breakpoints.hpp"

namespace vellum {

namespace {

// An access of at most one page's length, as the one or two physical runs that it falls into.
struct Runs {
    Physical at[2]{};
    u32 bytes[2] = {0, 0};
};

Linear wrapped(Linear a) { return Linear{static_cast<u32>(raw(a))}; }

Fault find_runs(Cpu& cpu, Linear address, u32 bytes, Access access, Privilege privilege, Runs& runs) {
    check(bytes <= page_size, "one access is at most a page long");
    u32 first = std::min(bytes, page_size - offset_in_page(address));
    OrFault<Physical> a = cpu.mmu.translate(address, access, privilege);
    if (!a) return a.fault();
    runs.at[0] = *a;
    runs.bytes[0] = first;
    if (first == bytes) return Fault::none();
    OrFault<Physical> b = cpu.mmu.translate(wrapped(address + first), access, privilege);
    if (!b) return b.fault();
    runs.at[1] = *b;
    runs.bytes[1] = bytes - first;
    return Fault::none();
}

u8 mmio_piece(std::size_t bytes) { return bytes >= 4 ? 4 : bytes >= 2 ? 2 : 1; }

void read_run(Cpu& cpu, Physical at, std::span<u8> bytes) {
    if (const u8* page = cpu.memory.read_pointer(page_of(at))) {
        std::memcpy(bytes.data(), page + offset_in_page(at), bytes.size());
        return;
    }
    while (!bytes.empty()) {
        u8 size = mmio_piece(bytes.size());
        u32 value = cpu.outside.read_mmio(at, size);
        std::memcpy(bytes.data(), &value, size);
        bytes = bytes.subspan(size);
        at = at + size;
    }
}

void write_run(Cpu& cpu, Physical at, std::span<const u8> bytes) {
    if (cpu.memory.writable(page_of(at))) {
        cpu.memory.write(at, bytes);  // tells watchers
        return;
    }
    while (!bytes.empty()) {
        u8 size = mmio_piece(bytes.size());
        u32 value = 0;
        std::memcpy(&value, bytes.data(), size);
        cpu.outside.write_mmio(at, size, value);
        bytes = bytes.subspan(size);
        at = at + size;
    }
}

// The guest's breakpoints, and those of a debugger.
void tell_of_access(Cpu& cpu, Linear address, const Runs& runs, bool write) {
    auto tell = [&](u32 linear, u32 bytes) {
        note_access(cpu.state, linear, bytes, write);
        if (cpu.debug.watching()) cpu.debug.touched(linear, bytes, write);
    };
    tell(static_cast<u32>(raw(address)), runs.bytes[0]);
    if (runs.bytes[1]) tell(static_cast<u32>(raw(address) + runs.bytes[0]), runs.bytes[1]);
}

bool type_permits(const Segment& s, Access access) {
    if (!s.present() || !s.is_code_or_data()) return false;
    bool second = s.type() & 2;  // readable code, writable data
    switch (access) {
        case Access::Read: return !s.is_code() || second;
        case Access::Write: return !s.is_code() && second;
        case Access::Fetch: return true;  // CS was checked when it was loaded; real mode runs in data segments
    }
    return false;
}

bool within_limit(const Segment& s, u32 offset, u32 bytes) {
    u64 last = u64{offset} + bytes - 1;
    bool expand_down = !s.is_code() && s.type() & 4;
    if (expand_down) return offset > s.limit && last <= (s.big() ? 0xFFFFFFFF : 0xFFFF);
    // A flat segment has no end: an access over that of 4 GiB goes on at 0. SDM 3A 5.3 leaves it to the implementation;
    // Intel's do so, AMD's raise #GP (docs/decisions/hardware-oracle.md).
    bool flat = s.base == 0 && s.limit == 0xFFFFFFFF;
    return flat || last <= s.limit;
}

}  // namespace

namespace access_detail {

bool permits(const Segment& segment, u32 offset, u32 bytes, Access access) {
    return type_permits(segment, access) && within_limit(segment, offset, bytes);
}

Fault read_anywhere(Cpu& cpu, Linear address, std::span<u8> bytes, Privilege privilege) {
    Runs runs;
    if (Fault f = find_runs(cpu, address, static_cast<u32>(bytes.size()), Access::Read, privilege, runs)) return f;
    read_run(cpu, runs.at[0], bytes.first(runs.bytes[0]));
    if (runs.bytes[1]) read_run(cpu, runs.at[1], bytes.subspan(runs.bytes[0]));
    if (!cpu.mmu.withheld().empty()) tell_of_access(cpu, address, runs, false);
    return Fault::none();
}

Fault write_anywhere(Cpu& cpu, Linear address, std::span<const u8> bytes, Privilege privilege) {
    if (offset_in_page(address) + bytes.size() <= page_size)
        if (u8* page = cpu.mmu.write_page(page_of(address), privilege)) {
            std::memcpy(page + offset_in_page(address), bytes.data(), bytes.size());
            return Fault::none();
        }
    Runs runs;
    if (Fault f = find_runs(cpu, address, static_cast<u32>(bytes.size()), Access::Write, privilege, runs)) return f;
    write_run(cpu, runs.at[0], bytes.first(runs.bytes[0]));
    if (runs.bytes[1]) write_run(cpu, runs.at[1], bytes.subspan(runs.bytes[0]));
    if (!cpu.mmu.withheld().empty()) tell_of_access(cpu, address, runs, true);
    return Fault::none();
}

Fault probe_linear(Cpu& cpu, Linear address, u32 bytes, Access access, Privilege privilege) {
    Runs runs;
    return find_runs(cpu, address, bytes, access, privilege, runs);
}

}  // namespace access_detail

namespace access_detail {
namespace {

// Where the bytes are in plain RAM, if nothing about the access is special; else null.
const u8* readable_at_once(const Cpu& cpu, Seg segment, u32 offset, std::size_t bytes) {
    const Segment& s = cpu.state.segment(segment);
    if (!plain(s, offset, static_cast<u32>(bytes), MayRead)) return nullptr;
    Linear a = linear_of(s, offset);
    if (offset_in_page(a) + bytes > page_size) return nullptr;
    const u8* page = cpu.mmu.read_page(page_of(a), cpu.privilege());
    return page ? page + offset_in_page(a) : nullptr;
}

u8* writable_at_once(const Cpu& cpu, Seg segment, u32 offset, std::size_t bytes) {
    const Segment& s = cpu.state.segment(segment);
    if (!plain(s, offset, static_cast<u32>(bytes), MayWrite)) return nullptr;
    Linear a = linear_of(s, offset);
    if (offset_in_page(a) + bytes > page_size) return nullptr;
    u8* page = cpu.mmu.write_page(page_of(a), cpu.privilege());
    return page ? page + offset_in_page(a) : nullptr;
}

}  // namespace
}  // namespace access_detail

OrFault<Linear> Cpu::to_linear(Seg segment, u32 offset, u32 bytes, Access access) const {
    const Segment& s = state.segment(segment);
    if (!access_detail::permits(s, offset, bytes, access))
        return Fault::exception(segment == Seg::Ss ? vector::ss : vector::gp);
    return access_detail::linear_of(s, offset);
}

Fault Cpu::read_bytes(Seg segment, u32 offset, std::span<u8> bytes) {
    if (const u8* from = access_detail::readable_at_once(*this, segment, offset, bytes.size())) {
        std::memcpy(bytes.data(), from, bytes.size());
        return Fault::none();
    }
    OrFault<Linear> a = to_linear(segment, offset, static_cast<u32>(bytes.size()), Access::Read);
    return a ? access_detail::read_anywhere(*this, *a, bytes, privilege()) : a.fault();
}

Fault Cpu::write_bytes(Seg segment, u32 offset, std::span<const u8> bytes) {
    if (u8* to = access_detail::writable_at_once(*this, segment, offset, bytes.size())) {
        std::memcpy(to, bytes.data(), bytes.size());
        return Fault::none();
    }
    OrFault<Linear> a = to_linear(segment, offset, static_cast<u32>(bytes.size()), Access::Write);
    return a ? access_detail::write_anywhere(*this, *a, bytes, privilege()) : a.fault();
}

Fault Cpu::check_alignment(Seg segment, u32 offset, u32 bytes, u32 alignment, Access access) const {
    if (!access_detail::alignment_checked(state)) return Fault::none();
    OrFault<Linear> a = to_linear(segment, offset, bytes, access);
    return a && raw(*a) & (alignment - 1) ? Fault::exception(vector::ac) : Fault::none();
}

Fault Cpu::probe(Seg segment, u32 offset, u32 bytes, Access access) {
    OrFault<Linear> a = to_linear(segment, offset, bytes, access);
    return a ? access_detail::probe_linear(*this, *a, bytes, access, privilege()) : a.fault();
}

}  // namespace vellum
