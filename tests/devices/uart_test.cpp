// The 16550A.
#include "devices/uart.hpp"

#include <catch2/catch.hpp>

#include "storage_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

constexpr u32 base = 0x3F8;

struct UartBoard : Board {
    TextSink sink;
    int ready = 0;
    Uart uart{ports, base, IrqLine{lines, 4}, scheduler, sink, [this] { ++ready; }};
    UartBoard() {
        uart.reset();
        out8(base + 4, 0x0B);  // DTR, RTS, OUT2
    }
    u8 interrupt() { return in8(base + 2) & 0x0F; }
};

}  // namespace

TEST_CASE("uart: written bytes reach the sink and the line status follows", "[devices][uart]") {
    UartBoard b;
    CHECK(b.in8(base + 5) == 0x60);
    b.out8(base, 'A');
    CHECK(b.in8(base + 5) == 0x00);
    b.pass(5 * microsecond);
    CHECK(b.in8(base + 5) == 0x60);
    CHECK(b.sink.text == "A");
}

TEST_CASE("uart: a guest that polls sees the byte leave by the clock alone", "[devices][uart]") {
    UartBoard b;
    struct Later final : TimeSource {
        Nanoseconds guest_time() override { return millisecond; }
    } later;
    b.out8(base, 'A');
    b.scheduler.set_time_source(&later);
    CHECK(b.in8(base + 5) == 0x60);
    CHECK(b.sink.text == "A");
}

TEST_CASE("uart: enabling the holding-register interrupt raises it, reading its identification clears it",
          "[devices][uart]") {
    UartBoard b;
    b.out8(base + 1, 2);
    CHECK(b.lines.level[4]);
    CHECK(b.interrupt() == 0x02);
    CHECK_FALSE(b.lines.level[4]);
    CHECK(b.interrupt() == 0x01);
    b.out8(base, 'x');
    CHECK_FALSE(b.lines.level[4]);
    b.pass(5 * microsecond);
    CHECK(b.lines.level[4]);
    b.out8(base + 1, 0);
    b.out8(base + 1, 2);
    CHECK(b.interrupt() == 0x02);
}

TEST_CASE("uart: FIFO trigger level, then the character timeout", "[devices][uart]") {
    UartBoard b;
    b.out8(base + 2, 0x41);  // on, four bytes
    b.out8(base + 1, 1);
    for (char c : {'a', 'b', 'c'}) b.uart.receive(static_cast<u8>(c));
    CHECK_FALSE(b.lines.level[4]);
    b.pass(10 * millisecond);
    CHECK(b.lines.level[4]);
    CHECK(b.interrupt() == 0x0C);
    CHECK(b.in8(base) == 'a');
    CHECK_FALSE(b.lines.level[4]);
    b.uart.receive('d');
    b.uart.receive('e');
    CHECK(b.interrupt() == 0x04);
    CHECK((b.in8(base + 2) & 0xC0) == 0xC0);
    for (char c : {'b', 'c', 'd', 'e'}) CHECK(b.in8(base) == c);
    CHECK((b.in8(base + 5) & 1) == 0);
    CHECK(b.interrupt() == 0x01);
}

TEST_CASE("uart: a full receiver says so, overruns, and asks for more when read", "[devices][uart]") {
    UartBoard b;
    b.out8(base + 2, 0x01);
    b.out8(base + 1, 4);
    for (u8 i = 0; i < 16; ++i) {
        CHECK(b.uart.can_receive());
        b.uart.receive(i);
    }
    CHECK_FALSE(b.uart.can_receive());
    b.uart.receive(99);
    CHECK(b.interrupt() == 0x06);
    CHECK((b.in8(base + 5) & 0x02) == 0x02);
    CHECK((b.in8(base + 5) & 0x02) == 0);
    int before = b.ready;
    CHECK(b.in8(base) == 0);
    CHECK(b.ready == before + 1);
    CHECK(b.uart.can_receive());
}

TEST_CASE("uart: loopback turns outputs into modem status and bytes around", "[devices][uart]") {
    UartBoard b;
    CHECK((b.in8(base + 6) & 0xF0) == 0xB0);
    b.out8(base + 4, 0x1A);  // loopback, RTS, OUT2
    CHECK((b.in8(base + 6) & 0xF0) == 0x90);
    b.out8(base, 0x5A);
    b.pass(5 * microsecond);
    CHECK((b.in8(base + 5) & 1) == 1);
    CHECK(b.in8(base) == 0x5A);
    CHECK(b.sink.text.empty());
    CHECK_FALSE(b.uart.can_receive());
}

TEST_CASE("uart: divisor, scratch and 16550A identification", "[devices][uart]") {
    UartBoard b;
    b.out8(base + 3, 0x83);
    b.out8(base, 0x01);
    b.out8(base + 1, 0x02);
    CHECK(b.in8(base) == 1);
    CHECK(b.in8(base + 1) == 2);
    b.out8(base + 3, 0x03);
    CHECK(b.in8(base + 1) == 0);
    b.out8(base + 7, 0xA5);
    CHECK(b.in8(base + 7) == 0xA5);
    CHECK((b.in8(base + 2) & 0xC0) == 0);
    b.out8(base + 2, 1);
    CHECK((b.in8(base + 2) & 0xC0) == 0xC0);
}

TEST_CASE("uart: what waits to be sent when the machine ends is sent", "[devices][uart]") {
    UartBoard b;
    for (u8 byte : {'e', 'n', 'd'}) b.out8(base, byte);
    b.uart.finish_sending();
    CHECK(b.sink.text == "end");
    b.out8(base + 4, 0x10);
    b.out8(base, 'x');
    b.uart.finish_sending();
    CHECK(b.sink.text == "end");
}

TEST_CASE("uart: OUT2 connects the interrupt", "[devices][uart]") {
    UartBoard b;
    b.out8(base + 4, 0x03);
    b.out8(base + 1, 2);
    CHECK_FALSE(b.lines.level[4]);
    b.out8(base + 4, 0x0B);
    CHECK(b.lines.level[4]);
}

TEST_CASE("uart: state survives a save and load", "[devices][uart]") {
    UartBoard a, b;
    a.out8(base + 2, 0x01);
    a.uart.receive('q');
    a.out8(base, 'w');
    Archive saved = Archive::saver();
    a.uart.serialize(saved);
    Archive load = Archive::loader(saved.bytes());
    b.uart.serialize(load);
    REQUIRE(load.ok());
    CHECK(b.in8(base) == 'q');
    b.pass(5 * microsecond);
    CHECK(b.sink.text == "w");
}
