// Seeds of the fuzz target `devices`: for each chip the conversations that its states are reached by.
#include <string_view>

#include "base/check.hpp"
#include "board_traffic.hpp"
#include "target.hpp"

namespace vellum::fuzz {

namespace {

// Writes an input in terms of addresses.
class Script {
 public:
    Script(std::string name, std::string reason, std::string_view chip)
        : seed_{std::move(name), std::move(reason), {}} {
        while (chips()[chip_].name != chip) ++chip_;
        constexpr u8 prepared = 0x80;
        out_.put(static_cast<u8>(prepared | chip_));
    }

    Script& out(u32 port, u8 value) { return begin(Traffic::WritePort8).port(port).put(value); }
    Script& out16(u32 port, u16 value) { return begin(Traffic::WritePort16).port(port).put(value); }
    Script& out32(u32 port, u32 value) { return begin(Traffic::WritePort32).port(port).put(value); }
    // A register behind an index.
    Script& indexed(u32 port, u8 index, u8 value) { return out(port, index).out(port + 1, value); }
    Script& out_many(u32 port, std::vector<u8> values, u8 size = 1) {
        begin(Traffic::WritePortMany, size).port(port).put(static_cast<u8>(values.size()));
        out_.bytes(values);
        return *this;
    }
    Script& in(u32 port, u8 size = 1) { return begin(Traffic::ReadPort, size).port(port); }
    Script& in_many(u32 port, u8 count, u8 size = 1) {
        return begin(Traffic::ReadPortMany, size).port(port).put(count);
    }
    Script& store(u32 address, u32 value, u8 size = 4) {
        return begin(Traffic::WriteMmio, size).put(index(chips()[chip_].mmio, address)).put(value);
    }
    Script& load(u32 address, u8 size = 4) {
        return begin(Traffic::ReadMmio, size).put(index(chips()[chip_].mmio, address));
    }
    // (low + 1) * 64 ns << high
    Script& wait(u8 high, u8 low = 0) { return begin(Traffic::Wait).put(static_cast<u8>(high << 4 | low)); }
    Script& memory(u32 address, std::vector<u8> bytes) {
        begin(Traffic::Memory).put(static_cast<u16>(address / 16)).put(static_cast<u8>(bytes.size()));
        out_.bytes(bytes);
        return *this;
    }
    Script& key(u8 usage, bool down) { return begin(Traffic::Person).put(static_cast<u8>(down ? 4 : 0)).put(usage); }
    Script& mouse(u8 dx, u8 dy, u8 buttons) {
        return begin(Traffic::Person).put(static_cast<u8>(5 | buttons << 4)).put(dx).put(dy).put(u8{0});
    }
    Script& receive(u8 port, u8 byte) { return begin(Traffic::Person).put(static_cast<u8>(2 | port << 2)).put(byte); }
    Script& power_button() { return begin(Traffic::Person).put(u8{3}); }
    Script& media(u8 which) { return begin(Traffic::Media).put(which); }
    Script& acknowledge() { return begin(Traffic::Interrupt); }
    Script& look(u8 how) { return begin(Traffic::Look, static_cast<u8>(1 << how)); }
    Script& images_fail() { return begin(Traffic::Host, 2); }
    Script& config(u8 function_index, u8 reg, u32 value, u8 size = 4) {
        return begin(Traffic::Config, size).put(function_index).put(reg).put(value);
    }

    Seed seed() const { return {seed_.name, seed_.reason, out_.all()}; }

 private:
    Script& begin(Traffic what, u8 size = 1) {
        u8 log = size == 4 ? 2 : size == 2 ? 1 : 0;
        return put(static_cast<u8>(static_cast<u8>(what) | log << 4));
    }
    Script& port(u32 address) { return put(static_cast<u16>(index(chips()[chip_].ports, address))); }
    static u32 index(const std::vector<AddressRange>& ranges, u32 address) {
        u32 before = 0;
        for (const AddressRange& range : ranges) {
            if (address >= range.first && address - range.first < range.count) return before + address - range.first;
            before += range.count;
        }
        check(ranges.empty(), "a seed keeps to the addresses of its chip");
        return address;
    }
    template <typename T>
    Script& put(T value) {
        out_.put(value);
        return *this;
    }

    Seed seed_;
    std::size_t chip_ = 0;
    Output out_;
};

// LBA, count and command into the task file of a channel.
Script& task(Script& s, u32 base, u8 drive, u32 lba, u8 count, u8 command) {
    s.out(base + 6, static_cast<u8>(0xE0 | drive << 4 | (lba >> 24 & 15)));
    s.out(base + 2, count);
    for (u32 i = 0; i < 3; ++i) s.out(base + 3 + i, static_cast<u8>(lba >> 8 * i));
    return s.out(base + 7, command);
}

Script& packet(Script& s, std::vector<u8> command, u8 features = 0, u16 limit = 0x800) {
    s.out(0x176, 0xA0).out(0x171, features).out(0x174, static_cast<u8>(limit)).out(0x175, static_cast<u8>(limit >> 8));
    s.out(0x177, 0xA0).wait(6);
    command.resize(12);
    return s.out_many(0x170, command, 2).wait(12);
}

constexpr u32 bus_master = 0xC000;
constexpr u8 to_memory = 8;

Script& start_dma(Script& s, u32 base, u8 direction) {
    s.memory(0x8000, {0x00, 0x90, 0, 0, 0x00, 0x02, 0, 0, 0x00, 0xA0, 0, 0, 0, 0, 0, 0x80});
    return s.out32(base + 4, 0x8000).out(base + 2, 6).out(base, direction).out(base, direction | 1);
}

std::vector<Seed> disks() {
    Script pio{"ide-pio", "IDENTIFY, SET MULTIPLE, READ MULTIPLE, WRITE SECTORS through the data port", "ide"};
    task(pio, 0x1F0, 0, 0, 0, 0xEC).wait(10).in_many(0x1F0, 255, 2).in_many(0x1F0, 1, 2).in(0x1F7);
    task(pio, 0x1F0, 0, 0, 4, 0xC6).wait(10);
    task(pio, 0x1F0, 0, 5, 4, 0xC4).wait(10).in_many(0x1F0, 255, 4).in_many(0x1F0, 255, 4).in_many(0x1F0, 2, 4);
    task(pio, 0x1F0, 0, 9, 1, 0x30).wait(10).out_many(0x1F0, std::vector<u8>(255, 7), 4);
    pio.out_many(0x1F0, std::vector<u8>(255, 8), 4).out_many(0x1F0, {1, 2}, 2).wait(12).in(0x1F7);
    Script dma{"ide-dma", "a PRD table of two entries, READ DMA and WRITE DMA", "ide"};
    start_dma(dma, bus_master, to_memory);
    task(dma, 0x1F0, 0, 3, 3, 0xC8).wait(14).in(bus_master + 2).in(0x1F7).acknowledge();
    start_dma(dma, bus_master, 0);
    task(dma, 0x1F0, 0, 296, 9, 0xCA).wait(14).in(bus_master + 2).in(0x1F7);
    Script wide{"ide-48-bit", "extended commands, whose registers are written twice, on the large disk", "ide"};
    for (u32 reg : {2u, 3u, 4u, 5u}) wide.out(0x1F0 + reg, reg == 3 ? 0x10 : 0).out(0x1F0 + reg, 1);
    wide.out(0x1F6, 0xF0).out(0x1F7, 0x24).wait(12).in_many(0x1F0, 255, 4).out(0x1F7, 0x27).wait(8);
    wide.out(0x1F7, 0xEA).wait(12).out(0x3F6, 0x80).in(0x1F5).out(0x3F6, 0x04).out(0x3F6, 0);
    Script broken{"ide-host-fails", "an image that cannot be read", "ide"};
    broken.images_fail();
    task(broken, 0x1F0, 0, 0, 1, 0x20).wait(12).in(0x1F1).in(0x1F7);
    Script cd{"atapi", "INQUIRY, READ TOC, READ(10) in two pieces, MODE SENSE, a changed disc", "atapi"};
    packet(cd, {0x12, 0, 0, 0, 36}).in_many(0x170, 18, 2);
    packet(cd, {0x43, 2, 0, 0, 0, 0, 0, 0, 64}).in_many(0x170, 32, 2);
    packet(cd, {0x28, 0, 0, 0, 0, 2, 0, 0, 2}).in_many(0x170, 255, 4).in_many(0x170, 255, 4).in_many(0x170, 255, 4);
    packet(cd, {0x5A, 0, 0x2A, 0, 0, 0, 0, 0, 128}).in_many(0x170, 64, 2);
    cd.media(4).media(0x28);
    packet(cd, {0}).in(0x177);
    packet(cd, {3, 0, 0, 0, 18}).in_many(0x170, 9, 2);
    packet(cd, {0x1B, 0, 0, 0, 2}).in(0x177);
    packet(cd, {0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8}).in_many(0x170, 4, 2);
    Script cd_dma{"atapi-dma", "READ(12) by bus master", "atapi"};
    start_dma(cd_dma, bus_master + 8, to_memory);
    packet(cd_dma, {0xA8, 0, 0, 0, 0, 1, 0, 0, 0, 1}, 1).wait(14).in(bus_master + 10);
    return {pio.seed(), dma.seed(), wide.seed(), broken.seed(), cd.seed(), cd_dma.seed()};
}

// The FDC takes commands byte by byte.
Script& fdc(Script& s, const std::vector<u8>& command) {
    for (u8 byte : command) s.in(0x3F4).out(0x3F5, byte);
    return s.wait(14);
}

Script& dma_channel_2(Script& s, u8 mode, u16 bytes) {
    s.out(0x0A, 6).out(0x0C, 0).out(0x0B, mode).out(0x04, 0).out(0x04, 0x90).out(0x81, 0);
    return s.out(0x05, static_cast<u8>(bytes - 1)).out(0x05, static_cast<u8>((bytes - 1) >> 8)).out(0x0A, 2);
}

std::vector<Seed> floppy() {
    constexpr u8 dma_to_memory = 0x46, dma_from_memory = 0x4A;
    Script s{"floppy", "reset, SPECIFY, RECALIBRATE, SEEK, READ, WRITE, FORMAT and READ ID by DMA channel 2",
             "floppy and dma"};
    s.out(0x3F2, 0).out(0x3F2, 0x1C).wait(12);
    for (u32 i = 0; i < 4; ++i) fdc(s, {8}).in(0x3F5).in(0x3F5);
    s.out(0x3F7, 0);
    fdc(s, {3, 0xAF, 2});
    fdc(s, {7, 0}).wait(15, 15).acknowledge();
    fdc(s, {8}).in(0x3F5).in(0x3F5);
    fdc(s, {0x0F, 0, 5}).wait(15, 15);
    dma_channel_2(s, dma_to_memory, 1024);
    fdc(s, {0xE6, 0, 5, 0, 1, 2, 18, 0x1B, 0xFF}).wait(15, 15).in_many(0x3F5, 7);
    dma_channel_2(s, dma_from_memory, 512);
    fdc(s, {0xC5, 0, 5, 0, 3, 2, 18, 0x1B, 0xFF}).wait(15, 15).in_many(0x3F5, 7);
    dma_channel_2(s, dma_from_memory, 72);
    fdc(s, {0x4D, 0, 2, 18, 0x54, 0xF6}).wait(15, 15).in_many(0x3F5, 7);
    fdc(s, {0x4A, 0}).wait(15).in_many(0x3F5, 7);
    s.media(5).in(0x3F7).media(9).in(0x3F7);
    Script polled{"floppy-without-dma", "bytes through the data port, DUMPREG, VERSION, an unknown command",
                  "floppy and dma"};
    polled.out(0x3F2, 0).out(0x3F2, 0x14).wait(12);
    fdc(polled, {3, 0xAF, 3});
    fdc(polled, {0x46, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF}).wait(15).in_many(0x3F5, 255).in_many(0x3F5, 255);
    fdc(polled, {0x0E}).in_many(0x3F5, 10);
    fdc(polled, {0x10}).in(0x3F5);
    fdc(polled, {0x1F}).in(0x3F5);
    return {s.seed(), polled.seed()};
}

std::vector<Seed> video() {
    Script text{"vga-text", "a text mode with a cursor and a split screen, looked at in three ways", "vga"};
    text.out(0x3C2, 0x67).indexed(0x3C4, 2, 3).indexed(0x3C4, 4, 2).indexed(0x3D4, 1, 79).indexed(0x3D4, 0x12, 0x8F);
    text.indexed(0x3D4, 9, 0x4F).indexed(0x3D4, 0x13, 40).indexed(0x3D4, 0x0A, 6).indexed(0x3D4, 0x18, 0x40);
    text.indexed(0x3CE, 6, 0x0E).in(0x3DA).out(0x3C0, 0x10).out(0x3C0, 0x0C).out(0x3C0, 0x20);
    for (u32 i = 0; i < 4; ++i) text.store(0xB8000 + i * 4, 0x1F411F40 + i);
    text.look(2).look(1).look(0);
    Script planar{"vga-planar", "mode 12h with all write modes, read mode 1 and the latches", "vga"};
    planar.indexed(0x3C4, 4, 6)
        .indexed(0x3C4, 2, 15)
        .indexed(0x3CE, 6, 5)
        .indexed(0x3D4, 1, 79)
        .indexed(0x3D4, 0x12, 0xDF);
    planar.indexed(0x3D4, 7, 0x3E).indexed(0x3D4, 0x13, 40).out(0x3C0, 0x10).out(0x3C0, 1).out(0x3C0, 0x20);
    for (u8 mode = 0; mode < 4; ++mode)
        planar.indexed(0x3CE, 5, mode | 8)
            .indexed(0x3CE, 8, 0x5A)
            .indexed(0x3CE, 3, static_cast<u8>(mode << 3 | 1))
            .load(0xA0010, 1)
            .store(0xA0010 + mode, 0xC3, 1);
    planar.look(0);
    Script chain{"vga-256-colours", "mode 13h, the palette, and panning", "vga"};
    chain.indexed(0x3C4, 4, 0x0E)
        .indexed(0x3CE, 5, 0x40)
        .indexed(0x3CE, 6, 5)
        .indexed(0x3D4, 0x14, 0x40)
        .indexed(0x3D4, 0x17, 0xA3);
    chain.out(0x3C8, 1)
        .out_many(0x3C9, {63, 0, 32, 1, 2, 3})
        .out(0x3C7, 1)
        .in_many(0x3C9, 6)
        .store(0xA0000, 0x01020304);
    chain.indexed(0x3D4, 8, 0x1F).out(0x3C0, 0x13).out(0x3C0, 3).indexed(0x3D4, 0x0C, 0xFF).look(1);
    Script vbe{"vga-vbe", "the DISPI registers: a mode of 32 bits, a virtual screen that pans, banks", "vga"};
    auto dispi = [&vbe](u16 index, u16 value) { vbe.out16(0x1CE, index).out16(0x1CF, value); };
    for (auto [index, value] : std::initializer_list<std::pair<u16, u16>>{{0, 0xB0C5},
                                                                          {4, 0},
                                                                          {1, 640},
                                                                          {2, 480},
                                                                          {3, 32},
                                                                          {4, 0x41},
                                                                          {6, 1024},
                                                                          {8, 100},
                                                                          {9, 200},
                                                                          {5, 3},
                                                                          {3, 8},
                                                                          {4, 0xC1},
                                                                          {3, 15},
                                                                          {4, 1}})
        dispi(index, value);
    vbe.store(0xA0000, 0x00FF00FF).look(0).look(1);
    return {text.seed(), planar.seed(), chain.seed(), vbe.seed()};
}

std::vector<Seed> input() {
    Script s{"keyboard-and-mouse", "self-tests, scan code sets, LEDs, typematic, streams of both",
             "keyboard and mouse"};
    s.out(0x64, 0xAA)
        .in(0x60)
        .out(0x64, 0xAB)
        .in(0x60)
        .out(0x64, 0x60)
        .out(0x60, 0x47)
        .out(0x64, 0xA8)
        .out(0x64, 0x20)
        .in(0x60);
    for (u8 byte : {0xFF, 0xF0, 0x02, 0xED, 0x07, 0xF3, 0x20, 0xF2, 0xF4}) s.out(0x60, byte).wait(13).in(0x60).in(0x60);
    for (u8 byte : {0xFF, 0xF3, 200, 0xF3, 100, 0xF3, 80, 0xF2, 0xE8, 3, 0xE6, 0xE9, 0xF4})
        s.out(0x64, 0xD4).out(0x60, byte).wait(13).in(0x60).in(0x60);
    s.key(4, true)
        .key(0x48, true)
        .key(0x46, true)
        .mouse(20, 0xF0, 1)
        .wait(15)
        .in_many(0x60, 20)
        .key(4, false)
        .mouse(0x80, 0x7F, 7)
        .wait(15)
        .in_many(0x60, 20);
    s.out(0x64, 0xD1).out(0x60, 0xDD).out(0x64, 0xD0).in(0x60).out(0x64, 0xFE);
    return {s.seed()};
}

std::vector<Seed> timers() {
    Script pit{"pit", "all modes, read-back and latch, BCD, the speaker's gate", "timers"};
    for (u8 mode = 0; mode < 8; ++mode)
        pit.out(0x43, static_cast<u8>(0x30 | mode << 1 | (mode & 1)))
            .out(0x40, 0x20)
            .out(0x40, 1)
            .wait(8)
            .out(0x43, 0)
            .in(0x40)
            .in(0x40)
            .wait(11);
    pit.out(0x43, 0xC2)
        .in(0x40)
        .in(0x40)
        .in(0x40)
        .out(0x61, 3)
        .out(0x43, 0xB6)
        .out(0x42, 9)
        .out(0x42, 1)
        .wait(10)
        .in(0x61);
    Script rtc{"rtc", "periodic, alarm and update interrupts; setting time in BCD and binary", "timers"};
    rtc.indexed(0x70, 0x0A, 0x26)
        .indexed(0x70, 0x0B, 0x72)
        .indexed(0x70, 1, 0xC0)
        .wait(15, 15)
        .out(0x70, 0x0C)
        .in(0x71)
        .indexed(0x70, 0x0B, 0x86);
    rtc.indexed(0x70, 0, 0x59)
        .indexed(0x70, 9, 0x99)
        .indexed(0x70, 8, 0x12)
        .indexed(0x70, 7, 0x31)
        .indexed(0x70, 4, 0x92)
        .indexed(0x70, 0x0B, 0x04)
        .wait(15, 15)
        .wait(15, 15);
    Script hpet{"hpet", "a periodic timer by the I/O APIC and a one-shot one, in legacy routes", "timers"};
    hpet.store(0xFED00010, 3)
        .store(0xFED00100, 0x4E)
        .store(0xFED00108, 1000)
        .store(0xFED00108, 500)
        .store(0xFED00120, 0x2804)
        .store(0xFED00128, 5000)
        .wait(9)
        .load(0xFED000F0)
        .store(0xFED00020, 1)
        .load(0xFED00000);
    Script acpi{"acpi-timer", "PM1 events, the 24-bit timer's overflow, sleep", "timers"};
    acpi.out16(0xB002, 0x0101)
        .in(0xB008, 4)
        .wait(15, 15)
        .in(0xB000, 2)
        .out16(0xB000, 0xFFFF)
        .out16(0xB004, 1)
        .power_button()
        .in(0xB000, 2)
        .out16(0xB004, 0x3C01);
    return {pit.seed(), rtc.seed(), hpet.seed(), acpi.seed()};
}

std::vector<Seed> interrupts() {
    Script pic{"pic", "ICW1-4, rotation, special mask, poll and levels, with the timer as a source",
               "interrupt controllers"};
    for (u32 base : {0x20u, 0xA0u})
        pic.out(base, 0x11)
            .out(base + 1, base == 0x20 ? 8 : 0x70)
            .out(base + 1, base == 0x20 ? 4 : 2)
            .out(base + 1, 1)
            .out(base + 1, 0);
    pic.out(0x43, 0x34)
        .out(0x40, 0x40)
        .out(0x40, 0)
        .wait(9)
        .acknowledge()
        .out(0x20, 0x0B)
        .in(0x20)
        .out(0x20, 0x20)
        .wait(9)
        .acknowledge()
        .out(0x20, 0xA0)
        .out(0x20, 0x68)
        .out(0x20, 0x0C)
        .in(0x20)
        .out(0x4D0, 0x20);
    Script apic{"apic", "the local APIC on, its timer periodic, IPIs to itself, a redirected line",
                "interrupt controllers"};
    apic.store(0xFEE000F0, 0x1FF)
        .store(0xFEE00350, 0x700)
        .store(0xFEE00320, 0x20030)
        .store(0xFEE003E0, 0x0B)
        .store(0xFEE00380, 1000)
        .wait(8)
        .acknowledge()
        .store(0xFEE000B0, 0);
    apic.store(0xFEE00300, 0x44041)
        .acknowledge()
        .store(0xFEE00080, 0x50)
        .store(0xFEE00300, 0x44061)
        .load(0xFEE00020)
        .acknowledge()
        .load(0xFEE00280);
    apic.store(0xFEC00000, 0x14)
        .store(0xFEC00010, 0x8051)
        .store(0xFEC00000, 0x15)
        .store(0xFEC00010, 0)
        .out(0x43, 0x34)
        .out(0x40, 0x40)
        .out(0x40, 0)
        .wait(8)
        .acknowledge()
        .store(0xFEC00040, 0x51)
        .store(0xFEE000B0, 0);
    return {pic.seed(), apic.seed()};
}

std::vector<Seed> others() {
    Script serial{"serial", "FIFOs, loopback, interrupts, line status and input", "serial"};
    serial.out(0x3FB, 0x83)
        .out(0x3F8, 1)
        .out(0x3F9, 0)
        .out(0x3FB, 3)
        .out(0x3FA, 0xC7)
        .out(0x3F9, 15)
        .out_many(0x3F8, {'h', 'e', 'l', 'l', 'o'})
        .in(0x3FA)
        .wait(12);
    for (u8 i = 0; i < 16; ++i) serial.receive(0, i);
    serial.in(0x3FD)
        .in_many(0x3F8, 18)
        .out(0x3FC, 0x1F)
        .out(0x3F8, 0x55)
        .wait(12)
        .in(0x3F8)
        .in(0x3FE)
        .receive(1, 3)
        .in(0x2FD)
        .in(0x2F8);
    Script fw{"fw-cfg", "keys by port, and DMA that reads, skips, writes and fails", "fw_cfg"};
    fw.out16(0x510, 0).in_many(0x511, 4).out16(0x510, 0x19).in_many(0x511, 80);
    fw.memory(0x7000, {0, 0x19, 0, 0x0A, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0x80, 0})
        .out32(0x514, 0)
        .out32(0x518, 0x00700000);
    fw.memory(0x7000, {0, 0x20, 0, 0x1C, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0x80, 0}).out32(0x518, 0x00700000);
    Script pci{"pci", "BARs are sized and moved, shadow RAM is switched, the IDE function is switched off", "pci"};
    pci.config(0, 0x59, 0x30, 1)
        .config(0, 0x5A, 0x33333333)
        .store(0xC0000, 0xAA55)
        .load(0xF0000)
        .config(2, 0x20, 0xFFFFFFFF)
        .config(2, 0x20, 0xD001)
        .config(2, 4, 0, 2);
    pci.config(4, 0x10, 0xFFFFFFFF)
        .config(4, 0x10, 0x00100000)
        .config(4, 0x10, 0xF0000008)
        .config(4, 0x30, 0xFFFFF801)
        .config(4, 0x30, 0xF8000001)
        .config(4, 4, 7, 2)
        .out32(0xCF8, 0x80000800)
        .in(0xCFC, 4);
    Script reset{"system", "port 92h, CF9h, APM and the ACPI sleep register", "system"};
    reset.out(0x92, 0)
        .out(0x92, 2)
        .out(0xB2, 0xF1)
        .in(0xB3)
        .out(0xCF9, 2)
        .out(0xCF9, 6)
        .out16(0xB004, 0x2001)
        .out(0x80, 0x12)
        .out(0x92, 3)
        .out(0xF4, 1);
    Script all{"board", "the whole board: every port, and memory everywhere", "board"};
    all.out(0x20, 0x11)
        .in(0x3DA)
        .out32(0xCF8, 0x80000000)
        .in(0xCFC, 4)
        .store(0xFEC00000, 1)
        .load(0xFEE00030)
        .load(0xA0000)
        .wait(15);
    return {serial.seed(), fw.seed(), pci.seed(), reset.seed(), all.seed()};
}

}  // namespace

std::vector<Seed> seeds() {
    std::vector<Seed> all;
    for (const auto& part : {disks(), floppy(), video(), input(), timers(), interrupts(), others()})
        all.insert(all.end(), part.begin(), part.end());
    return all;
}

}  // namespace vellum::fuzz
