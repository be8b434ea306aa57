// States that no chip can be in, as a stranger may put them into a snapshot with a right checksum. Each is refused, or
// does no harm.
#include <catch2/catch.hpp>

#include "devices/acpi_pm.hpp"
#include "devices/apic_timer.hpp"
#include "devices/floppy.hpp"
#include "devices/hpet.hpp"
#include "devices/piix3_ide.hpp"
#include "devices/pit.hpp"
#include "devices/rtc.hpp"
#include "storage_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

using Bytes = std::vector<u8>;

template <typename Chip>
Bytes saved(Chip& chip) {
    Archive archive = Archive::saver();
    chip.serialize(archive);
    return archive.bytes();
}

template <typename Chip>
bool loads(Chip& chip, const Bytes& bytes) {
    Archive archive = Archive::loader(bytes);
    chip.serialize(archive);
    return archive.ok();
}

// Where the one byte lies that tells two states apart which differ in one counter only.
std::size_t only_difference(const Bytes& a, const Bytes& b) {
    REQUIRE(a.size() == b.size());
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (a[i] != b[i]) places.push_back(i);
    REQUIRE(places.size() == 1);
    return places[0];
}

struct FloppyBoard : Board {
    Bytes image = Bytes(1440 * 1024);
    Dma dma{ports, ram, log};
    Floppy floppy{ports, IrqLine{lines, 6}, scheduler, dma, log};
    FloppyBoard() {
        floppy.attach(0, std::make_unique<MemoryDisk>(image));
        floppy.reset();
    }
};

// A chip at ten seconds of guest time, loaded where guest time is one second: its beginnings lie in the future.
template <typename Chip>
struct Early {
    Chip later, now;
    Early() {
        later.scheduler.advance_to(10 * second);
        now.scheduler.advance_to(second);
    }
};

struct PitBoard : Board {
    Pit pit{ports, IrqLine{lines, 0}, scheduler, log};
    PitBoard() { pit.reset(); }
    void start() {
        for (u8 control : {0x34, 0x74, 0xB6}) out8(0x43, control);
        for (u32 port : {0x40, 0x41, 0x42}) out8(port, 0), out8(port, 0x10);
    }
};
struct RtcBoard : Board {
    Rtc rtc{ports, IrqLine{lines, 8}, scheduler, 0};
    RtcBoard() { rtc.reset(); }
};
struct HpetBoard : Board {
    Hpet hpet{mmio, lines, scheduler, log, [](bool) {}};
};

}  // namespace

TEST_CASE("hostile state: more reset reports than a floppy controller has units are refused", "[devices][hostile]") {
    FloppyBoard four, three, loaded;
    for (FloppyBoard* board : {&four, &three}) {
        board->out8(0x3F2, 0x08);
        board->out8(0x3F2, 0x0C);
        board->pass(millisecond);
        board->out8(0x3F5, 0x08);
        while (board->in8(0x3F4) == 0xD0) board->in8(0x3F5);
    }
    Bytes bytes = saved(four.floppy);
    three.out8(0x3F5, 0x08);
    while (three.in8(0x3F4) == 0xD0) three.in8(0x3F5);
    // The report that was read last is still in the result bytes: what is left apart from it is the count.
    Bytes fewer = saved(three.floppy);
    int found = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (bytes[i] != 3 || fewer[i] != 2) continue;
        Bytes hostile = bytes;
        hostile[i] = 5;
        CHECK_FALSE(loads(loaded.floppy, hostile));
        hostile[i] = 0xFF;
        CHECK_FALSE(loads(loaded.floppy, hostile));
        ++found;
    }
    CHECK(found > 0);
}

TEST_CASE("hostile state: a floppy controller's result is not read past its end", "[devices][hostile]") {
    FloppyBoard one, two, loaded;
    for (FloppyBoard* board : {&one, &two}) {
        for (u8 byte : {0x0E}) board->out8(0x3F5, byte);  // DUMPREG: ten bytes, as many as there is room for
        board->in8(0x3F5);
    }
    two.in8(0x3F5);
    Bytes bytes = saved(one.floppy);
    std::size_t position = only_difference(bytes, saved(two.floppy));
    for (u8 beyond : {10, 11, 200}) {
        bytes[position] = beyond;
        CHECK_FALSE(loads(loaded.floppy, bytes));
    }
    bytes[position] = 9;
    CHECK(loads(loaded.floppy, bytes));
}

TEST_CASE("hostile state: a CD drive that waits for a packet has room for one", "[devices][hostile]") {
    struct CdBoard : Board {
        Bytes disc = Bytes(100 * 2048);
        Piix3Ide ide{ports, IrqLine{lines, 14}, IrqLine{lines, 15}, scheduler, ram, log};
        CdBoard() {
            ide.attach_cd(1, 0, std::make_unique<MemoryDisk>(disc));
            ide.reset();
        }
    };
    CdBoard asked, loaded;
    asked.out8(0x177, 0xA0);
    asked.pass(millisecond);
    Bytes bytes = saved(asked.ide), packet_buffer{12, 0, 0, 0};  // the buffer's length stands before its bytes
    auto length = std::search(bytes.begin(), bytes.end(), packet_buffer.begin(), packet_buffer.end());
    REQUIRE(length != bytes.end());
    *length = 4;
    bytes.erase(length + 4, length + 4 + 8);
    CHECK_FALSE(loads(loaded.ide, bytes));
}

TEST_CASE("hostile state: timers that began in the future are refused", "[devices][hostile]") {
    SECTION("the interval timer") {
        Early<PitBoard> e;
        e.later.start();
        CHECK_FALSE(loads(e.now.pit, saved(e.later.pit)));
    }
    SECTION("the real-time clock") {
        Early<RtcBoard> e;
        e.later.rtc.reset();
        CHECK_FALSE(loads(e.now.rtc, saved(e.later.rtc)));
    }
    SECTION("the HPET") {
        Early<HpetBoard> e;
        e.later.mmio.write(0xFED00010, 4, 1);
        CHECK_FALSE(loads(e.now.hpet, saved(e.later.hpet)));
    }
    SECTION("the same at their own time are taken") {
        Early<PitBoard> pit;
        pit.later.start();
        pit.now.scheduler.advance_to(10 * second);
        CHECK(loads(pit.now.pit, saved(pit.later.pit)));
    }
}

TEST_CASE("hostile state: a timer that starts again at its own deadline for ever lets time go on",
          "[devices][hostile]") {
    Scheduler scheduler;
    u64 fired = 0;
    Timer* itself = nullptr;
    Timer timer{scheduler, [&] {
                    ++fired;
                    itself->start_at(itself->deadline());
                }};
    itself = &timer;
    timer.start_at(5 * millisecond);
    scheduler.advance_to(10 * millisecond);
    CHECK(scheduler.now() == 10 * millisecond);
    CHECK(fired > 1);
    CHECK(fired < 100'000);
}
