// The VGA's PCI function.
#include "devices/vga_pci.hpp"

#include <catch2/catch.hpp>

#include "vga_bench.hpp"

using namespace vellum;

namespace {

struct PciVgaBench : VgaBench {
    std::optional<u32> framebuffer;
    VgaPci pci{vga, mmio, {0x55, 0xAA, 0x01}, [this](std::optional<u32> base) { framebuffer = base; }};
    PciVgaBench() { pci.write_config(0x04, 2, 0x03); }
};

}  // namespace

TEST_CASE("vga pci: the function is known by its numbers") {
    PciVgaBench b;
    REQUIRE(b.pci.read_config(0, 4) == 0x11111234);
    REQUIRE(b.pci.read_config(8, 4) == 0x03000002);
}

TEST_CASE("vga pci: BAR 0 has the size of the screen memory and tells where it is") {
    PciVgaBench b;
    b.pci.write_config(0x10, 4, 0xFFFFFFFF);
    REQUIRE(b.pci.read_config(0x10, 4) == 0xFF000008);
    b.pci.write_config(0x10, 4, 0xE1000000);
    REQUIRE(b.framebuffer == 0xE1000000);
    b.pci.write_config(0x04, 2, 0x00);
    REQUIRE_FALSE(b.framebuffer);
}

TEST_CASE("vga pci: the registers answer in BAR 2 and move with it") {
    PciVgaBench b;
    b.pci.write_config(0x18, 4, 0xFEB00000);
    b.mmio.write(0xFEB00000 + 0x40E, 2, 0x5508);  // graphics register 8
    REQUIRE(b.vga.registers().graphics[Graphics::BitMask] == 0x55);
    b.mmio.write(0xFEB00000 + 0x502, 2, 800);
    REQUIRE(b.dispi(1) == 800);
    REQUIRE(b.mmio.read(0xFEB00000 + 0x500, 2) == 0xB0C5);
    REQUIRE(b.mmio.read(0xFEB00000 + 0x604, 4) == 0x1E1E1E1E);
    b.pci.write_config(0x18, 4, 0xFEC10000);
    REQUIRE(b.mmio.read(0xFEB00000 + 0x502, 2) == 0xFFFF);
    REQUIRE(b.mmio.read(0xFEC10000 + 0x502, 2) == 800);
}

TEST_CASE("vga pci: the video BIOS is in the expansion ROM while that is switched on") {
    PciVgaBench b;
    b.pci.write_config(0x30, 4, 0xFEA00001);
    REQUIRE(b.mmio.read(0xFEA00000, 4) == 0xFF01AA55);
    b.pci.write_config(0x30, 4, 0xFEA00000);
    REQUIRE(b.mmio.read(0xFEA00000, 2) == 0xFFFF);
}
