// Where time went, from scripted samples; and the table that the live view makes of it.
#include "machine/time_account.hpp"

#include <catch2/catch.hpp>

#include "machine/live_table.hpp"

using namespace vellum;
using Kind = Occupation::Kind;

namespace {

const Occupation::Doing translated{Kind::Translated}, idle{Kind::Idle},
    iretd = Occupation::callout(ZYDIS_MNEMONIC_IRETD), fill = Occupation::fault(Occupation::Fault::WindowFill);

// A fake thread and a fake clock: each step lasts `wall` and uses `cpu` of it.
struct Script {
    TimeAccount account;
    Nanoseconds cpu = 7 * second, wall = 100 * second;
    Script() { account.start(cpu, wall); }
    Script& step(Occupation::Doing doing, Nanoseconds used, Nanoseconds passed) {
        account.sample(doing, cpu += used, wall += passed);
        return *this;
    }
};

TimeUse some_use() {
    TimeUse use;
    use[Kind::Translated] = 0.5;
    use[Kind::Callout] = 0.25;
    use.callouts = {{"iretd", 0.0625}, {"mov", 0.1875}};
    use[Kind::Idle] = 0.25;
    return use;
}

}  // namespace

TEST_CASE("time account: CPU time goes to what was seen when it had been used") {
    Script script;
    script.step(translated, 3 * millisecond, 3 * millisecond).step(iretd, millisecond, millisecond);
    script.step(fill, 2 * millisecond, 2 * millisecond).step(translated, millisecond, millisecond);
    TimeUse use = script.account.use();
    CHECK(use[Kind::Translated] == Approx(0.004));
    CHECK(use[Kind::Callout] == Approx(0.001));
    CHECK(use.callouts.at("iretd") == Approx(0.001));
    CHECK(use.window_faults.at("window_fill") == Approx(0.002));
    CHECK(use.cpu() == Approx(0.007));
}

TEST_CASE("time account: a thread that wants to run and does not is waiting") {
    TimeUse use = Script{}.step(translated, millisecond, 4 * millisecond).account.use();
    CHECK(use[Kind::Translated] == Approx(0.001));
    CHECK(use.waiting == Approx(0.003));
    CHECK(use.all() == Approx(0.004));
}

TEST_CASE("time account: work between two sleeps is counted with what is seen at work next") {
    Script script;
    script.step(idle, 100 * microsecond, millisecond).step(idle, 100 * microsecond, millisecond);
    CHECK(script.account.use()[Kind::Idle] == Approx(0.0018));
    CHECK(script.account.use()[Kind::Other] == Approx(0.0002));  // as long as nobody knows
    script.step(iretd, 100 * microsecond, 100 * microsecond);
    CHECK(script.account.use().callouts.at("iretd") == Approx(0.0003));
    CHECK(script.account.use()[Kind::Other] == 0);
}

TEST_CASE("time account: clocks that are read one after the other make no huge numbers") {
    TimeUse use = Script{}.step(translated, millisecond + 50, millisecond).account.use();
    CHECK(use.waiting == 0);
    CHECK(use.all() == Approx(0.00100005));
}

TEST_CASE("time account: time in which nobody looked is counted nowhere") {
    Script script;
    script.step(translated, millisecond, millisecond);
    script.account.start(script.cpu += second, script.wall += second);
    script.step(translated, millisecond, millisecond);
    CHECK(script.account.use().all() == Approx(0.002));
}

TEST_CASE("time account: the delivery of faults moves from translated code, and no more than was there") {
    TimeUse use = some_use();
    move_delivery(use, 1000, 4 * microsecond);
    CHECK(use[Kind::Translated] == Approx(0.496));
    CHECK(use.window_faults.at("delivery") == Approx(0.004));
    CHECK(use[Kind::WindowFault] == Approx(0.004));
    move_delivery(use, 1'000'000, 4 * microsecond);
    CHECK(use[Kind::Translated] == 0);
    CHECK(use.all() == Approx(some_use().all()));
}

TEST_CASE("live table: shares since the question before, largest first, and rates by the second") {
    LiveMoment before, now;
    before.at = 10 * second;
    before.use = some_use();
    before.of_engine.callouts = {{"iretd", 100}};
    before.instructions = 1'000'000;
    now = before;
    now.at += 2 * second;
    now.use[Kind::Translated] += 1;
    now.use[Kind::Callout] += 0.5;
    now.use.callouts["mov"] += 0.125;
    now.use.callouts["in"] += 0.375;
    now.use[Kind::Idle] += 0.5;
    now.of_engine.callouts = {{"iretd", 300}, {"mov", 1000}};
    now.of_engine.blocks_translated = 50;
    now.of_engine.window_fills = 40;
    now.of_engine.host_faults = 50'000;
    now.instructions = 7'000'000;
    CHECK(live_table("bt", before, now, 5 * microsecond) ==
          "bt: 2.00 s, 1.50 s of them at work\n"
          " 37.5 %  translated\n"
          " 25.0 %  idle\n"
          " 18.8 %  callout in\n"
          " 12.5 %  window fault delivery\n"
          "  6.2 %  callout mov\n"
          "a second: 3.0 million instructions, 25 blocks translated, 20 window fills, 600 callouts (mov 500, iretd "
          "100)\n");
}

TEST_CASE("live table: an engine that translates and counts nothing says what it can") {
    LiveMoment now;
    now.at = second;
    now.use[Kind::Interpreted] = 0.75;
    now.use[Kind::Devices] = 0.25;
    CHECK(live_table("interp", {}, now, 0) ==
          "interp: 1.00 s, 1.00 s of them at work\n"
          " 75.0 %  interpreted\n"
          " 25.0 %  devices\n"
          "a second: 0 blocks translated, 0 window fills, 0 callouts\n");
}
