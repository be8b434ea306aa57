// Debug consoles, POST code and exit port.
#include "devices/debug_ports.hpp"
#include "devices/debug_exit.hpp"

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

TEST_CASE("debug exit: takes values of every width") {
    Bus ports;
    std::vector<u32> values;
    DebugExit exit{ports, [&](u32 value) { values.push_back(value); }};
    ports.write(0xF4, 1, 0x12);
    ports.write(0xF4, 2, 0x1234);
    ports.write(0xF4, 4, 0x12345678);
    REQUIRE(values == std::vector<u32>{0x12, 0x1234, 0x12345678});
}
