// The guest's share of time beside its clients.
#include "machine/client_pace.hpp"

#include <catch2/catch.hpp>

using namespace vellum;

TEST_CASE("client pace: one request at a time, and then the guest has as long as it took") {
    ClientPace pace;
    constexpr Nanoseconds start = 5 * second, took = 3 * millisecond;
    CHECK(pace.may_begin(start));
    pace.begin(start);
    CHECK_FALSE(pace.may_begin(start + second));
    pace.end(start + took);
    CHECK_FALSE(pace.may_begin(start + 2 * took - 1));
    CHECK(pace.may_begin(start + 2 * took));
}

TEST_CASE("client pace: short requests leave the guest some time, and long ones do not keep a person waiting") {
    ClientPace pace;
    pace.begin(second);
    pace.end(second);
    CHECK(*pace.next() == second + ClientPace::shortest_rest);
    pace.begin(2 * second);
    pace.end(60 * second);
    CHECK(*pace.next() == 60 * second + ClientPace::longest_rest);
}
