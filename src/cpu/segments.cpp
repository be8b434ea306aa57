// Descriptor reads and segment loads with all their checks (SDM 3A 3.4, 5.6, 5.10; SDM 2 MOV, LLDT, LTR, LAR, LSL,
// VERR).
#include "cpu/segments.hpp"

#include "cpu/memory_access.hpp"

namespace vellum {

namespace {

constexpr u32 accessed_bit = 0x100, busy_bit = 0x200;

Fault write_type_byte(Cpu& cpu, Linear descriptor, u32 high) {
    return cpu.write_linear<u8>(descriptor + 5, static_cast<u8>(high >> 8), Privilege::Supervisor);
}

OrFault<Descriptor> read_at(Cpu& cpu, Linear address) {
    OrFault<u64> both = cpu.read_linear<u64>(address, Privilege::Supervisor);
    if (!both) return both.fault();
    return Descriptor{static_cast<u32>(*both), static_cast<u32>(*both >> 32)};
}

Fault load_data_segment(Cpu& cpu, Seg segment, u16 selector) {
    OrFault<Descriptor> read = read_descriptor(cpu, selector, vector::gp);
    if (!read) return read.fault();
    Descriptor d = *read;
    if (!d.readable()) return Fault::exception(vector::gp, selector_error(selector));
    if (!d.conforming_code() && (rpl_of(selector) > d.dpl() || cpu.state.cpl > d.dpl()))
        return Fault::exception(vector::gp, selector_error(selector));
    if (!d.present()) return Fault::exception(vector::np, selector_error(selector));
    if (Fault f = mark_accessed(cpu, selector, d)) return f;
    cpu.state.segment(segment) = d.segment(selector);
    return Fault::none();
}

Fault load_stack_segment(Cpu& cpu, u16 selector) {
    OrFault<Descriptor> d = read_stack_descriptor(cpu, selector, cpu.state.cpl, vector::gp);
    if (!d) return d.fault();
    cpu.state.segment(Seg::Ss) = (*d).segment(selector);
    return Fault::none();
}

constexpr u16 type_set(std::initializer_list<u8> types) {
    u16 set = 0;
    for (u8 type : types) set = static_cast<u16>(set | 1u << type);
    return set;
}

bool answers(const Descriptor& d, DescriptorQuestion question) {
    using namespace system_type;
    constexpr u16 with_limit = type_set({tss16, ldt, tss16_busy, tss32, tss32_busy});
    constexpr u16 with_rights = with_limit | type_set({call_gate16, task_gate, call_gate32});
    switch (question) {
        case DescriptorQuestion::AccessRights: return d.is_code_or_data() || with_rights >> d.type() & 1;
        case DescriptorQuestion::Limit: return d.is_code_or_data() || with_limit >> d.type() & 1;
        case DescriptorQuestion::Readable: return d.readable();
        case DescriptorQuestion::Writable: return d.writable();
    }
    return false;
}

}  // namespace

std::optional<Linear> descriptor_address(const CpuState& state, u16 selector) {
    u32 offset = selector & 0xFFF8;
    if (!in_ldt(selector))
        return offset + 7 <= state.gdtr.limit ? std::optional{Linear{state.gdtr.base} + offset} : std::nullopt;
    if (!state.ldtr.present() || offset + 7 > state.ldtr.limit) return std::nullopt;
    return Linear{state.ldtr.base} + offset;
}

OrFault<Descriptor> read_descriptor(Cpu& cpu, u16 selector, u8 vector, u16 ext) {
    std::optional<Linear> address = descriptor_address(cpu.state, selector);
    if (!address) return Fault::exception(vector, selector_error(selector, ext));
    return read_at(cpu, *address);
}

Fault mark_accessed(Cpu& cpu, u16 selector, Descriptor& descriptor) {
    if (descriptor.high & accessed_bit) return Fault::none();
    descriptor.high |= accessed_bit;
    std::optional<Linear> address = descriptor_address(cpu.state, selector);
    return address ? write_type_byte(cpu, *address, descriptor.high) : Fault::none();
}

Fault mark_busy(Cpu& cpu, u16 selector, bool busy) {
    std::optional<Linear> address = descriptor_address(cpu.state, selector);
    if (!address) return Fault::none();
    OrFault<Descriptor> d = read_at(cpu, *address);
    if (!d) return d.fault();
    u32 high = busy ? (*d).high | busy_bit : (*d).high & ~busy_bit;
    return write_type_byte(cpu, *address, high);
}

OrFault<Descriptor> read_stack_descriptor(Cpu& cpu, u16 selector, u8 cpl, u8 vector, u16 ext) {
    if (null_selector(selector)) return Fault::exception(vector, ext);
    OrFault<Descriptor> read = read_descriptor(cpu, selector, vector, ext);
    if (!read) return read.fault();
    Descriptor d = *read;
    if (rpl_of(selector) != cpl || !d.writable() || d.dpl() != cpl)
        return Fault::exception(vector, selector_error(selector, ext));
    if (!d.present()) return Fault::exception(vector::ss, selector_error(selector, ext));
    if (Fault f = mark_accessed(cpu, selector, d)) return f;
    return d;
}

void set_real_mode_segment(CpuState& state, Seg segment, u16 selector) {
    Segment& s = state.segment(segment);
    s.selector = selector;
    s.base = u64{selector} << 4;
    s.access = static_cast<u16>((s.access & 0xF000) | 0x93);
}

void set_v86_segment(CpuState& state, Seg segment, u16 selector) {
    state.segment(segment) = {selector, 0xF3, 0xFFFF, u64{selector} << 4};
}

void clear_segment(Segment& segment, u16 selector) { segment = {selector, 0, 0, 0}; }

Fault load_segment(Cpu& cpu, Seg segment, u16 selector) {
    if (!cpu.state.protected_mode()) {
        set_real_mode_segment(cpu.state, segment, selector);
        return Fault::none();
    }
    if (cpu.state.v86()) {
        set_v86_segment(cpu.state, segment, selector);
        return Fault::none();
    }
    if (segment == Seg::Ss) return load_stack_segment(cpu, selector);
    if (null_selector(selector)) {
        clear_segment(cpu.state.segment(segment), selector);
        return Fault::none();
    }
    return load_data_segment(cpu, segment, selector);
}

void clear_inner_segments(CpuState& state) {
    for (Seg seg : {Seg::Es, Seg::Ds, Seg::Fs, Seg::Gs}) {
        Segment& s = state.segment(seg);
        bool conforming = s.is_code() && s.type() & 4;
        if (s.dpl() < state.cpl && !conforming) clear_segment(s, 0);
    }
}

Fault load_ldt(Cpu& cpu, u16 selector) {
    if (null_selector(selector)) {
        clear_segment(cpu.state.ldtr, selector);
        return Fault::none();
    }
    if (in_ldt(selector)) return Fault::exception(vector::gp, selector_error(selector));
    OrFault<Descriptor> d = read_descriptor(cpu, selector, vector::gp);
    if (!d) return d.fault();
    if ((*d).is_code_or_data() || (*d).type() != system_type::ldt)
        return Fault::exception(vector::gp, selector_error(selector));
    if (!(*d).present()) return Fault::exception(vector::np, selector_error(selector));
    cpu.state.ldtr = (*d).segment(selector);
    return Fault::none();
}

Fault load_task_register(Cpu& cpu, u16 selector) {
    if (null_selector(selector) || in_ldt(selector)) return Fault::exception(vector::gp, selector_error(selector));
    OrFault<Descriptor> read = read_descriptor(cpu, selector, vector::gp);
    if (!read) return read.fault();
    Descriptor d = *read;
    bool available = d.type() == system_type::tss16 || d.type() == system_type::tss32;
    if (d.is_code_or_data() || !available) return Fault::exception(vector::gp, selector_error(selector));
    if (!d.present()) return Fault::exception(vector::np, selector_error(selector));
    if (Fault f = mark_busy(cpu, selector, true)) return f;
    d.high |= busy_bit;
    cpu.state.tr = d.segment(selector);
    return Fault::none();
}

OrFault<std::optional<Descriptor>> visible_descriptor(Cpu& cpu, u16 selector, DescriptorQuestion question) {
    std::optional<Linear> address = descriptor_address(cpu.state, selector);
    if (null_selector(selector) || !address) return std::optional<Descriptor>{};
    OrFault<Descriptor> d = read_at(cpu, *address);
    if (!d) return d.fault();
    bool privileged = cpu.state.cpl <= (*d).dpl() && rpl_of(selector) <= (*d).dpl();
    bool visible = answers(*d, question) && (privileged || (*d).conforming_code());
    return visible ? std::optional{*d} : std::nullopt;
}

}  // namespace vellum
