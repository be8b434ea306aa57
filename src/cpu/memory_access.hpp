// The memory accesses of cpu.hpp: segment check, TLB, host memory, all inline for the common case (expand-up segment,
// one page, plain RAM). What is left over is in memory_access.cpp. SDM 3A 5.3 (limits), 5.4 (null segments).
#pragma once

#include <array>
#include <cstring>

#include "cpu/cpu.hpp"

namespace vellum {

namespace access_detail {

enum Right : u8 { MayRead = 1, MayWrite = 2 };

// What an expand-up segment permits, by the low byte of its access word; nothing for null and expand-down ones.
constexpr auto rights_of_access = [] {
    std::array<u8, 256> rights{};
    for (u32 access = 0; access < 256; ++access) {
        if ((access & 0x90) != 0x90) continue;  // not present, or a system descriptor
        bool code = access & 8, second = access & 2;
        bool expand_down = !code && access & 4;
        if (expand_down) continue;
        rights[access] = static_cast<u8>((!code || second ? MayRead : 0) | (!code && second ? MayWrite : 0));
    }
    return rights;
}();

inline bool plain(const Segment& s, u32 offset, u32 bytes, Right right) {
    return rights_of_access[s.access & 0xFF] & right && u64{offset} + bytes - 1 <= s.limit;
}

inline Linear linear_of(const Segment& s, u32 offset) { return Linear{static_cast<u32>(s.base + offset)}; }

template <typename T>
bool in_one_page(Linear a) {
    return offset_in_page(a) <= page_size - sizeof(T);
}

inline bool alignment_checked(const CpuState& state) {
    return state.cpl == 3 && state.cr0 & cr0::am && state.eflags & eflags::ac;
}

// #AC comes before paging.
template <typename T>
bool misaligned(const CpuState& state, Linear a) {
    return sizeof(T) > 1 && raw(a) % sizeof(T) != 0 && alignment_checked(state);
}

// The segment check in full: type, limit, expand-down.
bool permits(const Segment& segment, u32 offset, u32 bytes, Access access);

// Any access at all, after the segment check. Straddling ones translate both pages before they touch either.
Fault read_anywhere(Cpu& cpu, Linear address, std::span<u8> bytes, Privilege privilege);
Fault write_anywhere(Cpu& cpu, Linear address, std::span<const u8> bytes, Privilege privilege);
Fault probe_linear(Cpu& cpu, Linear address, u32 bytes, Access access, Privilege privilege);

template <typename T>
[[gnu::noinline]] OrFault<T> read_slowly(Cpu& cpu, Seg segment, u32 offset) {
    OrFault<Linear> a = cpu.to_linear(segment, offset, sizeof(T), Access::Read);
    if (!a) return a.fault();
    if (misaligned<T>(cpu.state, *a)) return Fault::exception(vector::ac);
    std::array<u8, sizeof(T)> bytes;
    if (Fault f = read_anywhere(cpu, *a, bytes, cpu.privilege())) return f;
    T value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

template <typename T>
[[gnu::noinline]] Fault write_slowly(Cpu& cpu, Seg segment, u32 offset, T value) {
    OrFault<Linear> a = cpu.to_linear(segment, offset, sizeof(T), Access::Write);
    if (!a) return a.fault();
    if (misaligned<T>(cpu.state, *a)) return Fault::exception(vector::ac);
    std::array<u8, sizeof(T)> bytes;
    std::memcpy(bytes.data(), &value, sizeof value);
    return write_anywhere(cpu, *a, bytes, cpu.privilege());
}

template <typename T>
[[gnu::noinline]] OrFault<T> read_for_update_slowly(Cpu& cpu, Seg segment, u32 offset) {
    OrFault<Linear> a = cpu.to_linear(segment, offset, sizeof(T), Access::Write);
    if (!a) return a.fault();
    if (misaligned<T>(cpu.state, *a)) return Fault::exception(vector::ac);
    if (Fault f = probe_linear(cpu, *a, sizeof(T), Access::Write, cpu.privilege())) return f;
    std::array<u8, sizeof(T)> bytes;
    if (Fault f = read_anywhere(cpu, *a, bytes, cpu.privilege())) return f;
    T value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

}  // namespace access_detail

template <typename T>
inline OrFault<T> Cpu::read(Seg segment, u32 offset) {
    using namespace access_detail;
    const Segment& s = state.segment(segment);
    if (plain(s, offset, sizeof(T), MayRead)) [[likely]] {
        Linear a = linear_of(s, offset);
        if (in_one_page<T>(a) && !misaligned<T>(state, a)) [[likely]]
            if (const u8* page = mmu.read_page(page_of(a), privilege())) [[likely]] {
                T value;
                std::memcpy(&value, page + offset_in_page(a), sizeof value);
                return value;
            }
    }
    return read_slowly<T>(*this, segment, offset);
}

template <typename T>
inline Fault Cpu::write(Seg segment, u32 offset, T value) {
    using namespace access_detail;
    const Segment& s = state.segment(segment);
    if (plain(s, offset, sizeof(T), MayWrite)) [[likely]] {
        Linear a = linear_of(s, offset);
        if (in_one_page<T>(a) && !misaligned<T>(state, a)) [[likely]]
            if (u8* page = mmu.write_page(page_of(a), privilege())) [[likely]] {
                std::memcpy(page + offset_in_page(a), &value, sizeof value);
                return Fault::none();
            }
    }
    return write_slowly<T>(*this, segment, offset, value);
}

template <typename T>
inline OrFault<T> Cpu::read_for_update(Seg segment, u32 offset) {
    using namespace access_detail;
    const Segment& s = state.segment(segment);
    if (plain(s, offset, sizeof(T), MayWrite)) [[likely]] {
        Linear a = linear_of(s, offset);
        if (in_one_page<T>(a) && !misaligned<T>(state, a)) [[likely]]
            if (const u8* page = mmu.write_page(page_of(a), privilege())) [[likely]] {
                T value;
                std::memcpy(&value, page + offset_in_page(a), sizeof value);
                return value;
            }
    }
    return read_for_update_slowly<T>(*this, segment, offset);
}

template <typename T>
inline OrFault<T> Cpu::read_linear(Linear address, Privilege as) {
    Linear a{static_cast<u32>(raw(address))};
    T value;
    if (const u8* page = mmu.read_page(page_of(a), as); page && access_detail::in_one_page<T>(a)) [[likely]] {
        std::memcpy(&value, page + offset_in_page(a), sizeof value);
        return value;
    }
    std::array<u8, sizeof(T)> bytes;
    if (Fault f = access_detail::read_anywhere(*this, a, bytes, as)) return f;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

template <typename T>
inline Fault Cpu::write_linear(Linear address, T value, Privilege as) {
    Linear a{static_cast<u32>(raw(address))};
    if (u8* page = mmu.write_page(page_of(a), as); page && access_detail::in_one_page<T>(a)) [[likely]] {
        std::memcpy(page + offset_in_page(a), &value, sizeof value);
        return Fault::none();
    }
    std::array<u8, sizeof(T)> bytes;
    std::memcpy(bytes.data(), &value, sizeof value);
    return access_detail::write_anywhere(*this, a, bytes, as);
}

inline Fault Cpu::push(u32 value, u8 size) {
    u32 mask = state.stack32() ? 0xFFFFFFFF : 0xFFFF;
    auto esp = static_cast<u32>(state.reg(Reg::Esp));
    u32 below = (esp - size) & mask;
    Fault f = size == 2 ? write<u16>(Seg::Ss, below, static_cast<u16>(value)) : write<u32>(Seg::Ss, below, value);
    if (!f) state.reg(Reg::Esp) = (esp & ~mask) | below;
    return f;
}

inline OrFault<u32> Cpu::pop(u8 size) {
    u32 mask = state.stack32() ? 0xFFFFFFFF : 0xFFFF;
    auto esp = static_cast<u32>(state.reg(Reg::Esp));
    u32 value = 0;
    if (size == 2) {
        OrFault<u16> read_value = read<u16>(Seg::Ss, esp & mask);
        if (!read_value) return read_value.fault();
        value = *read_value;
    } else {
        OrFault<u32> read_value = read<u32>(Seg::Ss, esp & mask);
        if (!read_value) return read_value.fault();
        value = *read_value;
    }
    state.reg(Reg::Esp) = (esp & ~mask) | ((esp + size) & mask);
    return value;
}

inline u32 Cpu::effective_address(const Instruction& in) const {
    const MemoryOperand& m = in.memory;
    u32 address = m.displacement;
    if (m.base != MemoryOperand::none) address += static_cast<u32>(state.gpr[m.base]);
    if (m.index != MemoryOperand::none) address += static_cast<u32>(state.gpr[m.index]) * m.scale;
    return in.address_size == 2 ? address & 0xFFFF : address;
}

}  // namespace vellum
