// FERR#, IGNNE# and port F0h.
#include "devices/coprocessor_error.hpp"

#include <catch2/catch.hpp>

using namespace vellum;

namespace {
struct Bench final : IrqSink {
    Bus ports;
    bool line = false;
    int edges = 0;
    CoprocessorError chip{ports, IrqLine{*this, 13}};

    void set_irq(u8, bool level) override {
        edges += level && !line;
        line = level;
    }
    void acknowledge() { ports.write(0xF0, 1, 0); }
};
}  // namespace

TEST_CASE("coprocessor error: FERR# raises line 13, which stays up until port F0h is written") {
    Bench b;
    b.chip.set_ferr(true);
    CHECK(b.line);
    b.chip.set_ferr(false);
    CHECK(b.line);
    b.acknowledge();
    CHECK_FALSE(b.line);
}

TEST_CASE("coprocessor error: the write asserts IGNNE# for as long as FERR# is asserted") {
    Bench b;
    b.acknowledge();
    CHECK_FALSE(b.chip.ignne());
    b.chip.set_ferr(true);
    CHECK_FALSE(b.chip.ignne());
    b.acknowledge();
    CHECK(b.chip.ignne());
    b.chip.set_ferr(true);  // the processor says so again at each waiting instruction
    CHECK_FALSE(b.line);
    b.chip.set_ferr(false);
    CHECK_FALSE(b.chip.ignne());
    b.chip.set_ferr(true);
    CHECK(b.edges == 2);
}

TEST_CASE("coprocessor error: the port reads as an open bus, and reset lets go of everything") {
    Bench b;
    CHECK(b.ports.read(0xF0, 1) == 0xFF);
    b.chip.set_ferr(true);
    b.acknowledge();
    b.chip.reset();
    CHECK_FALSE(b.chip.ignne());
    CHECK_FALSE(b.line);
}
