// The DISPI registers.
#include <catch2/catch.hpp>

#include "vga_bench.hpp"

using namespace vellum;

TEST_CASE("vbe: the newest id is reported and older ones can be asked for") {
    VgaBench b;
    REQUIRE(b.dispi(0) == 0xB0C5);
    b.dispi(0, 0xB0C0);
    REQUIRE(b.dispi(0) == 0xB0C0);
    b.dispi(0, 0xB0C6);
    REQUIRE(b.dispi(0) == 0xB0C0);
}

TEST_CASE("vbe: capabilities and memory are told") {
    VgaBench b;
    b.dispi(4, 0x02);
    REQUIRE(b.dispi(1) == vbe_most_columns);
    REQUIRE(b.dispi(2) == vbe_most_lines);
    REQUIRE(b.dispi(3) == 32);
    REQUIRE(b.dispi(10) == 256);
}

TEST_CASE("vbe: enabling a mode sets the virtual screen and clears memory") {
    VgaBench b;
    b.vram[5] = 1;
    b.dispi_mode(1024, 768, 16);
    REQUIRE(b.vram[5] == 0);
    REQUIRE(b.dispi(6) == 1024);
    REQUIRE(b.dispi(7) == (16u << 20) / 2048);
}

TEST_CASE("vbe: memory is kept when asked for") {
    VgaBench b;
    b.vram[5] = 1;
    b.dispi_mode(1024, 768, 16, 0x80);
    REQUIRE(b.vram[5] == 1);
}

TEST_CASE("vbe: a mode larger than memory is cut to what fits") {
    VgaBench b;
    b.dispi_mode(0xFFFF, 0xFFFF, 32);
    REQUIRE(b.dispi(1) == vbe_most_columns);
    REQUIRE(b.dispi(2) == 1600);
    b.dispi_mode(0, 0, 77);
    REQUIRE(b.dispi(1) == 8);
    REQUIRE(b.dispi(2) == 1);
    REQUIRE(b.dispi(3) == 8);
}

TEST_CASE("vbe: offsets stay within the virtual screen") {
    VgaBench b;
    b.dispi_mode(640, 480, 32);
    b.dispi(6, 800);
    b.dispi(8, 1000);
    b.dispi(9, 0xFFFF);
    REQUIRE(b.dispi(8) == 160);
    REQUIRE(b.dispi(9) == (16u << 20) / 3200 - 480);
    b.dispi(6, 100);  // narrower than the screen
    REQUIRE(b.dispi(6) == 640);
}

TEST_CASE("vbe: a 32-bit write at 1CEh sets index and data") {
    VgaBench b;
    b.ports.write(0x1CE, 4, 800u << 16 | 1);
    REQUIRE(b.ports.read(0x1CE, 4) == (800u << 16 | 1));
    REQUIRE(b.dispi(1) == 800);
}
