// The guest's registers, in the one layout that the interpreter, generated code, snapshots and tests all read.
#pragma once

#include <cstddef>
#include <type_traits>

#include "base/types.hpp"

namespace vellum {

enum class Reg : u8 { Eax, Ecx, Edx, Ebx, Esp, Ebp, Esi, Edi };
enum class Seg : u8 { Es, Cs, Ss, Ds, Fs, Gs };

// VIF and VIP (bits 19 and 20) are reserved, and 0: CPUID offers no VME.
namespace eflags {
constexpr u32 cf = 1u << 0, fixed = 1u << 1, pf = 1u << 2, af = 1u << 4, zf = 1u << 6, sf = 1u << 7, tf = 1u << 8,
              if_ = 1u << 9, df = 1u << 10, of = 1u << 11, iopl = 3u << 12, nt = 1u << 14, rf = 1u << 16, vm = 1u << 17,
              ac = 1u << 18, id = 1u << 21;
constexpr u32 arithmetic = cf | pf | af | zf | sf | of;
constexpr u32 iopl_shift = 12;
}  // namespace eflags

namespace cr0 {
constexpr u64 pe = 1u << 0, mp = 1u << 1, em = 1u << 2, ts = 1u << 3, et = 1u << 4, ne = 1u << 5, wp = 1u << 16,
              am = 1u << 18, nw = 1u << 29, cd = 1u << 30, pg = 1u << 31;
}
namespace cr4 {
constexpr u64 vme = 1u << 0, pvi = 1u << 1, tsd = 1u << 2, de = 1u << 3, pse = 1u << 4, pae = 1u << 5, mce = 1u << 6,
              pge = 1u << 7, pce = 1u << 8, osfxsr = 1u << 9, osxmmexcpt = 1u << 10;
}
namespace efer {
constexpr u64 nxe = 1u << 11;
}

// A segment register with its hidden part.
//   access, as bits 8-23 of a descriptor's second word:
//     15 G | 14 D/B | 13 L | 12 AVL | 11-8 zero | 7 P | 6-5 DPL | 4 S | 3-0 type
// `limit` is in bytes, granularity already applied. An unusable (null) segment has access 0.
struct Segment {
    u16 selector = 0;
    u16 access = 0;
    u32 limit = 0xFFFF;
    u64 base = 0;

    bool present() const { return access & 0x80; }
    u8 dpl() const { return (access >> 5) & 3; }
    u8 type() const { return access & 0xF; }
    bool is_code_or_data() const { return access & 0x10; }
    bool is_code() const { return (access & 0x18) == 0x18; }
    bool big() const { return access & 0x4000; }  // D or B bit
    // Base 0, limit 4 GiB, not expand-down: offsets are linear addresses.
    bool flat() const { return base == 0 && limit == 0xFFFFFFFF && present() && (is_code() || !(access & 4)); }
};

struct DescriptorTable {
    u64 base = 0;
    u16 limit = 0xFFFF;
};

// The x87, MMX and SSE state as FXSAVE writes it (SDM vol. 1, 10.5.1, the form without REX.W).
struct alignas(64) FxImage {
    u16 control = 0x37F, status = 0;
    u8 tags = 0;  // abridged: bit set = register in use
    u8 reserved0 = 0;
    u16 opcode = 0;
    u32 instruction_offset = 0;
    u16 instruction_selector = 0, reserved1 = 0;
    u32 data_offset = 0;
    u16 data_selector = 0, reserved2 = 0;
    u32 mxcsr = 0x1F80, mxcsr_mask = 0xFFFF;
    u8 st[8][16] = {};
    u8 xmm[8][16] = {};
    u8 rest[224] = {};
};
static_assert(sizeof(FxImage) == 512);

enum class Activity : u8 { Running, Halted, Shutdown };
enum class Shadow : u8 { None, Sti, MovSs };  // interrupts held off for one instruction (SDM 3A 6.8.3)

struct alignas(64) CpuState {
    u64 gpr[8] = {};  // upper halves are zero
    // --- what generated code polls and counts
    u64 eip = 0xFFF0;
    u64 poll = 0;                // address loaded from at block boundaries; 0 (inaccessible) asks for attention
    u32 attention = 0;           // Attention::Reason bits; other threads set them through std::atomic_ref
    u32 eflags = eflags::fixed;  // complete whenever no translated code is running
    u64 instructions = 0;        // retired; each REP iteration and each exception counts
    u64 instruction_limit = ~u64{0};
    // --- mode
    u8 cpl = 0;
    Activity activity = Activity::Running;
    Shadow shadow = Shadow::None;
    bool nmi_blocked = false;
    u32 debug_traps = 0;  // bits of DR6 that the next boundary raises #DB for
    u64 cr0 = cr0::et | cr0::cd | cr0::nw, cr2 = 0, cr3 = 0, cr4 = 0, efer = 0;
    u64 pdpte[4] = {};       // loaded with CR3 (or CR0/CR4) under PAE
    u64 a20_mask = ~u64{0};  // ANDed to physical addresses by the walk; bit 20 clear while the gate is closed
    Segment seg[6];
    Segment ldtr, tr;
    DescriptorTable gdtr, idtr;
    u64 dr[8] = {0, 0, 0, 0, 0, 0, 0xFFFF0FF0, 0x400};
    // --- model-specific registers
    u64 sysenter_cs = 0, sysenter_esp = 0, sysenter_eip = 0;
    u64 tsc_offset = 0;  // TSC = guest nanoseconds + offset: a processor of 1 GHz
    u64 pat = 0x0007040600070406, misc_enable = 1, mtrr_def_type = 0, mtrr_fixed[11] = {}, mtrr_variable[16] = {};
    FxImage fpu;

    Segment& segment(Seg s) { return seg[static_cast<u8>(s)]; }
    const Segment& segment(Seg s) const { return seg[static_cast<u8>(s)]; }
    u64& reg(Reg r) { return gpr[static_cast<u8>(r)]; }
    bool protected_mode() const { return cr0 & cr0::pe; }
    bool v86() const { return eflags & eflags::vm; }
    bool real_or_v86() const { return !protected_mode() || v86(); }
    bool paging() const { return cr0 & cr0::pg; }
    u8 iopl() const { return (eflags >> eflags::iopl_shift) & 3; }
    bool code32() const { return segment(Seg::Cs).big(); }
    bool stack32() const { return segment(Seg::Ss).big(); }
};

static_assert(std::is_standard_layout_v<CpuState> && std::is_trivially_copyable_v<CpuState>);
static_assert(offsetof(CpuState, cpl) < 128, "reached with an 8-bit displacement from generated code");

class Archive;
void reset(CpuState& state);  // power-on and RESET# (SDM 3A table 9-1); keeps poll, attention, instructions and limit
void serialize(CpuState& state, Archive& archive);  // architectural state only

}  // namespace vellum
