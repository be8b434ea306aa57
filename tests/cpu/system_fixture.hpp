// A processor with 4 MiB of RAM and nothing around it, in flat 32-bit protected mode, for tests of single system
// instructions. Tests of programs use tests/support/test_machine.hpp.
#pragma once

#include <fmt/format.h>

#include <map>
#include <ostream>
#include <vector>

#include "cpu/decoder.hpp"
#include "cpu/memory_access.hpp"
#include "cpu/rows.hpp"
#include "cpu/system.hpp"

namespace vellum {

// For Catch2's messages.
inline std::ostream& operator<<(std::ostream& out, const Fault& f) {
    return out << fmt::format("kind {} vector {} error {:#x} cr2 {:#x}", static_cast<int>(f.kind), f.vector,
                              f.error_code, f.cr2);
}

}  // namespace vellum

namespace vellum::test {

class QuietOutside final : public Outside {
 public:
    struct Written {
        u64 address;
        u8 size;
        u32 value;
        bool operator==(const Written&) const = default;
    };
    u32 read_port(u16 port, u8) override { return ports[port]; }
    void write_port(u16 port, u8 size, u32 value) override { port_writes.push_back({port, size, value}); }
    u32 read_mmio(Physical address, u8 size) override {
        mmio_reads.push_back({raw(address), size, 0});
        return static_cast<u32>(raw(address)) * 0x01010101;
    }
    void write_mmio(Physical address, u8 size, u32 value) override {
        mmio_writes.push_back({raw(address), size, value});
    }
    bool interrupt_pending() const override { return false; }
    u8 acknowledge_interrupt() override { return 0; }
    Nanoseconds guest_time() override { return time; }
    u64 apic_base() const override { return apic; }
    void set_apic_base(u64 value) override { apic = value; }
    void set_ferr(bool) override {}
    bool ignne() const override { return false; }

    std::map<u16, u32> ports;
    std::vector<Written> port_writes, mmio_reads, mmio_writes;
    Nanoseconds time = 0;
    u64 apic = 0xFEE00900;
};

// Access bytes of descriptors, without DPL.
namespace access {
constexpr u16 data = 0x93, data_read_only = 0x91, code = 0x9B, code_execute_only = 0x99, conforming = 0x9F,
              not_accessed_data = 0x92, not_accessed_code = 0x9A, ldt = 0x82, tss16 = 0x81, tss32 = 0x89,
              tss32_busy = 0x8B, call_gate16 = 0x84, task_gate = 0x85, interrupt_gate16 = 0x86, trap_gate16 = 0x87,
              call_gate32 = 0x8C, interrupt_gate32 = 0x8E, trap_gate32 = 0x8F, absent = 0x7F;
constexpr u16 dpl(u16 level) { return static_cast<u16>(level << 5); }
}  // namespace access

// Instructions are executed one by one, and faults are seen before they are delivered. There are flat code and data
// segments of levels 0 and 3, a 32-bit TSS and room for more.
struct SystemFixture {
    static constexpr u64 ram_bytes = 4u << 20;
    static constexpr u32 gdt = 0x3F0000, idt = 0x3F1000, ldt = 0x3F2000, tss = 0x3F3000, code_at = 0x1000,
                         stack = 0x8000, inner_stack = 0x9000;
    static constexpr u16 code0 = 0x08, data0 = 0x10, code3 = 0x1B, data3 = 0x23, tss_selector = 0x28;

    SystemFixture() {
        memory.map(Physical{0}, ram_bytes, 0, true, true);
        state.gdtr = {gdt, 0xFF};
        state.idtr = {idt, 0x7FF};
        describe(code0, 0, 0xFFFFF, access::code, 0xC);
        describe(data0, 0, 0xFFFFF, access::data, 0xC);
        describe(code3, 0, 0xFFFFF, access::code | access::dpl(3), 0xC);
        describe(data3, 0, 0xFFFFF, access::data | access::dpl(3), 0xC);
        describe(tss_selector, tss, 0x67, access::tss32_busy, 0);
        state.tr = {tss_selector, access::tss32_busy, 0x67, tss};
        poke<u32>(tss + 4, inner_stack);
        poke<u16>(tss + 8, data0);
        poke<u16>(tss + 0x66, 0x68);  // the I/O map lies beyond the limit
        enter_level(0);
        state.eip = code_at;
    }

    // Flat protected mode at a level.
    void enter_level(u8 level) {
        auto dpl = access::dpl(level);
        auto rpl = static_cast<u16>(level);
        state.cr0 |= cr0::pe;
        state.cpl = level;
        auto data = static_cast<u16>(level == 3 ? data3 : data0 | rpl);
        for (Segment& s : state.seg) s = {data, static_cast<u16>(0xC093 | dpl), 0xFFFFFFFF, 0};
        state.segment(Seg::Cs) = {static_cast<u16>(level == 3 ? code3 : code0), static_cast<u16>(0xC09B | dpl),
                                  0xFFFFFFFF, 0};
        state.reg(Reg::Esp) = stack;
    }
    void enter_real_mode() {
        state.cr0 &= ~cr0::pe;
        state.cpl = 0;
        state.idtr = {idt, 0x3FF};
        for (Segment& s : state.seg) s = {0, 0x93, 0xFFFF, 0};
    }
    void enter_v86(u8 iopl) {
        state.eflags = eflags::fixed | eflags::vm | static_cast<u32>(iopl) << eflags::iopl_shift;
        state.cpl = 3;
        for (Segment& s : state.seg) s = {0x100, 0xF3, 0xFFFF, 0x1000};
        state.eip = 0;
    }

    // `flags` are G D/B L AVL.
    void describe(u16 selector, u32 base, u32 limit, u16 access_byte, u32 flags) {
        u32 low = (limit & 0xFFFF) | base << 16;
        u32 high = (base >> 16 & 0xFF) | u32{access_byte} << 8 | (limit & 0xF0000) | flags << 20 | (base & 0xFF000000);
        poke<u32>(table_entry(selector), low);
        poke<u32>(table_entry(selector) + 4, high);
    }
    void gate(u64 at, u16 selector, u32 offset, u16 access_byte, u8 parameters = 0) {
        poke<u32>(at, u32{selector} << 16 | (offset & 0xFFFF));
        poke<u32>(at + 4, (offset & 0xFFFF0000) | u32{access_byte} << 8 | parameters);
    }
    void interrupt_gate(u8 vector, u16 selector, u32 offset, u16 access_byte) {
        gate(idt + vector * 8u, selector, offset, access_byte);
    }
    static u32 table_entry(u16 selector) { return (selector & 4 ? ldt : gdt) + (selector & 0xFFF8); }

    Fault execute(std::vector<u8> bytes) {
        Instruction in;
        bytes.resize(15, 0x90);
        if (decoder.decode(bytes, state.code32(), in) != DecodeStatus::Ok) return Fault::exception(vector::ud);
        Execute handler = system_form(in);
        for (const InstructionRow& row : system_rows())
            if (!handler && row.mnemonic == in.mnemonic) handler = row.execute;
        Fault f = handler(cpu, in);
        if (!f) state.eip += in.length;
        return f;
    }
    u32 stack_word(u32 index) const { return peek<u32>(state.segment(Seg::Ss).base + state.gpr[4] + index * 4); }

    template <typename T>
    T peek(u64 address) const {
        T value;
        memory.read(Physical{address}, {reinterpret_cast<u8*>(&value), sizeof value});
        return value;
    }
    template <typename T>
    void poke(u64 address, T value) {
        memory.write(Physical{address}, {reinterpret_cast<const u8*>(&value), sizeof value});
    }

    CpuState state;
    GuestMemory memory{ram_bytes};
    QuietOutside outside;
    Log log;
    Cpu cpu{state, memory, outside, log, host_features()};
    Decoder decoder{host_features()};
};

}  // namespace vellum::test
