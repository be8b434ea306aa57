// The 8042 and the keyboard behind it.
#include "devices/keyboard_controller.hpp"

#include <catch2/catch.hpp>

#include "devices/ps2_keyboard.hpp"
#include "storage_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

struct EchoMouse final : Ps2Device {
    std::vector<u8> heard;
    ByteQueue<16> out;
    bool has_byte() const override { return !out.empty(); }
    u8 take_byte() override { return out.pop(); }
    void command(u8 byte) override {
        heard.push_back(byte);
        out.push(ps2_acknowledge);
        announce();
    }
};

struct KeyboardBoard : Board {
    bool a20 = true;
    int resets = 0;
    u8 leds = 0;
    Ps2Keyboard keyboard{scheduler, log, [this](u8 now) { leds = now; }};
    EchoMouse mouse;
    KeyboardController controller{ports,
                                  IrqLine{lines, 1},
                                  IrqLine{lines, 12},
                                  scheduler,
                                  log,
                                  {[this](bool on) { a20 = on; }, [this] { return a20; }, [this] { ++resets; }},
                                  keyboard,
                                  &mouse};
    KeyboardBoard() {
        keyboard.reset();
        controller.reset();
    }
    void command_byte(u8 value) {
        out8(0x64, 0x60);
        out8(0x60, value);
    }
    // All bytes that come within 50 ms.
    std::vector<u8> drain() {
        std::vector<u8> bytes;
        for (int i = 0; i < 100; ++i) {
            if (in8(0x64) & 1) bytes.push_back(in8(0x60));
            pass(500 * microsecond);
        }
        return bytes;
    }
    std::vector<u8> press(u8 usage) {
        keyboard.key({usage, true});
        return drain();
    }
    std::vector<u8> release(u8 usage) {
        keyboard.key({usage, false});
        return drain();
    }
};

using Bytes = std::vector<u8>;

}  // namespace

TEST_CASE("keyboard controller: self-tests answer as a healthy one", "[devices][keyboard]") {
    KeyboardBoard b;
    b.out8(0x64, 0xAA);
    CHECK((b.in8(0x64) & 0x05) == 0x05);
    CHECK(b.in8(0x60) == 0x55);
    CHECK((b.in8(0x64) & 1) == 0);
    b.out8(0x64, 0xAB);
    CHECK(b.in8(0x60) == 0);
    b.out8(0x64, 0xA9);
    CHECK(b.in8(0x60) == 0);
}

TEST_CASE("keyboard controller: the command byte reads back", "[devices][keyboard]") {
    KeyboardBoard b;
    b.command_byte(0x65);
    b.out8(0x64, 0x20);
    CHECK(b.in8(0x60) == 0x65);
}

TEST_CASE("keyboard controller: a key arrives in set 2, or in set 1 when translation is on", "[devices][keyboard]") {
    KeyboardBoard b;
    CHECK(b.press(0x04) == Bytes{0x1C});
    CHECK(b.release(0x04) == Bytes{0xF0, 0x1C});
    b.command_byte(0x41);
    CHECK(b.press(0x04) == Bytes{0x1E});
    CHECK(b.release(0x04) == Bytes{0x9E});
    CHECK(b.press(0x52) == Bytes{0xE0, 0x48});
    CHECK(b.release(0x52) == Bytes{0xE0, 0xC8});
    CHECK(b.press(0x40) == Bytes{0x41});
}

TEST_CASE("keyboard controller: IRQ 1 rises once for each byte", "[devices][keyboard]") {
    KeyboardBoard b;
    b.command_byte(0x41);
    b.keyboard.key({0x04, true});
    b.keyboard.key({0x05, true});
    b.pass(10 * millisecond);
    CHECK(b.lines.rises[1] == 1);
    CHECK(b.in8(0x60) == 0x1E);
    CHECK_FALSE(b.lines.level[1]);
    CHECK(b.in8(0x60) == 0x1E);  // the same byte until the next has come over the wire
    b.pass(millisecond);
    CHECK(b.lines.rises[1] == 2);
    CHECK(b.in8(0x60) == 0x30);
    CHECK(b.lines.rises[12] == 0);
}

TEST_CASE("keyboard controller: a disabled keyboard keeps its bytes", "[devices][keyboard]") {
    KeyboardBoard b;
    b.out8(0x64, 0xAD);
    CHECK(b.press(0x04).empty());
    b.out8(0x64, 0xAE);
    CHECK(b.drain() == Bytes{0x1C});
}

TEST_CASE("keyboard controller: A20 by output port and by DDh and DFh", "[devices][keyboard]") {
    KeyboardBoard b;
    b.out8(0x64, 0xD1);
    b.out8(0x60, 0xDD);
    CHECK_FALSE(b.a20);
    b.out8(0x64, 0xD0);
    CHECK((b.in8(0x60) & 2) == 0);
    b.out8(0x64, 0xDF);
    CHECK(b.a20);
    b.out8(0x64, 0xDD);
    CHECK_FALSE(b.a20);
    b.out8(0x64, 0xFF);
    CHECK(b.resets == 0);
    b.out8(0x64, 0xFE);
    CHECK(b.resets == 1);
}

TEST_CASE("keyboard controller: D4h reaches the mouse, whose answer raises IRQ 12", "[devices][keyboard]") {
    KeyboardBoard b;
    b.command_byte(0x03);
    b.out8(0x64, 0xD4);
    b.out8(0x60, 0xF4);
    CHECK(b.mouse.heard == Bytes{0xF4});
    b.pass(millisecond);
    CHECK(b.lines.level[12]);
    CHECK((b.in8(0x64) & 0x21) == 0x21);
    CHECK(b.in8(0x60) == 0xFA);
    CHECK_FALSE(b.lines.level[12]);
    b.out8(0x64, 0xD3);
    b.out8(0x60, 0x77);
    CHECK((b.in8(0x64) & 0x21) == 0x21);
    CHECK(b.in8(0x60) == 0x77);
}

TEST_CASE("keyboard controller: a polled status register sees a byte that is due", "[devices][keyboard]") {
    KeyboardBoard b;
    struct Later final : TimeSource {
        Nanoseconds guest_time() override { return 5 * millisecond; }
    } later;
    b.keyboard.key({0x04, true});
    b.scheduler.set_time_source(&later);
    CHECK((b.in8(0x64) & 1) == 1);
}

TEST_CASE("keyboard: reset, identify and echo", "[devices][keyboard]") {
    KeyboardBoard b;
    b.out8(0x60, 0xFF);
    CHECK(b.drain() == Bytes{0xFA, 0xAA});
    b.out8(0x60, 0xF2);
    CHECK(b.drain() == Bytes{0xFA, 0xAB, 0x83});
    b.out8(0x60, 0xEE);
    CHECK(b.drain() == Bytes{0xEE});
    b.out8(0x60, 0xFE);
    CHECK(b.drain() == Bytes{0xEE});
    b.out8(0x60, 0x12);
    CHECK(b.drain() == Bytes{0xFE});
}

TEST_CASE("keyboard: LEDs, and commands with arguments", "[devices][keyboard]") {
    KeyboardBoard b;
    b.out8(0x60, 0xED);
    CHECK(b.drain() == Bytes{0xFA});
    b.out8(0x60, 0x05);
    CHECK(b.drain() == Bytes{0xFA});
    CHECK(b.leds == 5);
    b.out8(0x60, 0xF0);
    b.out8(0x60, 0x00);
    CHECK(b.drain() == Bytes{0xFA, 0xFA, 0x02});
}

TEST_CASE("keyboard: disabled scanning sends nothing until it is enabled", "[devices][keyboard]") {
    KeyboardBoard b;
    b.out8(0x60, 0xF5);
    CHECK(b.drain() == Bytes{0xFA});
    CHECK(b.press(0x04).empty());
    CHECK(b.release(0x04).empty());
    b.out8(0x60, 0xF4);
    CHECK(b.drain() == Bytes{0xFA});
    CHECK(b.press(0x04) == Bytes{0x1C});
}

TEST_CASE("keyboard: sets 1 and 3", "[devices][keyboard]") {
    KeyboardBoard b;
    b.out8(0x60, 0xF0);
    b.out8(0x60, 0x01);
    b.drain();
    CHECK(b.press(0x28) == Bytes{0x1C});
    CHECK(b.release(0x28) == Bytes{0x9C});
    b.out8(0x60, 0xF0);
    b.out8(0x60, 0x03);
    b.drain();
    CHECK(b.press(0x29) == Bytes{0x08});
    CHECK(b.release(0x29) == Bytes{0xF0, 0x08});
}

TEST_CASE("keyboard: Pause and PrintScreen have sequences of their own", "[devices][keyboard]") {
    KeyboardBoard b;
    CHECK(b.press(0x48) == Bytes{0xE1, 0x14, 0x77, 0xE1, 0xF0, 0x14, 0xF0, 0x77});
    CHECK(b.release(0x48).empty());
    CHECK(b.press(0x46) == Bytes{0xE0, 0x12, 0xE0, 0x7C});
    CHECK(b.release(0x46) == Bytes{0xE0, 0xF0, 0x7C, 0xE0, 0xF0, 0x12});
    b.press(0xE0);
    CHECK(b.press(0x48) == Bytes{0xE0, 0x7E, 0xE0, 0xF0, 0x7E});
}

TEST_CASE("keyboard: a held key repeats after half a second", "[devices][keyboard]") {
    KeyboardBoard b;
    CHECK(b.press(0x04) == Bytes{0x1C});
    b.keyboard.key({0x04, true});
    CHECK(b.drain().empty());
    b.pass(410 * millisecond);
    CHECK(b.drain() == Bytes{0x1C});
    b.release(0x04);
    b.pass(second);
    CHECK(b.drain().empty());
}

TEST_CASE("keyboard: a full queue loses whole keys with their releases", "[devices][keyboard]") {
    KeyboardBoard b;
    for (int i = 0; i < 1000; ++i) {
        b.keyboard.key({0x52, true});
        b.keyboard.key({0x52, false});
    }
    Bytes all;
    for (Bytes some = b.drain(); !some.empty(); some = b.drain()) all.insert(all.end(), some.begin(), some.end());
    REQUIRE(all.size() >= 5);
    CHECK(all.size() % 5 == 0);
    CHECK(Bytes(all.end() - 5, all.end()) == Bytes{0xE0, 0x75, 0xE0, 0xF0, 0x75});
}

TEST_CASE("keyboard: saved in the middle of a key, it goes on", "[devices][keyboard]") {
    KeyboardBoard a, b;
    a.keyboard.key({0x52, true});
    a.pass(millisecond);
    Archive saved = Archive::saver();
    a.scheduler.serialize(saved);
    a.keyboard.serialize(saved);
    a.controller.serialize(saved);
    Archive load = Archive::loader(saved.bytes());
    b.scheduler.serialize(load);
    b.keyboard.serialize(load);
    b.controller.serialize(load);
    REQUIRE(load.ok());
    CHECK(b.drain() == Bytes{0xE0, 0x75});
}
