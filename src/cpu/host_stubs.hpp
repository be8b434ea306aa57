// The host's own x87, MMX and SSE instructions, run on guest operands: bit-exact and short.
//
// A stub is the guest's instruction encoded anew, and a RET. Registers of the x87, MMX and SSE files keep their
// numbers; a general register becomes EAX (named by ModRM.reg) or EDX (named by ModRM.rm); a memory operand becomes
// [rdi], the first bytes of HostOperands. What was encoded is decoded again and compared with the guest's instruction
// before it may run, so that guest bytes never run unexamined.
#pragma once

#include <unordered_map>

#include "cpu/decoder.hpp"
#include "cpu/state.hpp"

namespace vellum {

// Everything that a stub reads and writes.
struct alignas(64) HostOperands {
    u8 memory[64] = {};
    FxImage fpu;  // MXCSR must have every exception masked and no reserved bit set
    u64 eax = 0, edx = 0, ecx = 0;
    u64 flags = 0;  // arithmetic flags; going in, only run_all looks at them
    u32 host_mxcsr = 0;
    u16 host_control = 0;
};

class HostStubs {
 public:
    using Code = const void*;

    explicit HostStubs(const HostFeatures& features);  // HostError: no memory
    ~HostStubs();
    HostStubs(const HostStubs&) = delete;
    HostStubs& operator=(const HostStubs&) = delete;

    // The stub for an instruction of x87_rows() or simd_rows(), valid until the next call. Null: there is none.
    Code find(const Instruction& in);

    // For an instruction with a general register: is (the first of) them named by ModRM.reg, that is, EAX in a stub?
    static bool general_in_register_field(const Instruction& in);

    // Loads and stores XMM0-7, MXCSR, EAX and EDX; stores ECX and flags.
    static void run_vector(HostOperands& operands, Code code);
    // Everything: FXRSTOR, flags, the instruction, FXSAVE. No x87 exception may be pending in the image unless the
    // instruction is one that does not wait. Pointers of the x87 unit stay as they
    // are: the host's are addresses of its own.
    static void run_all(HostOperands& operands, Code code);

 private:
    void map_arena();
    void unmap_arena();
    Code build(const Instruction& in);

    Decoder decoder_;
    std::unordered_map<u64, Code> stubs_;  // by what tells forms apart
    u8* writable_ = nullptr;               // two views of the same memory: never writable and executable at once
    u8* executable_ = nullptr;
    u32 used_ = 0;
};

}  // namespace vellum
