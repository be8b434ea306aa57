// What chips under test are plugged into: recorded lines, flat RAM, a sink and a disk in memory.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "base/guest_bytes.hpp"
#include "base/log.hpp"
#include "base/scheduler.hpp"
#include "devices/block_backend.hpp"
#include "devices/bus.hpp"
#include "devices/byte_sink.hpp"
#include "devices/irq_line.hpp"

namespace vellum::test {

struct Lines final : IrqSink {
    std::array<bool, 256> level{};
    std::array<u32, 256> rises{};
    void set_irq(u8 number, bool now) override {
        rises[number] += now && !level[number];
        level[number] = now;
    }
};

struct FlatRam final : GuestBytes {
    std::vector<u8> bytes = std::vector<u8>(1 << 20);
    void read(Physical address, std::span<u8> to) const override {
        for (std::size_t i = 0; i < to.size(); ++i) {
            u64 at = raw(address) + i;
            to[i] = at < bytes.size() ? bytes[at] : 0xFF;
        }
    }
    void write(Physical address, std::span<const u8> from) override {
        for (std::size_t i = 0; i < from.size(); ++i)
            if (u64 at = raw(address) + i; at < bytes.size()) bytes[at] = from[i];
    }
};

struct TextSink final : ByteSink {
    std::string text;
    void put(std::span<const u8> bytes) override { text.append(bytes.begin(), bytes.end()); }
};

// A disk whose parts can be made to fail.
struct MemoryDisk final : BlockBackend {
    std::vector<u8>& bytes;
    bool* failing;
    u32* flushes;
    bool locked;
    explicit MemoryDisk(std::vector<u8>& b, bool* f = nullptr, u32* n = nullptr, bool r = false)
        : bytes{b}, failing{f}, flushes{n}, locked{r} {}
    u64 size() const override { return bytes.size(); }
    bool read_only() const override { return locked; }
    bool read(u64 offset, std::span<u8> to) override {
        if (failing && *failing) return false;
        std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), to.size(), to.begin());
        return true;
    }
    bool write(u64 offset, std::span<const u8> from) override {
        if (failing && *failing) return false;
        std::copy(from.begin(), from.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
        return true;
    }
    bool flush() override {
        if (flushes) ++*flushes;
        return !(failing && *failing);
    }
};

struct Board {
    Bus ports, mmio;
    Lines lines;
    Scheduler scheduler;
    FlatRam ram;
    Log log{[](std::string_view) {}};

    u8 in8(u32 port) { return static_cast<u8>(ports.read(port, 1)); }
    u16 in16(u32 port) { return static_cast<u16>(ports.read(port, 2)); }
    u32 in32(u32 port) { return ports.read(port, 4); }
    void out8(u32 port, u32 value) { ports.write(port, 1, value); }
    void out16(u32 port, u32 value) { ports.write(port, 2, value); }
    void out32(u32 port, u32 value) { ports.write(port, 4, value); }
    void pass(Nanoseconds time) { scheduler.advance_to(scheduler.now() + time); }
};

}  // namespace vellum::test
