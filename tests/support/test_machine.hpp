// A processor with RAM and nothing else, on any engine: put code bytes in, run until HLT, look at registers.
#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "cpu/engine.hpp"
#include "cpu/interpreter.hpp"

namespace vellum::test {

// Ports remember what was written and answer what was set; MMIO reads ones.
class TestOutside final : public Outside {
 public:
    struct Access {
        u64 address;
        u8 size;
        u32 value;
        bool operator==(const Access&) const = default;
    };

    u32 read_port(u16 port, u8 size) override {
        if (on_read_port) return on_read_port(port, size);
        auto found = ports.find(port);
        return found == ports.end() ? 0xFFFFFFFF : found->second;
    }
    void write_port(u16 port, u8 size, u32 value) override { port_writes.push_back({port, size, value}); }
    u32 read_mmio(Physical, u8) override { return 0xFFFFFFFF; }
    void write_mmio(Physical address, u8 size, u32 value) override {
        mmio_writes.push_back({raw(address), size, value});
        if (on_write_mmio) on_write_mmio();
    }
    bool interrupt_pending() const override { return vector_pending >= 0; }
    u8 acknowledge_interrupt() override { return static_cast<u8>(std::exchange(vector_pending, -1)); }
    Nanoseconds guest_time() override { return time; }
    u64 apic_base() const override { return 0xFEE00900; }
    void set_apic_base(u64) override {}
    void set_ferr(bool asserted) override { ferr = asserted; }
    bool ignne() const override { return ignore_x87_errors; }

    std::map<u16, u32> ports;
    std::function<u32(u16, u8)> on_read_port;
    std::function<void()> on_write_mmio;
    std::vector<Access> port_writes, mmio_writes;
    int vector_pending = -1;  // the INTR line is up while this is not negative
    Nanoseconds time = 0;
    bool ferr = false, ignore_x87_errors = false;
};

using EngineFactory = std::function<std::unique_ptr<Engine>(Cpu&)>;

inline std::unique_ptr<Engine> make_interpreter(Cpu& cpu) { return std::make_unique<Interpreter>(cpu); }

struct TestMachine {
    static constexpr u32 code_at = 0x1000, stack_top = 0x8000, data_at = 0x10000, idt_at = 0x20000, gdt_at = 0x21000;
    static constexpr u64 default_instruction_limit = 100'000;

    explicit TestMachine(u64 ram = 1u << 20, const EngineFactory& make = make_interpreter,
                         const HostFeatures& features = host_features())
        : ram_bytes{ram}, memory{ram}, cpu{state, memory, outside, log, features} {
        memory.map(Physical{0}, ram, 0, true, true);
        reset(state);
        state.instruction_limit = default_instruction_limit;
        engine = make(cpu);
    }

    // --- memory
    void poke(u64 address, std::span<const u8> bytes) { memory.write(Physical{address}, bytes); }
    void poke(u64 address, std::initializer_list<u8> bytes) { poke(address, std::span{bytes.begin(), bytes.size()}); }
    template <typename T>
    void poke_value(u64 address, T value) {
        poke(address, std::span{reinterpret_cast<const u8*>(&value), sizeof value});
    }
    template <typename T = u8>
    T peek(u64 address) const {
        T value;
        memory.read(Physical{address}, std::span{reinterpret_cast<u8*>(&value), sizeof value});
        return value;
    }

    // --- running: puts the code at CS:code_at, HLT after it, and runs from there
    Stop run(std::initializer_list<u8> code) {
        u64 at = state.segment(Seg::Cs).base + code_at;
        poke(at, code);
        poke(at + code.size(), {0xF4});
        return run_from(code_at);
    }
    Stop run_from(u32 eip) {
        state.eip = eip;
        state.activity = Activity::Running;
        state.instruction_limit = state.instructions + default_instruction_limit;
        return engine->run();
    }

    u32 reg(Reg r) const { return static_cast<u32>(state.gpr[static_cast<u8>(r)]); }
    void set_reg(Reg r, u32 value) { state.reg(r) = value; }
    u32 flags(u32 mask = eflags::arithmetic) const { return state.eflags & mask; }

    u64 ram_bytes;
    CpuState state;
    GuestMemory memory;
    TestOutside outside;
    Log log;
    Cpu cpu;
    std::unique_ptr<Engine> engine;
};

// 32-bit protected mode at CPL 0, flat, no paging. Every exception handler is one HLT of its own: after a fault EIP
// tells the vector (see `halted_by`).
struct FlatMachine : TestMachine {
    static constexpr u32 handlers_at = 0x30000;

    explicit FlatMachine(u64 ram = 1u << 20, const EngineFactory& make = make_interpreter,
                         const HostFeatures& features = host_features())
        : TestMachine{ram, make, features} {
        constexpr u16 flat_code = 0xC09B, flat_data = 0xC093, interrupt_gate32 = 0x8E00;
        constexpr u64 code_descriptor = 0x00CF9B000000FFFF, data_descriptor = 0x00CF93000000FFFF;
        poke_value<u64>(gdt_at + 8, code_descriptor);
        poke_value<u64>(gdt_at + 16, data_descriptor);
        for (u32 vector = 0; vector < 256; ++vector) {
            u32 handler = handlers_at + vector;
            poke_value<u64>(idt_at + vector * 8, u64{handler & 0xFFFF0000} << 32 | u64{interrupt_gate32} << 32 |
                                                     8u << 16 | (handler & 0xFFFF));
            poke(handler, {0xF4});
        }
        state.gdtr = {gdt_at, 23};
        state.idtr = {idt_at, 0x7FF};
        state.cr0 = cr0::pe | cr0::et | cr0::ne;
        for (Segment& segment : state.seg) segment = {16, flat_data, 0xFFFFFFFF, 0};
        state.segment(Seg::Cs) = {8, flat_code, 0xFFFFFFFF, 0};
        for (u64& gpr : state.gpr) gpr = 0;
        state.reg(Reg::Esp) = stack_top;
    }

    // The vector whose handler the machine halted in, or -1.
    int halted_by() const {
        u32 handler = static_cast<u32>(state.eip) - 1 - handlers_at;
        return state.activity == Activity::Halted && handler < 256 ? static_cast<int>(handler) : -1;
    }
};

// Real mode, all segments at 0, IVT at 0 with handlers of one HLT at 0600h + vector.
struct RealModeMachine : TestMachine {
    static constexpr u32 handlers_at = 0x600;

    explicit RealModeMachine(u64 ram = 1u << 20, const EngineFactory& make = make_interpreter)
        : TestMachine{ram, make} {
        for (u32 vector = 0; vector < 256; ++vector) {
            poke_value<u32>(vector * 4, handlers_at + vector);
            poke(handlers_at + vector, {0xF4});
        }
        state.segment(Seg::Cs).selector = 0;
        state.segment(Seg::Cs).base = 0;
        state.idtr = {0, 0x3FF};
        for (u64& gpr : state.gpr) gpr = 0;
        state.reg(Reg::Esp) = stack_top;
    }

    int halted_by() const {
        u32 handler = static_cast<u32>(state.eip) - 1 - handlers_at;
        return state.activity == Activity::Halted && handler < 256 ? static_cast<int>(handler) : -1;
    }
};

}  // namespace vellum::test
