// A guest with levels, tasks, gates and an LDT, on both engines.
#pragma once

#include <catch2/catch.hpp>

#include "jit/bytes.hpp"
#include "jit/engine_pair.hpp"

namespace vellum::test {

struct SystemPair : EnginePair<FlatMachine> {
    static constexpr u32 code = FlatMachine::code_at, data = FlatMachine::data_at, stack = FlatMachine::stack_top,
                         gdt = FlatMachine::gdt_at, idt = FlatMachine::idt_at, handlers = FlatMachine::handlers_at;
    static constexpr u32 other_tss = 0x12000, tss = 0x13000, ldt = 0x14000, inner_stack = 0x9000, other_stack = 0xA000,
                         far_code = 0x40000, near_code = 0x5000;
    static constexpr u16 code0 = 0x08, data0 = 0x10, tss_selector = 0x18, other_task = 0x20, code3 = 0x2B, data3 = 0x33,
                         conforming = 0x38, local_table = 0x40, gate32 = 0x4B, gate16 = 0x53, expand_down = 0x60,
                         fresh_data = 0x68, fresh_code = 0x70;
    static constexpr u8 end_vector = 0x80;  // INT 80h ends code of level 3

    SystemPair() {
        both([](FlatMachine& m) {
            m.state.gdtr.limit = 0xFF;
            describe(m, tss_selector, tss, 0x67, 0x8B, 0);
            describe(m, other_task, other_tss, 0x67, 0x89, 0);
            describe(m, code3, 0, 0xFFFFF, 0xFB, 0xC);
            describe(m, data3, 0, 0xFFFFF, 0xF3, 0xC);
            describe(m, conforming, 0, 0xFFFFF, 0x9F, 0xC);
            describe(m, local_table, ldt, 0x17, 0x82, 0);
            describe(m, expand_down, data, 0xFFF, 0x97, 4);
            describe(m, fresh_data, 0, 0xFFFFF, 0x92, 0xC);
            describe(m, fresh_code, 0, 0xFFFFF, 0x9A, 0xC);
            gate(m, gdt + (gate32 & ~7u), code0, far_code, 0xEC, 2);
            gate(m, gdt + (gate16 & ~7u), code0, near_code, 0xE4, 2);
            gate(m, idt + 8 * end_vector, code0, handlers + end_vector, 0xEE, 0);
            m.state.tr = {tss_selector, 0x8B, 0x67, tss};
            m.poke_value<u32>(tss + 4, inner_stack);
            m.poke_value<u16>(tss + 8, data0);
            m.poke_value<u16>(tss + 0x66, 0x68);
            m.poke_value<u32>(other_tss + 0x20, far_code);
            m.poke_value<u32>(other_tss + 0x24, eflags::fixed);
            m.poke_value<u32>(other_tss + 0x38, other_stack);
            for (u32 segment = 0; segment < 6; ++segment)
                m.poke_value<u32>(other_tss + 0x48 + 4 * segment, segment == 1 ? code0 : data0);
        });
    }

    // `flags` are G D/B L AVL.
    static void describe(FlatMachine& m, u16 selector, u32 base, u32 limit, u8 access, u32 flags) {
        u32 low = (limit & 0xFFFF) | base << 16;
        u32 high = (base >> 16 & 0xFF) | u32{access} << 8 | (limit & 0xF0000) | flags << 20 | (base & 0xFF000000);
        m.poke_value<u64>((selector & 4 ? ldt : gdt) + (selector & 0xFFF8), u64{high} << 32 | low);
    }
    static void gate(FlatMachine& m, u32 at, u16 selector, u32 offset, u8 access, u8 parameters) {
        m.poke_value<u32>(at, u32{selector} << 16 | (offset & 0xFFFF));
        m.poke_value<u32>(at + 4, (offset & 0xFFFF0000) | u32{access} << 8 | parameters);
    }

    void set_reg(Reg reg, u32 value) {
        both([&](FlatMachine& m) { m.set_reg(reg, value); });
    }
    void put(u32 address, const Bytes& bytes) {
        both([&](FlatMachine& m) { m.poke(address, bytes); });
    }
    template <typename T>
    void put_value(u32 address, T value) {
        both([&](FlatMachine& m) { m.poke_value<T>(address, value); });
    }
    void enter_level3() {
        both([](FlatMachine& m) {
            m.state.cpl = 3;
            for (Segment& segment : m.state.seg) segment = {data3, 0xC0F3, 0xFFFFFFFF, 0};
            m.state.segment(Seg::Cs) = {code3, 0xC0FB, 0xFFFFFFFF, 0};
            m.set_reg(Reg::Esp, stack);
        });
    }
    // All bases 0 but that of DS, which is `data`.
    void enter_v86(u32 iopl) {
        both([&](FlatMachine& m) {
            m.state.cpl = 3;
            m.state.eflags = eflags::fixed | eflags::vm | eflags::if_ | iopl << eflags::iopl_shift;
            for (Segment& segment : m.state.seg) segment = {0, 0xF3, 0xFFFF, 0};
            m.state.segment(Seg::Ds) = {data >> 4, 0xF3, 0xFFFF, data};
            m.set_reg(Reg::Esp, stack);
        });
    }

    // Runs the code, HLT behind it, on both; the vector whose handler halted, or -1 for that HLT.
    int run(const Bytes& bytes) {
        both([&](FlatMachine& m) {
            m.poke(code, bytes);
            m.poke(code + bytes.size(), {0xF4});
            m.run_from(code);
        });
        CHECK(compare() == "");
        return interp.halted_by();
    }
    const CpuState& state() const { return interp.state; }
    u32 reg(Reg r) const { return interp.reg(r); }
    // What lies on the stack, in words of four bytes.
    u32 stacked(u32 index) const { return interp.peek<u32>(reg(Reg::Esp) + 4 * index); }
};

}  // namespace vellum::test
