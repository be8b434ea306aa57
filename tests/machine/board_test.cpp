// The board's own work: memory map, A20, what firmware is told, reset and state.
#include "machine/board.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cctype>
#include <utility>

#include "machine/tiny_machine.hpp"

using namespace vellum;

namespace {

constexpr u8 pam0 = 0x59;  // F0000h-FFFFFh: bit 5 writes, bit 4 reads go to RAM (82441FX datasheet 3.2.17)

std::vector<u8> fw_cfg_file(TinyBoard& b, const std::string& wanted) {
    auto select = [&b](u16 key) { b.out(0x510, key, 2); };
    auto number = [&b](int bytes) {
        u32 value = 0;
        for (int i = 0; i < bytes; ++i) value = value << 8 | b.in(0x511);  // big endian
        return value;
    };
    select(0x19);
    for (u32 left = number(4); left > 0; --left) {
        u32 size = number(4), key = number(2);
        number(2);
        std::string name;
        for (int i = 0; i < 56; ++i)
            if (u8 c = b.in(0x511)) name += static_cast<char>(c);
        if (name != wanted) continue;
        select(static_cast<u16>(key));
        std::vector<u8> bytes;
        for (u32 i = 0; i < size; ++i) bytes.push_back(b.in(0x511));
        return bytes;
    }
    return {};
}

// Where two saved states differ first, and the last name of a section before that; empty when they are equal.
std::string difference(const std::vector<u8>& a, const std::vector<u8>& b) {
    auto [at, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    if (at == a.end() && other == b.end()) return {};
    std::string name, last;
    for (auto p = a.begin(); p != at; ++p) {
        if (std::isalnum(*p) || *p == ' ' || *p == '_')
            name += static_cast<char>(*p);
        else
            name.size() >= 3 ? last = std::exchange(name, {}) : name = {};
    }
    return "offset " + std::to_string(at - a.begin()) + ", after " + last;
}

}  // namespace

TEST_CASE("board: the firmware is at the top of 4 GiB and below 1 MiB, and cannot be written") {
    TinyBoard b;
    CHECK(b.peek(0xFFFF0000) == 0xFA);
    CHECK(b.peek(0xFFFFFFF0) == 0xEA);
    CHECK(b.peek(0xFFFF0) == 0xEA);
    b.board.write_mmio(Physical{0xF8000}, 1, 0x11);
    b.board.write_mmio(Physical{0xFFFF8000}, 1, 0x11);
    CHECK(b.peek(0xF8000) == 0x5A);
    CHECK(b.peek(0xFFFF8000) == 0x5A);
}

TEST_CASE("board: PAM first writes the RAM below the firmware, then reads it, then protects it") {
    TinyBoard b;
    b.pci(0, 0, pam0, 0x20, 1);
    b.board.write_mmio(Physical{0xF8000}, 1, 0x11);
    CHECK(b.peek(0xF8000) == 0x5A);  // reads still come from the firmware
    b.pci(0, 0, pam0, 0x30, 1);
    CHECK(b.peek(0xF8000) == 0x11);
    b.poke(0xF8000, 0x22);
    CHECK(b.peek(0xF8000) == 0x22);
    b.pci(0, 0, pam0, 0x10, 1);
    b.board.write_mmio(Physical{0xF8000}, 1, 0x33);
    CHECK(b.peek(0xF8000) == 0x22);
    b.pci(0, 0, pam0, 0x00, 1);
    CHECK(b.peek(0xF8000) == 0x5A);
}

TEST_CASE("board: port 92h opens and closes A20, and engines are told") {
    TinyBoard b;
    b.out(0x92, 2);
    b.board.take_events();
    b.out(0x92, 0);
    CHECK(b.board.state().a20_mask == ~(u64{1} << 20));
    CHECK(b.board.take_events().physical_map_replaced);
    b.out(0x92, 0);
    CHECK_FALSE(b.board.take_events().physical_map_replaced);
    b.out(0x92, 2);
    CHECK(b.board.state().a20_mask == ~u64{0});
    CHECK(b.board.take_events().physical_map_replaced);
}

TEST_CASE("board: a framebuffer put over RAM leaves the RAM, elsewhere it can be written") {
    TinyBoard b;
    b.pci(2, 0, 0x04, 2, 2);  // memory space on
    b.poke(0x800000, 0x44);
    b.pci(2, 0, 0x10, 0x00000000, 4);
    CHECK(b.peek(0x800000) == 0x44);
    b.pci(2, 0, 0x10, 0xE0000000, 4);
    b.poke(0xE0001234, 0x55);
    CHECK(b.peek(0xE0001234) == 0x55);
    CHECK(b.peek(0x800000) == 0x44);
    b.pci(2, 0, 0x10, 0xF0000000, 4);
    CHECK(b.peek(0xF0001234) == 0x55);  // the same memory at its new place
    b.pci(2, 0, 0x10, 0xFF000000, 4);   // over the firmware
    CHECK(b.peek(0xFFFFFFF0) == 0xEA);
}

TEST_CASE("board: the firmware is told of all RAM and of no sleep states") {
    TinyBoard b;
    std::vector<u8> e820 = fw_cfg_file(b, "etc/e820");
    CHECK(e820 == std::vector<u8>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0});
    std::vector<u8> states = fw_cfg_file(b, "etc/system-states");
    REQUIRE(states.size() == 6);
    CHECK((states[3] & 0x80) == 0);
    CHECK((states[4] & 0x80) == 0);
}

TEST_CASE("board: ports that nobody has read as ones") {
    TinyBoard b;
    CHECK(b.in(0x7777) == 0xFF);
    CHECK(b.board.read_port(0x7777, 4) == 0xFFFFFFFF);
    CHECK(b.board.read_mmio(Physical{0xD0000000}, 4) == 0xFFFFFFFF);
    CHECK(b.board.read_mmio(Physical{u64{1} << 33}, 2) == 0xFFFF);
    b.out(0x7777, 1, 4);
    b.board.write_mmio(Physical{u64{1} << 33}, 4, 1);
}

TEST_CASE("board: reset brings everything back to where it was at power-on") {
    TinyBoard b, fresh;
    // A little of everything: timers, masks, DMA, serial line, PCI, APIC, HPET, IDE, keyboard, VGA registers.
    b.out(0x20, 0x11), b.out(0x21, 0x08), b.out(0x21, 0x04), b.out(0x21, 0x01), b.out(0x21, 0xEF);
    b.out(0x43, 0x34), b.out(0x40, 0x34), b.out(0x40, 0x12);
    b.out(0x0A, 0x02), b.out(0x0C, 0x00);
    b.out(0x3FB, 0x83), b.out(0x3F8, 0x01), b.out(0x3FB, 0x03), b.out(0x3F9, 0x0F);
    b.pci(0, 0, pam0, 0x30, 1), b.pci(2, 0, 0x04, 2, 2), b.pci(2, 0, 0x10, 0xE0000000, 4);
    b.pci(1, 3, 0x40, 0x601, 4), b.pci(1, 3, 0x80, 1, 1);
    b.board.write_mmio(Physical{0xFEE000F0}, 4, 0x1FF);
    b.board.write_mmio(Physical{0xFEE00380}, 4, 1000);
    b.board.write_mmio(Physical{0xFED00010}, 4, 1);
    b.out(0x1F6, 0xE0), b.out(0x1F7, 0xEC);
    b.out(0x64, 0x60), b.out(0x60, 0x61), b.out(0x60, 0xF4);
    b.board.key({0x04, true}), b.board.key({0x04, false}), b.board.mouse({5, 5, 0, 0});
    b.out(0x3C2, 0x67), b.out(0x3C4, 1), b.out(0x3C5, 0x21);
    b.out(0x92, 0);
    b.board.set_apic_base(0xFEE00000);
    b.board.state().reg(Reg::Eax) = 0x12345678;
    b.board.state().cr3 = 0x1000;
    CHECK(difference(b.saved(), fresh.saved()) != "");
    b.board.reset();
    CHECK(difference(b.saved(), fresh.saved()) == "");
    CHECK(b.peek(0xF8000) == 0x5A);
    CHECK_FALSE(b.board.has_events());
}

TEST_CASE("board: a saved state loads into another board and is the same there") {
    TinyBoard a, b;
    a.out(0x43, 0x34), a.out(0x40, 0x34), a.out(0x40, 0x12);
    a.out(0x21, 0xFE);
    a.pci(0, 0, pam0, 0x30, 1);
    a.board.key({0x04, true});
    a.board.state().reg(Reg::Ebx) = 77;
    a.out(0x92, 0);
    std::vector<u8> bytes = a.saved();
    Archive archive = Archive::loader(bytes);
    b.board.serialize(archive);
    CHECK(archive.ok());
    CHECK(difference(b.saved(), bytes) == "");
    b.poke(0xF8000, 0x66);
    CHECK(b.peek(0xF8000) == 0x66);  // the memory map came along
    CHECK(b.board.state().a20_mask == ~(u64{1} << 20));
}

TEST_CASE("board: a damaged saved state is refused and harms nothing") {
    TinyBoard a;
    std::vector<u8> bytes = a.saved();
    for (std::size_t keep : {std::size_t{0}, std::size_t{7}, bytes.size() / 2, bytes.size() - 1}) {
        TinyBoard b;
        Archive archive = Archive::loader({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(keep)});
        b.board.serialize(archive);
        CHECK_FALSE(archive.ok());
        b.board.reset();
        CHECK(b.peek(0xFFFF0) == 0xEA);
    }
}

TEST_CASE("board: the log tells once of each port and page that nobody answers", "[machine]") {
    std::vector<std::string> lines;
    Log log{[&lines](std::string_view line) { lines.emplace_back(line); }};
    log.enable("ports,memory");
    Board board{tiny_config(), tiny_parts(halt_for_ever), log};
    lines.clear();
    for (int i = 0; i < 3; ++i) {
        board.read_port(0x279, 1);
        board.write_port(0x32C, 2, 0);
        board.read_port(0x20, 1);
        board.read_mmio(Physical{0xE0000008}, 4);
        board.write_mmio(Physical{0xE0000ABC}, 1, 0);
    }
    CHECK(lines == std::vector<std::string>{
                       "[ports] read of 1 byte at port 0279h: nobody is there",
                       "[ports] write of 2 bytes at port 032Ch: nobody is there",
                       "[memory] read in the page of address E0000000h: nobody is there",
                       "[memory] write in the page of address E0000000h: nobody is there",
                   });
}

TEST_CASE("board: firmware is given ACPI tables, and switching off is found by a scan of the DSDT for _S5_") {
    TinyBoard b;
    std::vector<u8> tables = fw_cfg_file(b, "etc/acpi/tables");
    // Name(_S5_, Package(4){0, 0, 0, 0}), as systems without an interpreter of AML look for it.
    const std::vector<u8> off{0x08, '_', 'S', '5', '_', 0x12, 6, 4, 0, 0, 0, 0};
    CHECK(std::search(tables.begin(), tables.end(), off.begin(), off.end()) != tables.end());
    CHECK(fw_cfg_file(b, "etc/acpi/rsdp").size() == 20);
    std::vector<u8> loader = fw_cfg_file(b, "etc/table-loader");
    REQUIRE(loader.size() >= 128);
    CHECK(loader.size() % 128 == 0);
    CHECK(loader[0] == 1);  // allocate
}
