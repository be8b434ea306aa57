// The mode bits that change what guest bytes mean or may do: part of the identity of every block.
#pragma once

#include "cpu/state.hpp"

namespace vellum {

// How memory operands go through one segment register.
enum class SegmentUse : u8 {
    Interpreted,  // null, expand-down, read-only, ...: the interpreter does the access
    Flat,         // base 0, limit 4 GiB, writable
    Based,        // any base, limit 4 GiB, writable
    Limited,      // any base and limit, writable, expand-up
};

struct CodeMode {
    u32 bits = 0;
    u32 cs_base = 0, cs_limit = 0xFFFFFFFF;
    bool operator==(const CodeMode&) const = default;

    static constexpr u32 code32_bit = 1, stack32_bit = 2, cpl_shift = 2, v86_bit = 16, real_bit = 32,
                         privileged_io_bit = 64, no_fpu_bit = 128, no_sse_bit = 256, fpu_live_bit = 512,
                         writable_code_bit = 1024, no_tsc_bit = 2048, segments_shift = 12;

    bool code32() const { return bits & code32_bit; }
    bool stack32() const { return bits & stack32_bit; }
    u8 cpl() const { return (bits >> cpl_shift) & 3; }
    bool v86() const { return bits & v86_bit; }
    bool real() const { return bits & real_bit; }
    bool io_allowed() const { return bits & privileged_io_bit; }  // CPL <= IOPL: CLI, STI, IN, OUT, IF by POPF
    bool fpu_traps() const { return bits & no_fpu_bit; }          // CR0.TS or EM
    bool sse_traps() const { return bits & no_sse_bit; }          // CR4.OSFXSR clear
    bool tsc_traps() const { return bits & no_tsc_bit; }          // CR4.TSD outside of CPL 0
    bool fpu_live() const { return bits & fpu_live_bit; }
    bool code_writable() const { return bits & writable_code_bit; }  // CS holds a data segment, as in real mode
    SegmentUse use(Seg s) const {
        return static_cast<SegmentUse>((bits >> (segments_shift + 2 * static_cast<u8>(s))) & 3);
    }
    bool flat_code() const { return cs_base == 0 && cs_limit == 0xFFFFFFFF; }
    bool flat_stack() const { return stack32() && use(Seg::Ss) == SegmentUse::Flat; }
};

CodeMode code_mode(const CpuState& state, bool fpu_live);

}  // namespace vellum
