// The stub that takes an exit to the interpreter where a way leads on without it (crossings.hpp). No flag changes.
#include "jit/runtime_stubs.hpp"

namespace vellum {

namespace {

HostMem field(std::size_t offset) { return HostMem::at(r8, static_cast<i32>(offset)); }  // of the Place in r8
HostMem site_field(std::size_t offset) { return HostMem::at(r10, static_cast<i32>(offset)); }
std::size_t segment_offset(Seg s) { return static_cast<u8>(s) * sizeof(Segment); }

class CrossingStub {
 public:
    CrossingStub(Encoder& encoder, const Runtime& runtime, u64 ordinary, bool counting)
        : e_{encoder}, runtime_{runtime}, context_{*runtime.context}, ordinary_{ordinary}, counting_{counting} {}

    // r10: ExitSite*, rcx: its Crossing, r14: the guest's ECX; r11d for LoadFs: the selector's complement.
    void emit() {
        e_.mov64(r9, rcx);
        e_.load64(rcx, HostMem::absolute(&context_.place));
        leave_if_zero();
        e_.mov64(r8, rcx);
        e_.lea32(rcx, HostMem::at(r9, -1));
        u32 sysenter = forward_if_zero();
        e_.lea32(rcx, HostMem::at(rcx, -1));
        u32 sysexit = forward_if_zero();
        emit_load_fs();
        e_.land(sysenter);
        emit_sysenter();
        e_.land(sysexit);
        emit_sysexit();
    }

 private:
    u32 forward_if_zero() {
        u32 zero = e_.jrcxz_forward(), other = e_.short_forward(0xEB);
        e_.land_short(zero);
        u32 at = e_.jmp_forward();
        e_.land_short(other);
        return at;
    }
    void leave_if_zero() {
        u32 zero = e_.jrcxz_forward(), other = e_.short_forward(0xEB);
        e_.land_short(zero);
        e_.jmp(ordinary_);
        e_.land_short(other);
    }
    void leave_unless_zero() {
        u32 zero = e_.jrcxz_forward();
        e_.jmp(ordinary_);
        e_.land_short(zero);
    }
    void follow(std::size_t way) {
        e_.load64(rcx, field(way));
        leave_if_zero();
        e_.mov64(r8, rcx);
    }
    void copy_segment(Seg s) {
        for (std::size_t word : {0, 8}) {
            e_.load64(rcx, field(offsetof(Place, segments) + segment_offset(s) + word));
            e_.store64(HostMem::state(offsetof(CpuState, seg) + segment_offset(s) + word), rcx);
        }
    }

    void emit_load_fs() {
        follow(offsetof(Place, by_fs));
        e_.load16(rcx, field(offsetof(Place, segments) + segment_offset(Seg::Fs)));
        e_.lea32(rcx, HostMem::at(rcx, r11, 0, 1));
        leave_unless_zero();
        e_.load8(rcx, site_field(offsetof(ExitSite, pops)));
        e_.lea64(r12, HostMem::at(r12, rcx));
        e_.load32(r11, site_field(offsetof(ExitSite, next_eip)));
        copy_segment(Seg::Fs);
        go_on();
    }

    // Something may have gone from the other view since code ran there: it is looked at before code runs there again.
    void leave_if_view_changed() {
        e_.load64(r9, field(offsetof(Place, code_generation)));
        e_.load64(r9, HostMem::at(r9));
        e_.not64(r9);
        e_.load64(rcx, field(offsetof(Place, generation)));
        e_.lea64(rcx, HostMem::at(rcx, r9, 0, 1));
        leave_unless_zero();
    }

    void emit_sysenter() {
        follow(offsetof(Place, by_sysenter));
        leave_if_view_changed();
        e_.store8_imm(HostMem::absolute(&context_.interrupt_flag), 0);
        e_.load32(r11, HostMem::state(offsetof(CpuState, sysenter_eip)));
        e_.load32(r9, HostMem::state(offsetof(CpuState, sysenter_esp)));
        change_level();
    }

    void emit_sysexit() {
        follow(offsetof(Place, by_sysexit));
        leave_if_view_changed();
        e_.mov32(r11, rdx);
        e_.mov32(r9, r14);
        change_level();
    }

    // r9: ESP there.
    void change_level() {
        e_.load64(r13, field(offsetof(Place, window)));
        e_.op({.map = 1, .code = 0xAE, .pF3 = true, .w = true}, 3, r13);  // wrgsbase
        e_.lea64(r12, HostMem::at(r13, r9));
        copy_segment(Seg::Cs);
        copy_segment(Seg::Ss);
        e_.load32(rcx, field(offsetof(Place, cpl)));
        e_.store8(HostMem::state(offsetof(CpuState, cpl)), rcx);
        go_on();
    }

    // r11d: EIP there. The return stack and the jump cache are the place's.
    void go_on() {
        e_.load64(r9, HostMem::absolute(&context_.place));
        e_.load64(r9, HostMem::at(r9, static_cast<i32>(offsetof(Place, return_sp))));
        e_.store64(HostMem::at(r9), rsp);
        e_.store64(HostMem::absolute(&context_.place), r8);
        e_.load64(r9, field(offsetof(Place, return_sp)));
        e_.load64(rsp, HostMem::at(r9));
        e_.load64(r9, field(offsetof(Place, jump_cache)));
        e_.store64(HostMem::absolute(&context_.jump_cache), r9);
        if (counting_) count();
        e_.mov64(rcx, r14);
        e_.jmp(runtime_.lookup);
    }

    // This one has retired, and those behind it in its stretch have not.
    void count() {
        e_.load64(r9, HostMem::state(offsetof(CpuState, instructions)));
        e_.load16(rcx, site_field(offsetof(ExitSite, ahead)));
        e_.not64(rcx);
        e_.lea64(r9, HostMem::at(r9, rcx, 0, 2));
        e_.store64(HostMem::state(offsetof(CpuState, instructions)), r9);
    }

    Encoder& e_;
    const Runtime& runtime_;
    const JitContext& context_;
    u64 ordinary_;
    bool counting_;
};

}  // namespace

void emit_crossing_stub(Encoder& encoder, const Runtime& runtime, u64 ordinary, bool counting) {
    CrossingStub{encoder, runtime, ordinary, counting}.emit();
}

}  // namespace vellum
