// Descriptors and the loading of segment registers: SDM 3A chapters 3 and 5. Far transfers are in far_transfers.hpp.
#pragma once

#include <optional>

#include "cpu/cpu.hpp"

namespace vellum {

// One entry of a descriptor table.
//   segment:  high  31-24 base | 23 G | 22 D/B | 21 L | 20 AVL | 19-16 limit | 15 P | 14-13 DPL | 12 S | 11-8 type |
//   7-0 base
//             low   31-16 base | 15-0 limit
//   gate:     high  31-16 offset | 15 P | 14-13 DPL | 12 S=0 | 11-8 type | 4-0 parameters
//             low   31-16 selector | 15-0 offset
struct Descriptor {
    u32 low = 0, high = 0;

    u8 type() const { return (high >> 8) & 0xF; }
    u8 dpl() const { return (high >> 13) & 3; }
    bool present() const { return high & 0x8000; }
    bool is_code_or_data() const { return high & 0x1000; }
    bool is_code() const { return (high & 0x1800) == 0x1800; }
    bool is_data() const { return (high & 0x1800) == 0x1000; }
    bool conforming_code() const { return (high & 0x1C00) == 0x1C00; }
    bool readable() const { return is_data() || (high & 0x1A00) == 0x1A00; }
    bool writable() const { return (high & 0x1A00) == 0x1200; }
    u32 base() const { return (high & 0xFF000000) | (high & 0xFF) << 16 | low >> 16; }
    u32 limit() const {
        u32 value = (high & 0xF0000) | (low & 0xFFFF);
        return high & 0x800000 ? value << 12 | 0xFFF : value;
    }
    Segment segment(u16 selector) const { return {selector, static_cast<u16>((high >> 8) & 0xF0FF), limit(), base()}; }

    u16 gate_selector() const { return static_cast<u16>(low >> 16); }
    u32 gate_offset() const { return gate_is_32() ? (high & 0xFFFF0000) | (low & 0xFFFF) : low & 0xFFFF; }
    u8 gate_parameters() const { return high & 0x1F; }
    bool gate_is_32() const { return high & 0x800; }
};

// Types of system descriptors (SDM 3A table 3-2).
namespace system_type {
constexpr u8 tss16 = 1, ldt = 2, tss16_busy = 3, call_gate16 = 4, task_gate = 5, interrupt_gate16 = 6, trap_gate16 = 7,
             tss32 = 9, tss32_busy = 11, call_gate32 = 12, interrupt_gate32 = 14, trap_gate32 = 15;
}

// The index and TI of a selector as an error code; `ext` is 1 while an event from outside the program is delivered.
constexpr u16 selector_error(u16 selector, u16 ext = 0) { return static_cast<u16>((selector & 0xFFFC) | ext); }
constexpr bool null_selector(u16 selector) { return !(selector & 0xFFFC); }
constexpr bool in_ldt(u16 selector) { return selector & 4; }
constexpr u8 rpl_of(u16 selector) { return selector & 3; }

// Where a descriptor is; nullopt when it is beyond its table or the table is unusable.
std::optional<Linear> descriptor_address(const CpuState& state, u16 selector);
// Reads with supervisor privilege; `vector`(selector, ext) when there is no such descriptor. #PF passes.
OrFault<Descriptor> read_descriptor(Cpu& cpu, u16 selector, u8 vector, u16 ext = 0);
// Sets the accessed bit in the table (if clear) and in `descriptor`.
Fault mark_accessed(Cpu& cpu, u16 selector, Descriptor& descriptor);
// Sets or clears the busy bit of a TSS descriptor in the GDT.
Fault mark_busy(Cpu& cpu, u16 selector, bool busy);

// A descriptor that SS may be loaded with at privilege `cpl`, marked as accessed. What is wrong with the selector or
// its descriptor raises `vector`; a missing segment #SS.
OrFault<Descriptor> read_stack_descriptor(Cpu& cpu, u16 selector, u8 cpl, u8 vector, u16 ext = 0);

// MOV, POP and LxS of ES SS DS FS GS in every mode. On a fault nothing has changed. The shadow after MOV SS and POP SS
// is the caller's.
Fault load_segment(Cpu& cpu, Seg segment, u16 selector);

// What loading does without a descriptor: real mode keeps the limit and size that protected mode left ("big real").
void set_real_mode_segment(CpuState& state, Seg segment, u16 selector);
void set_v86_segment(CpuState& state, Seg segment, u16 selector);
void clear_segment(Segment& segment, u16 selector);

// After a return to an outer privilege level: data segments that CPL may not use become null (SDM 3A 5.8.6).
void clear_inner_segments(CpuState& state);

// LLDT and LTR.
Fault load_ldt(Cpu& cpu, u16 selector);
Fault load_task_register(Cpu& cpu, u16 selector);

// LAR, LSL, VERR and VERW: does the current program see this descriptor? nullopt clears ZF; a #PF is a fault.
enum class DescriptorQuestion : u8 { AccessRights, Limit, Readable, Writable };
OrFault<std::optional<Descriptor>> visible_descriptor(Cpu& cpu, u16 selector, DescriptorQuestion question);

}  // namespace vellum
