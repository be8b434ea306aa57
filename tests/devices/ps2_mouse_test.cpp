// The PS/2 mouse.
#include "devices/ps2_mouse.hpp"

#include <catch2/catch.hpp>

#include "storage_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

using Bytes = std::vector<u8>;

struct MouseBoard : Board {
    Ps2Mouse mouse{scheduler, log};
    MouseBoard() { mouse.reset(); }
    Bytes drain() {
        Bytes bytes;
        for (int i = 0; i < 400; ++i) {
            while (mouse.has_byte()) bytes.push_back(mouse.take_byte());
            pass(millisecond);
        }
        return bytes;
    }
    Bytes command(u8 byte) {
        mouse.command(byte);
        return drain();
    }
    Bytes move(i32 dx, i32 dy, i32 wheel, u8 buttons) {
        mouse.move({dx, dy, wheel, buttons});
        return drain();
    }
    void wheel_knock() {
        for (u8 rate : {200, 100, 80}) {
            command(0xF3);
            command(rate);
        }
    }
};

}  // namespace

TEST_CASE("mouse: reset answers with its self-test and identity", "[devices][mouse]") {
    MouseBoard b;
    CHECK(b.command(0xFF) == Bytes{0xFA, 0xAA, 0x00});
    CHECK(b.command(0xF2) == Bytes{0xFA, 0x00});
    CHECK(b.command(0xE9) == Bytes{0xFA, 0x00, 0x02, 100});
    CHECK(b.command(0x33) == Bytes{0xFE});
}

TEST_CASE("mouse: says nothing until it is enabled", "[devices][mouse]") {
    MouseBoard b;
    CHECK(b.move(5, 5, 0, 0).empty());
    CHECK(b.command(0xF4) == Bytes{0xFA});
    CHECK(b.move(5, 3, 0, 1) == Bytes{0x29, 5, 0xFD});
    CHECK(b.move(-2, -4, 0, 0) == Bytes{0x18, 0xFE, 4});
    CHECK(b.move(0, 0, 0, 0).empty());
}

TEST_CASE("mouse: the knock of sample rates brings the wheel", "[devices][mouse]") {
    MouseBoard b;
    b.wheel_knock();
    CHECK(b.command(0xF2) == Bytes{0xFA, 0x03});
    b.command(0xF4);
    CHECK(b.move(0, 0, -1, 0) == Bytes{0x08, 0, 0, 0xFF});
    CHECK(b.move(0, 0, 9, 0) == Bytes{0x08, 0, 0, 7, 0x08, 0, 0, 2});
    b.command(0xFF);
    CHECK(b.command(0xF2) == Bytes{0xFA, 0x00});
}

TEST_CASE("mouse: movement adds up while it is not read, and long ways take several packets", "[devices][mouse]") {
    MouseBoard b;
    b.command(0xF4);
    b.mouse.move({1, 0, 0, 0});
    for (int i = 0; i < 1000; ++i) b.mouse.move({1, 0, 0, 0});
    Bytes bytes = b.drain();
    u32 way = 0;
    for (std::size_t i = 0; i < bytes.size(); i += 3) way += bytes[i + 1];
    CHECK(way == 1001);
    CHECK(bytes.size() == 5 * 3);
}

TEST_CASE("mouse: quick clicks keep their order and number", "[devices][mouse]") {
    MouseBoard b;
    b.command(0xF4);
    for (u8 buttons : {1, 0, 1, 0}) b.mouse.move({0, 0, 0, buttons});
    CHECK(b.drain() == Bytes{0x09, 0, 0, 0x08, 0, 0, 0x09, 0, 0, 0x08, 0, 0});
}

TEST_CASE("mouse: the queue is bounded and ends with the buttons as they are", "[devices][mouse]") {
    MouseBoard b;
    b.command(0xF4);
    for (int i = 0; i < 10000; ++i) b.mouse.move({2000000000, -2000000000, 0, static_cast<u8>(i % 8)});
    for (int i = 0; i < 100; ++i) b.mouse.move({-2000000000, 2000000000, 0, 2});
    Bytes bytes, some;
    while (!(some = b.drain()).empty()) bytes.insert(bytes.end(), some.begin(), some.end());
    CHECK(bytes.size() % 3 == 0);
    CHECK((bytes[bytes.size() - 3] & 7) == 2);
}

TEST_CASE("mouse: remote mode reports when asked", "[devices][mouse]") {
    MouseBoard b;
    b.command(0xF0);
    b.command(0xF4);
    CHECK(b.move(7, 0, 0, 4).empty());
    CHECK(b.command(0xEB) == Bytes{0xFA, 0x0C, 7, 0});
    CHECK(b.command(0xEB) == Bytes{0xFA, 0x0C, 0, 0});
    CHECK((b.command(0xE9)[1] & 0x62) == 0x62);
}

TEST_CASE("mouse: 2:1 scaling, resolution, wrap mode and bad arguments", "[devices][mouse]") {
    MouseBoard b;
    b.command(0xE7);
    b.command(0xF4);
    CHECK(b.move(10, 0, 0, 0) == Bytes{0x08, 20, 0});
    CHECK(b.move(-2, 0, 0, 0) == Bytes{0x18, 0xFF, 0});
    b.command(0xE8);
    CHECK(b.command(9) == Bytes{0xFC});
    b.command(0xF3);
    CHECK(b.command(0) == Bytes{0xFC});
    b.command(0xEE);
    CHECK(b.command(0x77) == Bytes{0x77});
    CHECK(b.command(0xEC) == Bytes{0xFA});
    CHECK(b.command(0xE9)[0] == 0xFA);
}

TEST_CASE("mouse: a command throws away a packet that was half read", "[devices][mouse]") {
    MouseBoard b;
    b.command(0xF4);
    b.mouse.move({1, 1, 0, 0});
    b.mouse.take_byte();
    CHECK(b.command(0xF5) == Bytes{0xFA});
}

TEST_CASE("mouse: saved with movement waiting, it goes on", "[devices][mouse]") {
    MouseBoard a, b;
    a.command(0xF4);
    a.mouse.move({300, 0, 0, 0});
    Archive saved = Archive::saver();
    a.scheduler.serialize(saved);
    a.mouse.serialize(saved);
    Archive load = Archive::loader(saved.bytes());
    b.scheduler.serialize(load);
    b.mouse.serialize(load);
    REQUIRE(load.ok());
    CHECK(b.drain() == Bytes{0x08, 255, 0, 0x08, 45, 0});
}
