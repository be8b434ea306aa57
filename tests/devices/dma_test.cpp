// The 8237s.
#include "devices/dma.hpp"

#include <catch2/catch.hpp>

#include "storage_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

struct DmaBoard : Board {
    Dma dma{ports, ram, log};
    DmaBoard() { dma.reset(); }
    void program(u8 channel, u32 address, u16 count, u8 mode) {
        constexpr u8 pages[] = {0x87, 0x83, 0x81, 0x82};
        out8(0x0C, 0);
        out8(channel * 2, address);
        out8(channel * 2, address >> 8);
        out8(channel * 2 + 1, count);
        out8(channel * 2 + 1, count >> 8);
        out8(pages[channel], address >> 16);
        out8(0x0B, mode | channel);
        out8(0x0A, channel);
    }
};

using Bytes = std::vector<u8>;

}  // namespace

TEST_CASE("dma: bytes reach memory and terminal count masks the channel", "[devices][dma]") {
    DmaBoard b;
    b.program(2, 0x12345, 5, 0x44);
    Bytes four{1, 2, 3, 4};
    auto first = b.dma.to_memory(2, four);
    CHECK(first.bytes == 4);
    CHECK_FALSE(first.terminal_count);
    auto second = b.dma.to_memory(2, four);
    CHECK(second.bytes == 2);
    CHECK(second.terminal_count);
    CHECK(Bytes(&b.ram.bytes[0x12345], &b.ram.bytes[0x1234C]) == Bytes{1, 2, 3, 4, 1, 2, 0});
    CHECK((b.in8(0x08) & 0x0F) == 0x04);
    CHECK((b.in8(0x08) & 0x0F) == 0);
    CHECK(b.dma.to_memory(2, four).bytes == 0);
}

TEST_CASE("dma: auto-initialisation starts over", "[devices][dma]") {
    DmaBoard b;
    b.program(1, 0x2000, 3, 0x58);
    std::fill_n(b.ram.bytes.begin() + 0x2000, 4, 7);
    Bytes bytes(4);
    CHECK(b.dma.from_memory(1, bytes).terminal_count);
    CHECK(b.dma.from_memory(1, bytes).bytes == 4);
    CHECK(bytes == Bytes{7, 7, 7, 7});
}

TEST_CASE("dma: an address wraps within its page", "[devices][dma]") {
    DmaBoard b;
    b.program(2, 0x1FFFE, 3, 0x44);
    b.dma.to_memory(2, Bytes{1, 2, 3, 4});
    CHECK(b.ram.bytes[0x1FFFF] == 2);
    CHECK(b.ram.bytes[0x10000] == 3);
    CHECK(b.ram.bytes[0x20000] == 0);
}

TEST_CASE("dma: verify and the wrong direction count without moving", "[devices][dma]") {
    DmaBoard b;
    b.program(2, 0x3000, 1, 0x40);
    CHECK(b.dma.to_memory(2, Bytes{9, 9}).terminal_count);
    CHECK(b.ram.bytes[0x3000] == 0);
    b.program(2, 0x3000, 1, 0x48);
    CHECK(b.dma.to_memory(2, Bytes{9, 9}).terminal_count);
    CHECK(b.ram.bytes[0x3000] == 0);
}

TEST_CASE("dma: decrementing channels go down", "[devices][dma]") {
    DmaBoard b;
    b.program(3, 0x4001, 1, 0x64);
    b.dma.to_memory(3, Bytes{5, 6});
    CHECK(b.ram.bytes[0x4001] == 5);
    CHECK(b.ram.bytes[0x4000] == 6);
}

TEST_CASE("dma: word channels count words and address double", "[devices][dma]") {
    DmaBoard b;
    b.out8(0xD8, 0);
    b.out8(0xC4, 0x00);
    b.out8(0xC4, 0x08);
    b.out8(0xC6, 1);
    b.out8(0xC6, 0);
    b.out8(0x8B, 0x04);
    b.out8(0xD6, 0x45);
    b.out8(0xD4, 1);
    auto moved = b.dma.to_memory(5, Bytes{1, 2, 3, 4, 5, 6});
    CHECK(moved.bytes == 4);
    CHECK(moved.terminal_count);
    CHECK(b.ram.bytes[0x41000] == 1);
    CHECK(b.ram.bytes[0x41003] == 4);
    CHECK(b.ram.bytes[0x41004] == 0);
}

TEST_CASE("dma: a disabled or masked channel moves nothing", "[devices][dma]") {
    DmaBoard b;
    b.program(2, 0x5000, 1, 0x44);
    b.out8(0x08, 0x04);
    CHECK(b.dma.to_memory(2, Bytes{1}).bytes == 0);
    b.out8(0x08, 0);
    b.out8(0x0A, 0x06);
    CHECK(b.dma.to_memory(2, Bytes{1}).bytes == 0);
    b.out8(0x0E, 0);
    CHECK(b.dma.to_memory(2, Bytes{1}).bytes == 1);
}

TEST_CASE("dma: current registers read back low byte first, page registers too", "[devices][dma]") {
    DmaBoard b;
    b.program(2, 0x71234, 0x55AA, 0x44);
    b.dma.to_memory(2, Bytes{1, 2});
    b.out8(0x0C, 0);
    CHECK(b.in8(4) == 0x36);
    CHECK(b.in8(4) == 0x12);
    CHECK(b.in8(5) == 0xA8);
    CHECK(b.in8(5) == 0x55);
    CHECK(b.in8(0x81) == 7);
}
