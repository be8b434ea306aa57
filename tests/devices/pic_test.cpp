// The interrupt controllers as the processor and the lines see them.
#include "devices/pic.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace vellum;

namespace {
struct Bench {
    Bus ports;
    Log log;
    std::vector<bool> outputs;
    PicPair pic{ports, log, [this](bool level) { outputs.push_back(level); }};

    Bench() { initialize(0x01, 0x01); }

    void initialize(u8 icw4_master, u8 icw4_slave) {
        out(0x20, 0x11), out(0x21, 0x08), out(0x21, 0x04), out(0x21, icw4_master);
        out(0xA0, 0x11), out(0xA1, 0x70), out(0xA1, 0x02), out(0xA1, icw4_slave);
    }
    void out(u16 port, u8 value) { ports.write(port, 1, value); }
    u8 in(u16 port) { return static_cast<u8>(ports.read(port, 1)); }
    // The line stays high, as a device leaves it until it is served.
    void edge(u8 line) {
        pic.set_irq(line, false);
        pic.set_irq(line, true);
    }
    u8 in_service(u16 port) {
        out(port, 0x0B);
        return in(port);
    }
    u8 requests(u16 port) {
        out(port, 0x0A);
        return in(port);
    }
};
}  // namespace

TEST_CASE("pic: an edge is requested, acknowledged and in service until EOI") {
    Bench b;
    b.edge(1);
    REQUIRE(b.pic.interrupt_requested());
    REQUIRE(b.requests(0x20) == 0x02);
    REQUIRE(b.pic.acknowledge() == 0x09);
    REQUIRE_FALSE(b.pic.interrupt_requested());
    REQUIRE(b.in_service(0x20) == 0x02);
    b.out(0x20, 0x20);
    REQUIRE(b.in_service(0x20) == 0);
    REQUIRE(b.outputs == std::vector<bool>{true, false});
}

TEST_CASE("pic: a line of the slave comes through the cascade with the slave's vector") {
    Bench b;
    b.edge(12);
    REQUIRE(b.pic.acknowledge() == 0x74);
    REQUIRE(b.in_service(0x20) == 0x04);
    REQUIRE(b.in_service(0xA0) == 0x10);
}

TEST_CASE("pic: a higher line interrupts a lower one in service, not the other way round") {
    Bench b;
    b.edge(4);
    b.pic.acknowledge();
    b.edge(5);
    REQUIRE_FALSE(b.pic.interrupt_requested());
    b.edge(0);
    REQUIRE(b.pic.acknowledge() == 0x08);
    b.out(0x20, 0x20);  // ends line 0
    REQUIRE_FALSE(b.pic.interrupt_requested());
    b.out(0x20, 0x20);  // ends line 4
    REQUIRE(b.pic.acknowledge() == 0x0D);
}

TEST_CASE("pic: a masked line waits until it is unmasked") {
    Bench b;
    b.out(0x21, 0x02);
    b.edge(1);
    REQUIRE_FALSE(b.pic.interrupt_requested());
    REQUIRE(b.in(0x21) == 0x02);
    b.out(0x21, 0x00);
    REQUIRE(b.pic.acknowledge() == 0x09);
}

TEST_CASE("pic: with no request the master answers IRQ7 and puts nothing in service") {
    Bench b;
    REQUIRE(b.pic.acknowledge() == 0x0F);
    REQUIRE(b.in_service(0x20) == 0);
}

TEST_CASE("pic: a slave's request that went away is answered IRQ15 with the cascade in service") {
    Bench b;
    b.edge(10);
    b.out(0xA1, 0xFF);
    REQUIRE(b.pic.acknowledge() == 0x77);
    REQUIRE(b.in_service(0x20) == 0x04);
    REQUIRE(b.in_service(0xA0) == 0);
}

TEST_CASE("pic: a request that its device takes back before the acknowledge is not delivered") {
    Bench b;
    b.pic.set_irq(4, true);
    REQUIRE(b.pic.interrupt_requested());
    b.pic.set_irq(4, false);
    REQUIRE_FALSE(b.pic.interrupt_requested());
    REQUIRE(b.requests(0x20) == 0);
    b.edge(4);
    REQUIRE(b.pic.acknowledge() == 0x0C);
}

TEST_CASE("pic: a request that the slave's device takes back is answered IRQ15, not with its own vector") {
    Bench b;
    b.pic.set_irq(14, true);
    b.pic.set_irq(14, false);
    REQUIRE(b.pic.acknowledge() == 0x77);
    REQUIRE(b.in_service(0xA0) == 0);
    REQUIRE(b.in_service(0x20) == 0x04);
}

TEST_CASE("pic: a request taken back while it is masked does not come when it is unmasked") {
    Bench b;
    b.out(0xA1, 0xFF);
    b.pic.set_irq(12, true);
    b.pic.set_irq(12, false);
    b.out(0xA1, 0x00);
    REQUIRE_FALSE(b.pic.interrupt_requested());
}

TEST_CASE("pic: a level line requests again after EOI while it is high") {
    Bench b;
    b.out(0x4D1, 0x08);  // line 11
    b.pic.set_irq(11, true);
    REQUIRE(b.pic.acknowledge() == 0x73);
    b.out(0xA0, 0x20);
    b.out(0x20, 0x20);
    REQUIRE(b.pic.acknowledge() == 0x73);
    b.pic.set_irq(11, false);
    b.out(0xA0, 0x20);
    b.out(0x20, 0x20);
    REQUIRE_FALSE(b.pic.interrupt_requested());
}

TEST_CASE("pic: an edge line that stays high requests only once") {
    Bench b;
    b.pic.set_irq(3, true);
    b.pic.acknowledge();
    b.out(0x20, 0x20);
    b.pic.set_irq(3, true);
    REQUIRE_FALSE(b.pic.interrupt_requested());
}

TEST_CASE("pic: the edge/level registers refuse the lines of timer, keyboard, cascade, clock and coprocessor") {
    Bench b;
    b.ports.write(0x4D0, 2, 0xFFFF);
    REQUIRE(b.ports.read(0x4D0, 2) == 0xDEF8);
}

TEST_CASE("pic: automatic EOI leaves nothing in service") {
    Bench b;
    b.initialize(0x03, 0x01);
    b.edge(1);
    REQUIRE(b.pic.acknowledge() == 0x09);
    REQUIRE(b.in_service(0x20) == 0);
}

TEST_CASE("pic: rotation in automatic EOI mode makes the served line the lowest") {
    Bench b;
    b.initialize(0x03, 0x01);
    b.out(0x20, 0x80);
    b.edge(3);
    b.pic.acknowledge();
    b.edge(3);
    b.edge(5);
    REQUIRE(b.pic.acknowledge() == 0x0D);
    REQUIRE(b.pic.acknowledge() == 0x0B);
}

TEST_CASE("pic: rotate on non-specific EOI makes the ended line the lowest") {
    Bench b;
    b.edge(3);
    b.pic.acknowledge();
    b.out(0x20, 0xA0);
    b.edge(1);
    b.edge(4);
    REQUIRE(b.pic.acknowledge() == 0x0C);
}

TEST_CASE("pic: the set priority command names the lowest line") {
    Bench b;
    b.out(0x20, 0xC4);
    b.edge(0);
    b.edge(5);
    REQUIRE(b.pic.acknowledge() == 0x0D);
}

TEST_CASE("pic: a specific EOI ends just that line") {
    Bench b;
    b.edge(4);
    b.pic.acknowledge();
    b.edge(1);
    b.pic.acknowledge();
    b.out(0x20, 0x64);
    REQUIRE(b.in_service(0x20) == 0x02);
}

TEST_CASE("pic: in special mask mode a masked line in service lets lower lines through and keeps its ISR bit") {
    Bench b;
    b.edge(1);
    b.pic.acknowledge();
    b.out(0x21, 0x02);
    b.out(0x20, 0x68);
    b.edge(6);
    REQUIRE(b.pic.acknowledge() == 0x0E);
    b.out(0x20, 0x20);  // non-specific: ends line 6, passes over the masked line 1
    REQUIRE(b.in_service(0x20) == 0x02);
}

TEST_CASE("pic: special fully nested mode lets a higher line of the slave through") {
    Bench b;
    b.initialize(0x11, 0x01);
    b.edge(12);
    b.pic.acknowledge();
    b.edge(14);
    REQUIRE_FALSE(b.pic.interrupt_requested());
    b.edge(9);
    REQUIRE(b.pic.acknowledge() == 0x71);
}

TEST_CASE("pic: a second request of the slave follows after the first is ended") {
    Bench b;
    b.edge(14);
    b.edge(15);
    REQUIRE(b.pic.acknowledge() == 0x76);
    b.out(0xA0, 0x20);
    b.out(0x20, 0x20);
    REQUIRE(b.pic.acknowledge() == 0x77);
}

TEST_CASE("pic: a poll reads the line and puts it in service") {
    Bench b;
    b.edge(6);
    b.out(0x20, 0x0C);
    REQUIRE(b.in(0x20) == 0x86);
    REQUIRE(b.in_service(0x20) == 0x40);
    b.out(0x20, 0x0C);
    REQUIRE(b.in(0x20) == 0x00);
}

TEST_CASE("pic: ICW1 forgets requests, masks and what is in service") {
    Bench b;
    b.edge(1);
    b.pic.acknowledge();
    b.edge(0);
    b.out(0x21, 0xFF);
    b.initialize(0x01, 0x01);
    REQUIRE_FALSE(b.pic.interrupt_requested());
    REQUIRE(b.in(0x21) == 0x00);
    REQUIRE(b.in_service(0x20) == 0x00);
}

TEST_CASE("pic: a restored controller equals the saved one and reports its output") {
    Bench a, b;
    a.out(0x4D0, 0x20);
    a.pic.set_irq(5, true);
    a.edge(12);
    auto saved = Archive::saver();
    saved(a.pic);
    auto loaded = Archive::loader(saved.bytes());
    loaded(b.pic);
    REQUIRE(loaded.ok());
    REQUIRE(b.outputs == std::vector<bool>{true});
    auto same = Archive::comparer(saved.bytes());
    same(b.pic);
    REQUIRE(same.ok());
    REQUIRE(b.pic.acknowledge() == 0x74);
}
