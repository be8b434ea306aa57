// Characters and key names as keys.
#include "frontend/typing.hpp"

#include <catch2/catch.hpp>

#include "fake_machine.hpp"

using namespace vellum;

TEST_CASE("typing: letters, capitals and symbols use the keys of a US keyboard") {
    REQUIRE(written(keys_for_text("a")) == "+04-04");
    REQUIRE(written(keys_for_text("Z")) == "+E1+1D-1D-E1");
    REQUIRE(written(keys_for_text("0 9")) == "+27-27+2C-2C+26-26");
    REQUIRE(written(keys_for_text("|\n")) == "+E1+31-31-E1+28-28");
    REQUIRE(written(keys_for_text("~")) == "+E1+35-35-E1");
}

TEST_CASE("typing: every printable ASCII character has a key of its own with its shift") {
    std::vector<std::string> seen;
    for (char c = ' '; c < 0x7F; ++c) seen.push_back(written(keys_for_text(std::string(1, c))));
    std::sort(seen.begin(), seen.end());
    REQUIRE(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
    REQUIRE(!seen.front().empty());
}

TEST_CASE("typing: control characters hold Ctrl") {
    REQUIRE(written(keys_for_text("\x03")) == "+E0+06-06-E0");
    REQUIRE(written(keys_for_text("\x1C")) == "+E0+31-31-E0");
    REQUIRE(written(keys_for_text("\t\x7F\x1B")) == "+2B-2B+2A-2A+29-29");
}

TEST_CASE("typing: characters without a key are left out") {
    REQUIRE(written(keys_for_text("a\xC3\xA4"
                                  "b")) == "+04-04+05-05");
}

TEST_CASE("typing: named keys are pressed in order and released in reverse") {
    REQUIRE(written(*keys_for_names("ctrl-alt-delete")) == "+E0+E2+4C-4C-E2-E0");
    REQUIRE(written(*keys_for_names("shift-a")) == "+E1+04-04-E1");
    REQUIRE(written(*keys_for_names("ret")) == "+28-28");
    REQUIRE(written(*keys_for_names("f1")) == "+3A-3A");
    REQUIRE(written(*keys_for_names("f12")) == "+45-45");
    REQUIRE(written(*keys_for_names("1")) == "+1E-1E");
}

TEST_CASE("typing: an unknown name gives nothing") {
    for (const char* name : {"", "f13", "f0", "fx", "f1x", "ctrl-", "-", "ctrl--a", "A", "no_such_key", "\x03"})
        REQUIRE_FALSE(keys_for_names(name));
}
