// What each host register means while translated code runs, and the words that such code reaches besides CpuState.
//
//   rax rcx rdx rbx rbp rsi rdi   the guest register of that name, zero-extended
//   r12   window + ESP            (its low half is ESP: windows are aligned to 4 GiB)
//   r13   window                  gs.base too
//   r15   CpuState*
//   rsp   host return stack
//   r8 r9 r10 r11 r14             scratch inside one guest instruction
//   host flags                    guest CF PF AF ZF SF OF DF
//
// Other rules that emitted blocks keep, and that the verifier may rely on:
//   * memory operands are [r12+d], [r13+base+d] (|d| < 64 KiB), [r13+d] (0 <= d), gs:[32-bit address],
//     [r15+d] and [rip+d] for the words of CpuState and JitContext that block_contract.cpp names, and the poll
//     `mov r11d,[r11]` behind `mov r11,[r15+poll]`;
//   * [r8] is the operand of a checked store, right behind the call that put a host address there;
//   * string instructions run with rsi and rdi rebased by `lea rsi,[rsi+r13]`, and are followed by `mov esi,esi`;
//   * direct jumps go inside the block, to entries of other blocks or to runtime stubs; there are no indirect jumps in
//     blocks but `ret`; only runtime stubs, which are fixed at start, hold others;
//   * `pushfq; pop r` is the only other use of rsp.
#pragma once

#include "jit/last_x87.hpp"
#include "jit/loaded_segments.hpp"

namespace vellum {

enum HostReg : u8 { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15 };
constexpr u8 no_reg = 0xFF;

// Guest general registers by encoding.
constexpr HostReg host_of(u8 guest) { return guest == 4 ? r12 : static_cast<HostReg>(guest); }

struct ExitSite;
struct Place;

// One per translator, placed just below its code so that code reaches it RIP-relative.
struct alignas(64) JitContext {
    u64 host_rsp = 0;    // C++ stack while translated code runs
    u64 return_sp = 0;   // rsp of translated code while C++ runs
    u64 jump_cache = 0;  // of the view and mode (view_states.hpp)
    u64 state = 0;       // r15
    u64 window = 0;      // r13
    u64 entry = 0;       // where the entry stub jumps
    ExitSite* exit = nullptr;
    u64 target = 0;  // EIP wanted by an indirect transfer
    u32 flags = 0;   // guest CF PF AF ZF SF OF DF while C++ runs (other bits are the host's)
    u32 host_mxcsr = 0x1F80;
    u8 interrupt_flag = 0;  // guest IF while translated code runs
    u8 fpu_live = 0;        // the guest's x87/MMX/SSE state is in the host's registers
    u8 reserved[6] = {};
    u64 scratch = 0;
    u64 limit = 0;                                               // CpuState::instruction_limit, at most 2^55
    u64 (*time_stamp)(void*) = nullptr;                          // RDTSC: EDX:EAX, given `owner`
    u64 (*store_target)(void*, u32, const ExitSite*) = nullptr;  // of a checked store, given `owner`; 0: leave
    void* owner = nullptr;
    const Place* place = nullptr;  // where translated code runs, if ways lead from there (crossings.hpp)
    u64 repeat_start = 0;          // ECX before a repeated CMPS or SCAS; counting mode: before any repetition
    LastX87 last_x87;
    LoadedSegments loaded_segments;
    FxImage fpu;  // where FXSAVE writes; the guest's image must not get bytes 288-415
};

}  // namespace vellum
