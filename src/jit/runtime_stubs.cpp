// Entry, exit and lookup. C++ sees an ordinary function call (System V ABI for x86-64) from `enter` to the return of
// the exit stub.
#include "jit/runtime_stubs.hpp"

#include "jit/view_states.hpp"

namespace vellum {

namespace {

constexpr HostReg saved_registers[] = {rbx, rbp, r12, r13, r14, r15};
constexpr u8 guest_count = 8;

HostMem guest_register(u8 guest) { return HostMem::state(offsetof(CpuState, gpr) + guest * sizeof(u64)); }

// JitContext::flags to the host's flags; uses rax and rcx.
void emit_restore_flags(Encoder& e, const JitContext& context) {
    e.load32(rax, HostMem::absolute(&context.flags));
    e.test32_imm(rax, eflags::df);
    u32 upwards = e.short_forward(0x74);
    e.std_();
    e.land_short(upwards);
    e.mov32(rcx, rax);
    e.shr32(rcx, 11);
    e.alu32_imm(4, rcx, 1);
    e.shl32(rax, 8);
    e.alu32(1, rax, rcx);  // AH: SF ZF AF PF CF, AL: OF
    e.add_al(0x7F);
    e.sahf();
}

void emit_enter(Encoder& e, const JitContext& context, bool load_fpu) {
    for (HostReg r : saved_registers) e.push64(r);
    e.alu64_imm(5, rsp, 8);
    e.store64(HostMem::absolute(&context.host_rsp), rsp);
    e.load64(r15, HostMem::absolute(&context.state));
    e.load64(r13, HostMem::absolute(&context.window));
    if (load_fpu) e.op({1, 0xAE}, 1, HostMem::state(offsetof(CpuState, fpu)));  // fxrstor
    emit_restore_flags(e, context);
    for (u8 guest = 0; guest < guest_count; ++guest) e.load32(host_of(guest), guest_register(guest));
    e.lea64(r12, HostMem::at(r12, r13));
    e.load64(rsp, HostMem::absolute(&context.return_sp));
    e.op({0, 0xFF}, 4, HostMem::absolute(&context.entry));
}

// From the return stack to the host's own, with the guest's flags kept. Changes rax.
void emit_take_host_stack(Encoder& e, const JitContext& context) {
    e.store64(HostMem::absolute(&context.return_sp), rsp);
    e.load64(rsp, HostMem::absolute(&context.host_rsp));
    e.pushfq();
    e.pop64(rax);
    e.store32(HostMem::absolute(&context.flags), rax);
    e.cld();
}

struct ExitStub {
    u64 ordinary;  // host address: as if there were no crossing. r14: the guest's ECX
    u32 crossing;  // rel32 that leads to the stub of crossings
};

// r10: ExitSite*, r11: EIP of an indirect transfer.
ExitStub emit_exit(Encoder& e, const JitContext& context) {
    e.mov64(r14, rcx);
    e.load8(rcx, HostMem::at(r10, static_cast<i32>(offsetof(ExitSite, crossing))));
    u32 none = e.jrcxz_forward();
    u32 crossing = e.jmp_forward();
    e.land_short(none);
    u64 ordinary = e.here();
    e.mov64(rcx, r14);
    for (u8 guest = 0; guest < guest_count; ++guest) e.store32(guest_register(guest), host_of(guest));
    e.store64(HostMem::absolute(&context.exit), r10);
    e.store64(HostMem::absolute(&context.target), r11);
    emit_take_host_stack(e, context);
    HostMem live = HostMem::absolute(&context.fpu_live);
    e.cmp8_imm(live, 0);
    u32 not_live = e.jcc_forward(4);
    e.op({1, 0xAE}, 0, HostMem::absolute(&context.fpu));  // fxsave
    e.byte(0xDB);                                         // fninit
    e.byte(0xE3);
    e.op({1, 0xAE}, 2, HostMem::absolute(&context.host_mxcsr));  // ldmxcsr
    e.land(not_live);
    e.alu64_imm(0, rsp, 8);
    for (std::size_t i = std::size(saved_registers); i-- > 0;) e.pop64(saved_registers[i]);
    e.ret();
    return {ordinary, crossing};
}

// r10: JumpCacheEntry, r11d: EIP. Falls through if the entry is the right one, with its code offset in r9; else `other`,
// where RCX is in r8. No branch is taken on the way that is usual, and nothing that follows waits for the comparison.
void emit_compare_entry(Encoder& e, u32 other, bool by_mask) {
    e.mov64(r8, rcx);
    e.load32(r9, HostMem::at(r10, static_cast<i32>(offsetof(JumpCacheEntry, code))));
    e.load32(rcx, HostMem::at(r10, static_cast<i32>(offsetof(JumpCacheEntry, difference))));
    if (by_mask) {
        e.lea32(rcx, HostMem::at(rcx, r11, 0, -1));  // 0 if it is the right one
        e.lea64(rcx, HostMem::at(rcx, -1));          // the upper half: all ones then, else 0
        e.rorx64(rcx, rcx, 32);
        e.jecxz_back(other);
    } else {
        e.lea32(rcx, HostMem::at(rcx, r11));
        e.loop_back(other);  // of ecx
    }
    e.mov64(rcx, r8);
}

// r11d: EIP, whose low half finds an entry of the jump cache. All of it is compared without a change of flags
// (indirect-jumps-by-cache.md). A RET from the empty return stack comes in by `underflow`, which puts the entry that
// brought it there back.
void emit_lookup(Encoder& e, Runtime& runtime, const JitContext& context, const TranslatorConfig& config) {
    u32 other = e.size();
    e.mov64(rcx, r8);
    e.jmp(runtime.miss);
    runtime.underflow = e.here();
    e.lea64(rsp, HostMem::at(rsp, -8));
    runtime.lookup = e.here();
    e.load64(r9, HostMem::state(offsetof(CpuState, poll)));
    runtime.lookup_poll = e.here();
    e.load32(r9, HostMem::at(r9));
    if (!config.jump_cache) return e.jmp(runtime.miss);
    e.movzx16(r9, r11);
    e.load64(r10, HostMem::absolute(&context.jump_cache));
    e.lea64(r10, HostMem::at(r10, r9, 3));
    emit_compare_entry(e, other, config.look_up_by_mask);
    e.lea64(r10, HostMem{.relative = true, .target = runtime.code_base});
    e.lea64(r9, HostMem::at(r9, r10));
    e.jmp_register(r9);
}

// A C++ function in the middle of a block: what it may change is kept, but for EAX and EDX.
void emit_time_stamp(Encoder& e, const JitContext& context) {
    for (u8 guest : {1, 6, 7}) e.store32(guest_register(guest), host_of(guest));
    emit_take_host_stack(e, context);
    e.load64(rdi, HostMem::absolute(&context.owner));
    e.op({0, 0xFF}, 2, HostMem::absolute(&context.time_stamp));
    e.mov64(r8, rax);
    e.mov64(r9, rax);
    e.op({.code = 0xC1, .w = true}, 5, r9);  // shr r9,32
    e.byte(32);
    emit_restore_flags(e, context);
    for (u8 guest : {1, 6, 7}) e.load32(host_of(guest), guest_register(guest));
    e.mov32(rax, r8);
    e.mov32(rdx, r9);
    e.load64(rsp, HostMem::absolute(&context.return_sp));
    e.ret();
}

// r8d: linear address, r10: ExitSite*. A C++ function in the middle of a block; nothing but r8-r11 changes.
void emit_checked_store(Encoder& e, const Runtime& runtime, const JitContext& context) {
    constexpr u8 lost[] = {0, 1, 2, 6, 7};  // guest registers that C++ may change
    for (u8 guest : {0, 1, 2, 3, 5, 6, 7}) e.store32(guest_register(guest), host_of(guest));
    emit_take_host_stack(e, context);
    e.store64(HostMem::absolute(&context.exit), r10);
    e.load64(rdi, HostMem::absolute(&context.owner));
    e.mov32(rsi, r8);
    e.mov64(rdx, r10);
    e.op({0, 0xFF}, 2, HostMem::absolute(&context.store_target));
    e.mov64(r8, rax);
    emit_restore_flags(e, context);
    e.load64(rsp, HostMem::absolute(&context.return_sp));
    e.mov64(rcx, r8);
    u32 refused = e.jrcxz_forward();
    for (u8 guest : lost) e.load32(host_of(guest), guest_register(guest));
    e.ret();
    e.land_short(refused);
    for (u8 guest : lost) e.load32(host_of(guest), guest_register(guest));
    e.lea64(rsp, HostMem::at(rsp, 8));
    e.load64(r10, HostMem::absolute(&context.exit));
    e.jmp(runtime.exit);
}

}  // namespace

void emit_runtime(Encoder& e, Runtime& runtime, ExitSite& indirect, const TranslatorConfig& config) {
    const JitContext& context = *runtime.context;
    runtime.code_base = e.here();
    runtime.miss = e.here();  // code offset 0: what an empty entry of the jump cache says
    e.mov64_imm(r10, reinterpret_cast<u64>(&indirect));
    runtime.exit = e.here();
    ExitStub exit = emit_exit(e, context);
    emit_lookup(e, runtime, context, config);
    e.land(exit.crossing);
    runtime.crossing = e.here();
    emit_crossing_stub(e, runtime, exit.ordinary, config.counting);
    runtime.time_stamp = e.here();
    emit_time_stamp(e, context);
    runtime.enter = e.here();
    emit_enter(e, context, false);
    runtime.enter_fpu = e.here();
    emit_enter(e, context, true);
    runtime.checked_store = e.here();
    emit_checked_store(e, runtime, context);
    runtime.end = e.here();
}

}  // namespace vellum
