// A processor with 4 MiB of RAM and nothing around it, in flat 32-bit protected mode at CPL 0.
#pragma once

#include <fmt/format.h>

#include <map>
#include <ostream>
#include <vector>

#include "cpu/memory_access.hpp"

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

    std::map<u16, u32> ports;
    std::vector<Written> port_writes, mmio_reads, mmio_writes;
    Nanoseconds time = 0;
    u64 apic = 0xFEE00900;
};

struct SystemFixture {
    static constexpr u64 ram_bytes = 4u << 20;

    SystemFixture() {
        memory.map(Physical{0}, ram_bytes, 0, true, true);
        state.cr0 = cr0::pe | cr0::et;
        for (Segment& s : state.seg) s = {0x10, 0xC093, 0xFFFFFFFF, 0};
        state.segment(Seg::Cs) = {0x08, 0xC09B, 0xFFFFFFFF, 0};
        state.eip = 0x1000;
        state.reg(Reg::Esp) = 0x8000;
    }

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
    Cpu cpu{state, memory, outside, log};
};

}  // namespace vellum::test
