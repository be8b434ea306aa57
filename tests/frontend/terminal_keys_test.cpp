// What terminals send.
#include "frontend/terminal_keys.hpp"

#include <catch2/catch.hpp>

#include "fake_machine.hpp"

using namespace vellum;

namespace {

std::string typed(std::string_view bytes) {
    TerminalKeys keys;
    return written(keys.feed(bytes).events);
}

}  // namespace

TEST_CASE("terminal keys: plain characters pass") { REQUIRE(typed("a\r") == "+04-04+28-28"); }

TEST_CASE("terminal keys: sequences of cursor, editing and function keys") {
    REQUIRE(typed("\x1B[A") == "+52-52");
    REQUIRE(typed("\x1BOB") == "+51-51");
    REQUIRE(typed("\x1B[H\x1B[4~") == "+4A-4A+4D-4D");
    REQUIRE(typed("\x1B[3~") == "+4C-4C");
    REQUIRE(typed("\x1BOP\x1B[15~\x1B[17~\x1B[24~") == "+3A-3A+3E-3E+3F-3F+45-45");
    REQUIRE(typed("\x1B[[B") == "+3B-3B");
    REQUIRE(typed("\x1B[Z") == "+E1+2B-2B-E1");
}

TEST_CASE("terminal keys: modifiers in a sequence are held") {
    REQUIRE(typed("\x1B[1;5C") == "+E0+4F-4F-E0");
    REQUIRE(typed("\x1B[1;2A") == "+E1+52-52-E1");
    REQUIRE(typed("\x1B[3;3~") == "+E2+4C-4C-E2");
}

TEST_CASE("terminal keys: Escape before a character is Alt") { REQUIRE(typed("\x1Bx") == "+E2+1B-1B-E2"); }

TEST_CASE("terminal keys: a sequence may come in pieces") {
    TerminalKeys keys;
    REQUIRE(keys.feed("\x1B[1").events.empty());
    REQUIRE(keys.waiting());
    REQUIRE(written(keys.feed(";5D").events) == "+E0+50-50-E0");
    REQUIRE_FALSE(keys.waiting());
}

TEST_CASE("terminal keys: Escape alone is the Escape key after a while") {
    TerminalKeys keys;
    REQUIRE(keys.feed("\x1B").events.empty());
    REQUIRE(written(keys.timeout().events) == "+29-29");
    REQUIRE(keys.timeout().events.empty());
    REQUIRE(typed("\x1B\x1B[A") == "+29-29+52-52");
}

TEST_CASE("terminal keys: Ctrl-] asks to quit and is not typed") {
    TerminalKeys keys;
    const auto result = keys.feed("a\x1D");
    REQUIRE(result.quit);
    REQUIRE(written(result.events) == "+04-04");
}

TEST_CASE("terminal keys: unknown and endless sequences are dropped") {
    REQUIRE(typed("\x1B[99~a") == "+04-04");
    REQUIRE(typed("\x1B[4294967296;99999999999~a") == "+04-04");
    const std::string endless = "\x1B[" + std::string(1000, '1');
    TerminalKeys keys;
    keys.feed(endless);
    REQUIRE_FALSE(keys.waiting());
}

TEST_CASE("terminal keys: any bytes are taken") {
    TerminalKeys keys;
    u32 seed = 5, typed_events = 0;
    for (u32 round = 0; round < 20000; ++round) {
        seed = seed * 1664525 + 1013904223;
        const char bytes[2] = {static_cast<char>(seed >> 24 & 3 ? seed >> 16 : 0x1B),
                               static_cast<char>('[' + (seed >> 8 & 1))};
        typed_events += static_cast<u32>(keys.feed({bytes, 2}).events.size());
    }
    REQUIRE(typed_events > 0);
}
