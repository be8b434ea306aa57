// Debug consoles, POST code, exit port and test device.
#include "devices/debug_ports.hpp"
#include "devices/debug_exit.hpp"
#include "devices/test_device.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace vellum;

namespace {
struct Text final : ByteSink {
    std::string text;
    void put(std::span<const u8> bytes) override { text.append(bytes.begin(), bytes.end()); }
};
}  // namespace

TEST_CASE("debug console: both ports announce themselves and write to the sink") {
    Bus ports;
    Text text;
    DebugConsole console{ports, text};
    REQUIRE(ports.read(0x402, 1) == 0xE9);
    REQUIRE(ports.read(0xE9, 1) == 0xE9);
    ports.write(0x402, 1, 'o');
    ports.write(0xE9, 1, 'k');
    REQUIRE(text.text == "ok");
}

TEST_CASE("post port: the last code reads back") {
    Bus ports;
    PostPort post{ports};
    ports.write(0x80, 1, 0x42);
    REQUIRE(ports.read(0x80, 1) == 0x42);
    REQUIRE(post.code() == 0x42);
    ports.write(0xED, 1, 0x11);
    REQUIRE(ports.read(0xED, 1) == 0xFF);
}

TEST_CASE("post port: time does not matter to it, but to its neighbours and to nobody") {
    Bus ports;
    PostPort post{ports};
    Text text;
    DebugConsole console{ports, text};
    for (int twice = 0; twice < 2; ++twice) {
        CHECK(ports.timeless(0x80, 1));
        CHECK(ports.timeless(0xED, 1));
        CHECK_FALSE(ports.timeless(0x80, 2));
        CHECK_FALSE(ports.timeless(0x7F, 2));
        CHECK_FALSE(ports.timeless(0xE9, 1));
        CHECK_FALSE(ports.timeless(0x90, 1));
    }
}

TEST_CASE("bus: who was asked last is not asked for what is another's") {
    Bus ports;
    PostPort post{ports};
    Text text;
    DebugConsole console{ports, text};
    ports.write(0x80, 1, 0x42);
    for (int twice = 0; twice < 2; ++twice) {
        CHECK(ports.read(0x80, 1) == 0x42);
        CHECK(ports.read(0xE9, 1) == 0xE9);
        CHECK(ports.read(0x81, 1) == 0xFF);
        CHECK(ports.read(0x7F, 2) == 0x42FF);
        CHECK(ports.read(0x80, 2) == 0xFF42);
    }
}

TEST_CASE("debug exit: takes values of every width") {
    Bus ports;
    std::vector<u32> values;
    DebugExit exit{ports, [&](u32 value) { values.push_back(value); }};
    ports.write(0xF4, 1, 0x12);
    ports.write(0xF4, 2, 0x1234);
    ports.write(0xF4, 4, 0x12345678);
    REQUIRE(values == std::vector<u32>{0x12, 0x1234, 0x12345678});
}

TEST_CASE("test device: register and memory keep what was written, in every width") {
    Bus ports, mmio;
    TestDevice device{ports, mmio};
    ports.write(0xE0, 4, 0x11223344);
    ports.write(0xE2, 1, 0xAA);
    ports.write(0xE4, 4, 0x1000);  // a page to forget: no register
    CHECK(ports.read(0xE0, 4) == 0x11AA3344);
    CHECK(ports.read(0xE1, 2) == 0xAA33);
    mmio.write(0xFF00FFFC, 4, 0x55667788);
    mmio.write(0xFF00FFFE, 2, 0xBBCC);
    CHECK(mmio.read(0xFF00FFFC, 4) == 0xBBCC7788);
    CHECK(mmio.read(0xFF00FFFF, 1) == 0xBB);
    CHECK_FALSE(mmio.claimed(0xFF010000));
}

TEST_CASE("test device: its memories are in the snapshot") {
    Bus ports, mmio, other_ports, other_mmio;
    TestDevice device{ports, mmio}, other{other_ports, other_mmio};
    ports.write(0xE0, 4, 0x11223344);
    mmio.write(0xFF001234, 1, 0x99);
    Archive save = Archive::saver();
    device.serialize(save);
    Archive load = Archive::loader(save.bytes());
    other.serialize(load);
    CHECK(load.ok());
    CHECK(other_ports.read(0xE0, 4) == 0x11223344);
    CHECK(other_mmio.read(0xFF001234, 1) == 0x99);
}
