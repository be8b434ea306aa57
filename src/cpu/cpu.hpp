// One virtual processor: its state, what it is wired to, and the memory accesses that instructions are made of.
// Instructions are free functions over it (rows_*.cpp); segments.hpp, interrupts.hpp and tasks.hpp hold the parts of
// chapter 5, 6 and 7 of SDM 3A.
#pragma once

#include <span>

#include "base/log.hpp"
#include "cpu/attention.hpp"
#include "cpu/debug_points.hpp"
#include "cpu/fault.hpp"
#include "cpu/host_features.hpp"
#include "cpu/host_stubs.hpp"
#include "cpu/instruction.hpp"
#include "cpu/mmu.hpp"
#include "cpu/occupation.hpp"
#include "cpu/outside.hpp"
#include "cpu/state.hpp"

namespace vellum {

class Cpu {
 public:
    // `host` says what the guest is offered; the host must have it.
    Cpu(CpuState& cpu_state, GuestMemory& guest_memory, Outside& machine, Log& machine_log, const HostFeatures& host)
        : state{cpu_state},
          memory{guest_memory},
          outside{machine},
          log{machine_log},
          features{host},
          attention{cpu_state},
          mmu{cpu_state, guest_memory},
          host_stubs{host} {}

    CpuState& state;
    GuestMemory& memory;
    Outside& outside;
    Log& log;
    const HostFeatures features;
    Attention attention;
    Mmu mmu;
    HostStubs host_stubs;  // how x87, MMX and SSE are executed
    DebugPoints debug;
    Occupation occupation;  // of the thread that runs it

    Privilege privilege() const { return state.cpl == 3 ? Privilege::User : Privilege::Supervisor; }

    // --- registers by encoding; writes of 4 bytes clear the upper half
    u8 get8(u8 reg) const { return static_cast<u8>(reg < 4 ? state.gpr[reg] : state.gpr[reg - 4] >> 8); }
    u16 get16(u8 reg) const { return static_cast<u16>(state.gpr[reg]); }
    u32 get32(u8 reg) const { return static_cast<u32>(state.gpr[reg]); }
    void set8(u8 reg, u8 value) {
        if (reg < 4)
            state.gpr[reg] = (state.gpr[reg] & ~u64{0xFF}) | value;
        else
            state.gpr[reg - 4] = (state.gpr[reg - 4] & ~u64{0xFF00}) | static_cast<u64>(value) << 8;
    }
    void set16(u8 reg, u16 value) { state.gpr[reg] = (state.gpr[reg] & ~u64{0xFFFF}) | value; }
    void set32(u8 reg, u32 value) { state.gpr[reg] = value; }

    // --- memory through a segment: limit, type and privilege checks, then paging. T: u8 u16 u32 u64.
    // Offsets are already wrapped to the address size. Faults: #GP/#SS(0) for segments, #PF, #AC.
    template <typename T>
    OrFault<T> read(Seg segment, u32 offset);
    template <typename T>
    Fault write(Seg segment, u32 offset, T value);
    // The read half of a read-modify-write: faults as a write would; a `write` of the same place then cannot fault.
    template <typename T>
    OrFault<T> read_for_update(Seg segment, u32 offset);
    Fault read_bytes(Seg segment, u32 offset, std::span<u8> bytes);
    Fault write_bytes(Seg segment, u32 offset, std::span<const u8> bytes);  // all or nothing
    // Checks only: would the access fault? For instructions that must know before they change anything.
    Fault probe(Seg segment, u32 offset, u32 bytes, Access access);
    // #AC, for operands that are not read and written as one T: is it checked now, and the operand not a multiple of
    // `alignment` (a power of two)? A fault of the segment comes first, and is left to the access itself.
    Fault check_alignment(Seg segment, u32 offset, u32 bytes, u32 alignment, Access access) const;

    // --- linear memory (descriptor tables, TSS, page-aligned work), at a given privilege
    template <typename T>
    OrFault<T> read_linear(Linear address, Privilege privilege);
    template <typename T>
    Fault write_linear(Linear address, T value, Privilege privilege);

    // The segment part alone: offset to linear address, or #GP/#SS.
    OrFault<Linear> to_linear(Seg segment, u32 offset, u32 bytes, Access access) const;

    // --- the stack, size 2 or 4 bytes, through SS with SP or ESP. ESP changes only on success.
    Fault push(u32 value, u8 size);
    OrFault<u32> pop(u8 size);

    // --- operands
    u32 effective_address(const Instruction& in) const;  // offset in the segment, wrapped to the address size
};

}  // namespace vellum
