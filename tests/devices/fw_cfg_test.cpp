// The configuration device as firmware reads it, by port and by DMA.
#include "devices/fw_cfg.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace vellum;

namespace {
// 64 KiB of memory; bytes outside read as ones.
struct Memory final : GuestBytes {
    std::vector<u8> bytes = std::vector<u8>(0x10000);
    void read(Physical address, std::span<u8> to) const override {
        for (std::size_t i = 0; i < to.size(); ++i) {
            const u64 at = raw(address) + i;
            to[i] = at < bytes.size() ? bytes[at] : 0xFF;
        }
    }
    void write(Physical address, std::span<const u8> from) override {
        for (std::size_t i = 0; i < from.size(); ++i) {
            const u64 at = raw(address) + i;
            if (at < bytes.size()) bytes[at] = from[i];
        }
    }
};

struct Bench {
    Bus ports;
    Memory memory;
    Log log;
    FwCfg fw_cfg{ports, memory, log};

    std::string read(u16 key, int count) {
        ports.write(0x510, 2, key);
        return go_on(count);
    }
    std::string go_on(int count) {
        std::string text;
        for (int i = 0; i < count; ++i) text += static_cast<char>(ports.read(0x511, 1));
        return text;
    }
    // Puts a descriptor at 1000h, starts it, and returns what its control field became.
    u32 dma(u32 control, u32 length, u64 address) {
        std::vector<u8> descriptor;
        for (int shift = 24; shift >= 0; shift -= 8) descriptor.push_back(static_cast<u8>(control >> shift));
        for (int shift = 24; shift >= 0; shift -= 8) descriptor.push_back(static_cast<u8>(length >> shift));
        for (int shift = 56; shift >= 0; shift -= 8) descriptor.push_back(static_cast<u8>(address >> shift));
        memory.write(static_cast<Physical>(0x1000), descriptor);
        ports.write(0x514, 4, 0);
        ports.write(0x518, 4, 0x00100000);  // 1000h, big endian
        return memory.bytes[0x1000] << 24 | memory.bytes[0x1001] << 16 | memory.bytes[0x1002] << 8 |
               memory.bytes[0x1003];
    }
};

constexpr u32 error = 1, read_it = 2, skip = 4, select_key = 8, write_it = 16;
}  // namespace

TEST_CASE("fw_cfg: the signature and an id with DMA") {
    Bench b;
    REQUIRE(b.read(0, 4) == "QEMU");
    REQUIRE(b.read(1, 4) == std::string("\x03\0\0\0", 4));
    REQUIRE(b.ports.read(0x514, 4) == 0x554D4551);  // "QEMU"
    REQUIRE(b.ports.read(0x518, 4) == 0x47464320);  // " CFG"
}

TEST_CASE("fw_cfg: reads past the end and of unknown keys give zeros") {
    Bench b;
    b.fw_cfg.add(5, {7, 0});
    REQUIRE(b.read(5, 4) == std::string("\x07\0\0\0", 4));
    REQUIRE(b.read(0x1234, 2) == std::string(2, '\0'));
}

TEST_CASE("fw_cfg: the directory lists files by name with keys from 20h on") {
    Bench b;
    b.fw_cfg.add_file("bootorder", {1, 2, 3});
    b.fw_cfg.add_file("a", {9});
    REQUIRE(b.read(0x19, 4) == std::string("\0\0\0\2", 4));
    REQUIRE(b.go_on(8) == std::string("\0\0\0\1\0\x20\0\0", 8));
    REQUIRE(b.go_on(56) == std::string("a") + std::string(55, '\0'));
    REQUIRE(b.go_on(8) == std::string("\0\0\0\3\0\x21\0\0", 8));
    REQUIRE(b.go_on(56) == std::string("bootorder") + std::string(47, '\0'));
    REQUIRE(b.read(0x21, 3) == "\1\2\3");
}

TEST_CASE("fw_cfg: DMA selects, skips and reads") {
    Bench b;
    b.fw_cfg.add_file("f", {10, 11, 12, 13});
    REQUIRE(b.dma(0x20u << 16 | select_key | skip, 1, 0) == 0);
    REQUIRE(b.dma(read_it, 2, 0x2000) == 0);
    REQUIRE(b.memory.bytes[0x2000] == 11);
    REQUIRE(b.memory.bytes[0x2001] == 12);
    REQUIRE(b.go_on(1) == "\x0D");
}

TEST_CASE("fw_cfg: DMA past the end writes zeros, within reason") {
    Bench b;
    b.fw_cfg.add(5, {1});
    b.memory.bytes[0x2001] = 0xEE;
    REQUIRE(b.dma(5u << 16 | select_key | read_it, 2, 0x2000) == 0);
    REQUIRE(b.memory.bytes[0x2001] == 0);
    REQUIRE(b.dma(5u << 16 | select_key | read_it, 0xFFFFFFFF, 0x2000) == error);
}

TEST_CASE("fw_cfg: nothing is writable") {
    Bench b;
    b.fw_cfg.add(5, {1});
    REQUIRE(b.dma(5u << 16 | select_key | write_it, 1, 0x2000) == error);
    b.ports.write(0x510, 2, 5);
    b.ports.write(0x511, 1, 0x77);
    REQUIRE(b.read(5, 1) == "\1");
}

TEST_CASE("fw_cfg: a DMA descriptor outside of memory does no harm") {
    Bench b;
    b.ports.write(0x514, 4, 0xFFFFFFFF);
    b.ports.write(0x518, 4, 0xFFFFFFFF);
    REQUIRE(b.read(0, 4) == "QEMU");
}

TEST_CASE("fw_cfg: a restored cursor reads on") {
    Bench a, b;
    a.read(0, 2);
    auto saved = Archive::saver();
    saved(a.fw_cfg);
    auto loaded = Archive::loader(saved.bytes());
    loaded(b.fw_cfg);
    REQUIRE(loaded.ok());
    REQUIRE(b.go_on(2) == "MU");
}
