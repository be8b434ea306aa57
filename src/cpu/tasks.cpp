// Task switching (SDM 3A 7.3) over 16-bit and 32-bit TSSs (figures 7-2 and 7-10).
#include "cpu/tasks.hpp"

#include <algorithm>

#include "cpu/breakpoints.hpp"
#include "cpu/control_registers.hpp"
#include "cpu/interrupts.hpp"
#include "cpu/memory_access.hpp"

namespace vellum {

namespace {

// Where things are in a TSS. General registers and segments stand in the order of their encodings, `width` apart.
struct Layout {
    u32 smallest_limit;
    u8 width, inner_stacks, eip, eflags, gpr, segments, segment_count, ldt;
};
constexpr Layout layout16{0x2B, 2, 2, 0x0E, 0x10, 0x12, 0x22, 4, 0x2A};
constexpr Layout layout32{0x67, 4, 4, 0x20, 0x24, 0x28, 0x48, 6, 0x60};
constexpr u32 cr3_offset = 0x1C, trap_offset = 0x64;  // 32-bit ones only

constexpr u32 known_flags = eflags::arithmetic | eflags::tf | eflags::if_ | eflags::df | eflags::iopl | eflags::nt |
                            eflags::rf | eflags::vm | eflags::ac | eflags::id;

const Layout& layout_of(const Segment& tss) { return tss.type() & 8 ? layout32 : layout16; }

Fault ts(u16 selector, u16 ext) { return Fault::exception(vector::ts, selector_error(selector, ext)); }

OrFault<u32> read_field(Cpu& cpu, const Segment& tss, u32 offset, u8 width) {
    Linear at = Linear{tss.base} + offset;
    if (width == 4) return cpu.read_linear<u32>(at, Privilege::Supervisor);
    OrFault<u16> value = cpu.read_linear<u16>(at, Privilege::Supervisor);
    if (!value) return value.fault();
    return u32{*value};
}

// What a TSS holds of a task.
struct TaskImage {
    u32 cr3 = 0, eip = 0, eflags = 0;
    u32 gpr[8] = {};
    u16 segments[6] = {};
    u16 ldt = 0;
    bool trap = false;  // the T bit
};

Fault read_image(Cpu& cpu, const Segment& tss, TaskImage& image) {
    const Layout& layout = layout_of(tss);
    Fault fault{};
    auto field = [&](u32 offset) {
        if (fault) return u32{0};
        OrFault<u32> value = read_field(cpu, tss, offset, layout.width);
        fault = value.fault();
        return *value;
    };
    if (layout.width == 4) {
        image.cr3 = field(cr3_offset);
        image.trap = field(trap_offset) & 1;
    }
    image.eip = field(layout.eip);
    image.eflags = (field(layout.eflags) & known_flags) | eflags::fixed;
    // The upper halves are undefined after a switch to a 16-bit task; processors leave ones.
    u32 upper = layout.width == 2 ? 0xFFFF0000 : 0;
    for (u32 i = 0; i < 8; ++i) image.gpr[i] = field(layout.gpr + i * layout.width) | upper;
    for (u32 i = 0; i < layout.segment_count; ++i)
        image.segments[i] = static_cast<u16>(field(layout.segments + i * layout.width));
    image.ldt = static_cast<u16>(field(layout.ldt));
    return fault;
}

// The dynamic fields of the current task; probed before, so nothing here faults.
void save_image(Cpu& cpu, const Segment& tss, u32 eip, u32 flags) {
    const CpuState& state = cpu.state;
    const Layout& layout = layout_of(tss);
    auto put = [&](u32 offset, u32 value, u8 width) {
        Linear at = Linear{tss.base} + offset;
        (void)(width == 4 ? cpu.write_linear<u32>(at, value, Privilege::Supervisor)
                          : cpu.write_linear<u16>(at, static_cast<u16>(value), Privilege::Supervisor));
    };
    put(layout.eip, eip, layout.width);
    put(layout.eflags, flags, layout.width);
    for (u32 i = 0; i < 8; ++i) put(layout.gpr + i * layout.width, static_cast<u32>(state.gpr[i]), layout.width);
    for (u32 i = 0; i < layout.segment_count; ++i) put(layout.segments + i * layout.width, state.seg[i].selector, 2);
}

Fault probe_write(Cpu& cpu, Linear at, u32 bytes) {
    return access_detail::probe_linear(cpu, Linear{static_cast<u32>(raw(at))}, bytes, Access::Write,
                                       Privilege::Supervisor);
}

// Every page that the switch will write, so that no fault can come in its middle.
Fault probe_switch(Cpu& cpu, const Segment& old_tss, const Segment& new_tss) {
    const Layout& layout = layout_of(old_tss);
    if (Fault f = probe_write(cpu, Linear{old_tss.base} + layout.eip, layout.ldt - layout.eip)) return f;
    if (Fault f = probe_write(cpu, Linear{new_tss.base}, 2)) return f;
    for (u16 selector : {old_tss.selector, new_tss.selector})
        if (auto at = descriptor_address(cpu.state, selector))
            if (Fault f = probe_write(cpu, *at, 8)) return f;
    return Fault::none();
}

Fault load_task_ldt(Cpu& cpu, u16 selector, u16 ext) {
    clear_segment(cpu.state.ldtr, selector);
    if (null_selector(selector)) return Fault::none();
    if (in_ldt(selector)) return ts(selector, ext);
    OrFault<Descriptor> d = read_descriptor(cpu, selector, vector::ts, ext);
    if (!d) return d.fault();
    bool right = !(*d).is_code_or_data() && (*d).type() == system_type::ldt && (*d).present();
    if (!right) return ts(selector, ext);
    cpu.state.ldtr = (*d).segment(selector);
    return Fault::none();
}

Fault load_task_code(Cpu& cpu, u16 selector, u16 ext) {
    if (null_selector(selector)) return ts(0, ext);
    OrFault<Descriptor> read = read_descriptor(cpu, selector, vector::ts, ext);
    if (!read) return read.fault();
    Descriptor d = *read;
    bool level = d.conforming_code() ? d.dpl() <= rpl_of(selector) : d.dpl() == rpl_of(selector);
    if (!d.is_code() || !level) return ts(selector, ext);
    if (!d.present()) return Fault::exception(vector::np, selector_error(selector, ext));
    if (Fault f = mark_accessed(cpu, selector, d)) return f;
    cpu.state.segment(Seg::Cs) = d.segment(selector);
    return Fault::none();
}

// As load_segment does, but the complaint is #TS.
Fault load_task_data(Cpu& cpu, Seg segment, u16 selector, u16 ext) {
    Fault f = load_segment(cpu, segment, selector);
    if (f.vector == vector::gp) f.vector = vector::ts;
    if (f && f.vector != vector::pf) f.error_code |= ext;
    return f;
}

Fault load_task_segments(Cpu& cpu, const TaskImage& image, u16 ext) {
    CpuState& state = cpu.state;
    auto selector_of = [&](Seg s) { return image.segments[static_cast<u8>(s)]; };
    for (u8 i = 0; i < 6; ++i) clear_segment(state.seg[i], image.segments[i]);
    if (Fault f = load_task_ldt(cpu, image.ldt, ext)) return f;
    if (state.v86()) {
        for (u8 i = 0; i < 6; ++i) set_v86_segment(state, static_cast<Seg>(i), image.segments[i]);
        return Fault::none();
    }
    OrFault<Descriptor> ss = read_stack_descriptor(cpu, selector_of(Seg::Ss), state.cpl, vector::ts, ext);
    if (!ss) return ss.fault();
    state.segment(Seg::Ss) = (*ss).segment(selector_of(Seg::Ss));
    if (Fault f = load_task_code(cpu, selector_of(Seg::Cs), ext)) return f;
    for (Seg s : {Seg::Ds, Seg::Es, Seg::Fs, Seg::Gs})
        if (Fault f = load_task_data(cpu, s, selector_of(s), ext)) return f;
    return Fault::none();
}

struct Switch {
    TaskSwitch kind;
    u32 next_eip;
    u16 ext;
};

// The point of no return lies inside: what faults before it is the old task's, what faults after it the new one's.
Fault switch_task(Cpu& cpu, const Segment& new_tss, const Switch& how) {
    CpuState& state = cpu.state;
    Segment old_tss = state.tr;
    if (!old_tss.present() || old_tss.limit < layout_of(old_tss).smallest_limit) return ts(old_tss.selector, how.ext);
    TaskImage image;
    if (Fault f = read_image(cpu, new_tss, image)) return f;
    if (Fault f = probe_switch(cpu, old_tss, new_tss)) return f;
    u32 saved_flags = how.kind == TaskSwitch::Return ? state.eflags & ~eflags::nt : state.eflags;
    if (how.kind != TaskSwitch::Call) (void)mark_busy(cpu, old_tss.selector, false);
    save_image(cpu, old_tss, how.next_eip, saved_flags);
    if (how.kind == TaskSwitch::Call) {
        (void)cpu.write_linear<u16>(Linear{new_tss.base}, old_tss.selector, Privilege::Supervisor);
        image.eflags |= eflags::nt;
    }
    if (how.kind != TaskSwitch::Return) (void)mark_busy(cpu, new_tss.selector, true);

    state.tr = new_tss;
    state.tr.access |= 2;  // busy
    state.cr0 |= cr0::ts;
    state.dr[7] &= ~u64{dr7::local_enables};  // local breakpoints are the old task's
    std::copy(std::begin(image.gpr), std::end(image.gpr), state.gpr);
    state.eip = image.eip;
    state.eflags = breakpoints_enabled(state) ? image.eflags : image.eflags & ~eflags::rf;
    state.cpl = state.v86() ? 3 : rpl_of(image.segments[static_cast<u8>(Seg::Cs)]);
    if (layout_of(new_tss).width == 4 && state.paging())
        if (Fault f = write_cr3(cpu, image.cr3)) return f;
    if (state.eflags & eflags::if_) cpu.attention.arm_if_pending();
    if (Fault f = load_task_segments(cpu, image, how.ext)) return f;
    if (!image.trap) return Fault::none();
    state.debug_traps |= dr6::task_switch;
    return Fault::exception(vector::db);
}

}  // namespace

OrFault<StackPointer> inner_stack_pointer(Cpu& cpu, u8 cpl, u16 ext) {
    const Segment& tss = cpu.state.tr;
    const Layout& layout = layout_of(tss);
    u32 offset = layout.inner_stacks + cpl * layout.width * 2;
    if (!tss.present() || offset + layout.width + 1 > tss.limit) return ts(tss.selector, ext);
    OrFault<u32> esp = read_field(cpu, tss, offset, layout.width);
    if (!esp) return esp.fault();
    OrFault<u32> ss = read_field(cpu, tss, offset + layout.width, 2);
    if (!ss) return ss.fault();
    return StackPointer{*esp, static_cast<u16>(*ss)};
}

Fault switch_to_available_task(Cpu& cpu, u16 tss_selector, TaskSwitch kind, u32 next_eip, u16 ext) {
    auto gp = Fault::exception(vector::gp, selector_error(tss_selector, ext));
    if (null_selector(tss_selector) || in_ldt(tss_selector)) return gp;
    OrFault<Descriptor> d = read_descriptor(cpu, tss_selector, vector::gp, ext);
    if (!d) return d.fault();
    bool available = (*d).type() == system_type::tss16 || (*d).type() == system_type::tss32;
    if ((*d).is_code_or_data() || !available) return gp;
    if (!(*d).present()) return Fault::exception(vector::np, selector_error(tss_selector, ext));
    Segment tss = (*d).segment(tss_selector);
    if (tss.limit < layout_of(tss).smallest_limit) return ts(tss_selector, ext);
    return switch_task(cpu, tss, {kind, next_eip, ext});
}

Fault return_to_previous_task(Cpu& cpu, u32 next_eip) {
    OrFault<u32> link = read_field(cpu, cpu.state.tr, 0, 2);
    if (!link) return link.fault();
    auto selector = static_cast<u16>(*link);
    if (in_ldt(selector) || null_selector(selector)) return ts(selector, 0);
    OrFault<Descriptor> d = read_descriptor(cpu, selector, vector::ts);
    if (!d) return d.fault();
    bool busy = (*d).type() == system_type::tss16_busy || (*d).type() == system_type::tss32_busy;
    if ((*d).is_code_or_data() || !busy) return ts(selector, 0);
    if (!(*d).present()) return Fault::exception(vector::np, selector_error(selector));
    Segment tss = (*d).segment(selector);
    if (tss.limit < layout_of(tss).smallest_limit) return ts(selector, 0);
    return switch_task(cpu, tss, {TaskSwitch::Return, next_eip, 0});
}

}  // namespace vellum
