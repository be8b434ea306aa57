// All timing and interrupt chips on one board, driven by a guest that means no good and by damaged save files.
#include <catch2/catch.hpp>

#include <random>

#include "devices/acpi_pm.hpp"
#include "devices/debug_ports.hpp"
#include "devices/fw_cfg.hpp"
#include "devices/hpet.hpp"
#include "devices/io_apic.hpp"
#include "devices/pic.hpp"
#include "devices/rtc.hpp"
#include "devices/system_ports.hpp"

using namespace vellum;

namespace {
struct NoMemory final : GuestBytes {
    void read(Physical, std::span<u8> bytes) const override { std::fill(bytes.begin(), bytes.end(), u8{0xFF}); }
    void write(Physical, std::span<const u8>) override {}
};

// ISA interrupts go to the PICs and to the I/O APIC, IRQ0 to its pin 2.
struct Fan final : IrqSink {
    PicPair* pic = nullptr;
    IoApic* io = nullptr;
    void set_irq(u8 number, bool level) override {
        pic->set_irq(number, level);
        io->set_irq(number == 0 ? 2 : number, level);
    }
};

struct Board {
    Bus ports, mmio;
    Log log;
    Scheduler scheduler;
    NoMemory memory;
    Fan fan;
    u8 vectors_seen = 0;
    LocalApic local{mmio,
                    scheduler,
                    log,
                    {[](bool) {}, [this](u8 vector) { io.end_of_interrupt(vector); }, [] {},
                     [this] { return pic.acknowledge(); }, [](u64 tsc) { return tsc; }}};
    IoApic io{mmio, local, log};
    PicPair pic{ports, log, [this](bool level) { local.set_lint0(level); }};
    Pit pit{ports, IrqLine{fan, 0}, scheduler, log};
    Rtc rtc{ports, IrqLine{fan, 8}, scheduler, 1'700'000'000};
    Hpet hpet{mmio, fan, scheduler, log, [this](bool on) {
                  pit.connect_irq(!on);
                  rtc.connect_irq(!on);
              }};
    AcpiPm pm{ports, IrqLine{fan, 9}, scheduler, log, [] {}};
    SystemPorts system{ports, pit, log, {[](bool) {}, [] {}}};
    PostPort post{ports};
    FwCfg fw_cfg{ports, memory, log};

    Board() {
        fan.pic = &pic;
        fan.io = &io;
        pm.set_io_base(0x600);
        fw_cfg.add_file("a", {1, 2, 3});
    }
    void serialize(Archive& a) { a(scheduler, local, io, pic, pit, rtc, hpet, pm, system, post, fw_cfg); }
    void interrupt() {
        if (local.interrupt_requested())
            vectors_seen ^= local.acknowledge();
        else if (pic.interrupt_requested())
            vectors_seen ^= pic.acknowledge();
    }
};

struct Guest {
    Board& board;
    std::mt19937 random;

    u32 pick(u32 below) { return static_cast<u32>(random() % below); }
    u32 value() {
        constexpr u32 telling[] = {0, 1, 0xFF, 0xFFFF, 0xFFFFFFFF, 0x10000, 0x80};
        return pick(2) ? static_cast<u32>(random()) : telling[pick(7)];
    }
    void act() {
        struct Range {
            bool is_mmio;
            u32 first, count;
        };
        constexpr Range ranges[] = {{false, 0x20, 2},         {false, 0xA0, 2},          {false, 0x4D0, 2},
                                    {false, 0x40, 4},         {false, 0x40, 4},          {false, 0x61, 1},
                                    {false, 0x92, 1},         {false, 0x70, 2},          {false, 0x70, 2},
                                    {false, 0x600, 64},       {false, 0xAFE0, 4},        {false, 0xB2, 2},
                                    {false, 0x510, 12},       {true, 0xFEE00000, 0x400}, {true, 0xFEE00000, 0x400},
                                    {true, 0xFEC00000, 0x50}, {true, 0xFED00000, 0x160}, {true, 0xFED00100, 0x20}};
        const Range& range = ranges[pick(std::size(ranges))];
        const u32 address = range.first + (pick(4) ? pick(range.count) & ~3u : pick(range.count));
        const u8 size = static_cast<u8>(1u << (range.is_mmio && pick(4) ? 2 : pick(3)));
        const Bus& bus = range.is_mmio ? board.mmio : board.ports;
        if (pick(3))
            bus.write(address, size, value());
        else
            bus.read(address, size);
        if (pick(8) == 0) board.interrupt();
        if (pick(16) == 0) board.fan.set_irq(static_cast<u8>(pick(32)), pick(2));
    }
    // Returns how many events came due.
    u64 live(int steps) {
        u64 events = 0;
        for (int i = 0; i < steps; ++i) {
            act();
            const Nanoseconds until = board.scheduler.now() + pick(50'000);
            while (board.scheduler.next_deadline() <= until) {
                board.scheduler.advance_to(board.scheduler.next_deadline());
                ++events;
            }
            board.scheduler.advance_to(until);
        }
        return events;
    }
};
}  // namespace

TEST_CASE("timing chips: nothing that a guest writes breaks them or floods the machine with events") {
    Board board;
    Guest guest{board, std::mt19937{20'240'229}};
    const u64 events = guest.live(60'000);
    // Per 10 us at most one each from PIT and APIC timer, one from each HPET timer, and one from a write.
    REQUIRE(events < board.scheduler.now() / (10 * microsecond) * 5 + 5 * 60'000);
}

TEST_CASE("timing chips: saved in any state they are restored to the same state and go on alike") {
    Board a;
    Guest guest{a, std::mt19937{77}};
    guest.live(5'000);
    auto saved = Archive::saver();
    saved(a);
    Board b;
    auto loaded = Archive::loader(saved.bytes());
    loaded(b);
    REQUIRE(loaded.ok());
    Guest on_a{a, std::mt19937{78}}, on_b{b, std::mt19937{78}};
    REQUIRE(on_a.live(5'000) == on_b.live(5'000));
    auto end = Archive::saver();
    end(a);
    auto same = Archive::comparer(end.bytes());
    same(b);
    REQUIRE(same.ok());
}

TEST_CASE("timing chips: a damaged save file may be refused but does no harm") {
    Board a;
    Guest{a, std::mt19937{5}}.live(3'000);
    auto saved = Archive::saver();
    saved(a);
    std::mt19937 random{6};
    for (int round = 0; round < 300; ++round) {
        auto bytes = saved.bytes();
        for (int i = 0; i < 4; ++i) bytes[8 + random() % (bytes.size() - 8)] = static_cast<u8>(random());
        Board b;
        auto loaded = Archive::loader(bytes);
        loaded(b);
        Guest guest{b, std::mt19937{7}};
        for (int i = 0; i < 200; ++i) guest.act();
    }
    SUCCEED("no sanitizer complained");
}
