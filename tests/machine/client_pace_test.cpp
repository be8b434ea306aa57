// The guest's share of time beside its clients.
#include "machine/client_pace.hpp"

#include <catch2/catch.hpp>

using namespace vellum;

namespace {
constexpr auto script = ClientPace::Who::Script, debugger = ClientPace::Who::Debugger;
}

TEST_CASE("client pace: one request at a time, and then the guest has as long as it took") {
    ClientPace pace;
    constexpr Nanoseconds start = 5 * second, took = 3 * millisecond;
    CHECK(pace.may_begin(script, start));
    pace.begin(script, start);
    CHECK_FALSE(pace.may_begin(script, start + second));
    pace.end(start + took);
    for (auto who : {script, debugger}) CHECK_FALSE(pace.may_begin(who, start + 2 * took - 1));
    CHECK(pace.may_begin(debugger, start + 2 * took));
    CHECK(pace.may_begin(script, start + 2 * took + ClientPace::shortest_rest));
}

TEST_CASE("client pace: short requests leave the guest some time, and long ones do not keep a person waiting") {
    ClientPace pace;
    pace.begin(script, second);
    pace.end(second);
    CHECK(*pace.next(debugger) == second + ClientPace::shortest_rest);
    pace.begin(script, 2 * second);
    pace.end(60 * second);
    CHECK(*pace.next(debugger) == 60 * second + ClientPace::longest_rest);
}

TEST_CASE("client pace: of a script and a debugger who both ask without end, neither is always behind") {
    ClientPace pace;
    int scripts = 0, debuggers = 0;
    for (Nanoseconds now = second; now < 2 * second; now += 10 * microsecond) {
        for (auto who : {script, debugger}) {
            if (!pace.may_begin(who, now)) continue;
            ++(who == script ? scripts : debuggers);
            pace.begin(who, now);
            pace.end(now + 200 * microsecond);
        }
    }
    CHECK(scripts > 1000);
    CHECK(std::abs(scripts - debuggers) <= 1);
}
