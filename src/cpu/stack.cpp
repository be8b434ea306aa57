// Pushes and pops on a stack that is not committed yet (SDM 3A 6.12.1, 5.8.5).
#include "cpu/stack.hpp"

namespace vellum {

Stack::Stack(Cpu& cpu, u16 error_code)
    : Stack{cpu, cpu.state.segment(Seg::Ss), static_cast<u32>(cpu.state.reg(Reg::Esp)), cpu.state.cpl, error_code} {}

Stack::Stack(Cpu& cpu, const Segment& ss, u32 esp, u8 cpl, u16 error_code)
    : cpu_{cpu}, ss_{ss}, esp_{esp}, cpl_{cpl}, error_code_{error_code} {}

OrFault<Linear> Stack::place(u32 offset, u8 size, Access access) const {
    if (!access_detail::permits(ss_, offset, size, access)) return Fault::exception(vector::ss, error_code_);
    Linear a = access_detail::linear_of(ss_, offset);
    if (cpl_ == 3 && raw(a) % size != 0 && access_detail::alignment_checked(cpu_.state))
        return Fault::exception(vector::ac);
    return a;
}

Fault Stack::push_slowly(u32 value, u8 size) {
    u32 below = merged(esp_ - size);
    OrFault<Linear> a = place(below & mask(), size, Access::Write);
    if (!a) return a.fault();
    Fault f = size == 2 ? cpu_.write_linear<u16>(*a, static_cast<u16>(value), privilege())
                        : cpu_.write_linear<u32>(*a, value, privilege());
    if (!f) esp_ = below;
    return f;
}

OrFault<u32> Stack::pop_slowly(u8 size) {
    OrFault<Linear> a = place(esp_ & mask(), size, Access::Read);
    if (!a) return a.fault();
    if (size == 2) {
        OrFault<u16> value = cpu_.read_linear<u16>(*a, privilege());
        if (!value) return value.fault();
        skip(2);
        return u32{*value};
    }
    OrFault<u32> value = cpu_.read_linear<u32>(*a, privilege());
    if (value) skip(4);
    return value;
}

void Stack::commit() {
    cpu_.state.segment(Seg::Ss) = ss_;
    cpu_.state.reg(Reg::Esp) = esp_;
}

}  // namespace vellum
