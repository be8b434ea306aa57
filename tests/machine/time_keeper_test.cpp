// The keeper of guest timers: it calls back once, and never early.
#include "machine/time_keeper.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <chrono>
#include <thread>

#include "machine/host_process.hpp"

namespace vellum::test {

namespace {
constexpr Nanoseconds millisecond = 1'000'000, hour = 3'600'000'000'000;

struct Calls {
    std::atomic<int> count = 0;
    TimeKeeper keeper{[this] {
        ++count;
        count.notify_all();
    }};
};
}  // namespace

TEST_CASE("time keeper: it calls when the moment has come, once for each") {
    Calls calls;
    for (int i = 0; i < 3; ++i) {
        Nanoseconds moment = host_monotonic_time() + millisecond;
        calls.keeper.set(moment);
        calls.count.wait(i);
        CHECK(host_monotonic_time() >= moment);
        CHECK(calls.count == i + 1);
    }
}

TEST_CASE("time keeper: a moment that has passed is due at once") {
    Calls calls;
    calls.keeper.set(0);
    calls.count.wait(0);
    CHECK(calls.count == 1);
}

TEST_CASE("time keeper: a later moment replaces an earlier one, and never ends it") {
    Calls calls;
    calls.keeper.set(host_monotonic_time() + 20 * millisecond);
    calls.keeper.set(host_monotonic_time() + hour);
    std::this_thread::sleep_for(std::chrono::milliseconds{40});
    CHECK(calls.count == 0);
    calls.keeper.set(host_monotonic_time() + 20 * millisecond);
    calls.keeper.set(TimeKeeper::never);
    std::this_thread::sleep_for(std::chrono::milliseconds{40});
    CHECK(calls.count == 0);
    calls.keeper.set(host_monotonic_time() + millisecond);
    calls.count.wait(0);
    CHECK(calls.count == 1);
}

}  // namespace vellum::test
