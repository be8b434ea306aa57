// Who notes what the vCPU thread does, and how it is asked for.
#include "machine/time_watch.hpp"

#include <catch2/catch.hpp>

#include <thread>

#include "machine/tiny_machine.hpp"

using namespace vellum;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using Kind = Occupation::Kind;

namespace {

constexpr std::initializer_list<u8> spin_for_ever = {0xEB, 0xFE};

void spend(const ThreadClock& clock, Nanoseconds time) {
    for (Nanoseconds end = clock.now() + time; clock.now() < end;) {
    }
}

// Sees what is noted while a chip works.
class Spy final : public ByteSink {
 public:
    explicit Spy(std::vector<Occupation::Doing>& seen) : seen_{seen} {}
    void put(std::span<const u8> bytes) override {
        for (std::size_t i = 0; i < bytes.size(); ++i) seen_.push_back(board->cpu().occupation.doing());
    }
    Board* board = nullptr;

 private:
    std::vector<Occupation::Doing>& seen_;
};

}  // namespace

TEST_CASE("occupation: a chip at work is seen, and what comes after it is something else again") {
    EngineKind engine = GENERATE(EngineKind::Interp, EngineKind::Bt);
    std::vector<Occupation::Doing> seen;
    auto owned = std::make_unique<Spy>(seen);
    Spy& spy = *owned;
    MachineConfig config = tiny_config(engine);
    config.debug_console = Endpoint{};
    BoardParts parts = tiny_parts({0xE6, 0xE9, 0xFA, 0xF4, 0xEB, 0xFD});  // out E9h,al; cli; hlt
    parts.debug_console = std::move(owned);
    Log log;
    Machine machine{config, std::move(parts), log};
    spy.board = &machine.board();
    machine.board().cpu().attention.clear(Attention::Stop);
    machine.run_slice(100);
    CHECK(seen == std::vector<Occupation::Doing>{{Kind::Devices}});
    CHECK(machine.board().cpu().occupation.doing() == Occupation::Doing{Kind::Other});
}

TEST_CASE("occupation: names are those of the statistics") {
    CHECK(name_of(Kind::Other) == "other");
    CHECK(name_of(Kind::Views) == "views");
    CHECK(name_of(Kind::Idle) == "idle");
    CHECK(name_of_detail(Occupation::callout(ZYDIS_MNEMONIC_IRETD)) == "iretd");
    CHECK(name_of_detail(Occupation::callout(Occupation::faulted)) == "fault");
    CHECK(name_of_detail(Occupation::fault(Occupation::Fault::CodeWrite)) == "code_write");
    CHECK(name_of_detail(Occupation::fault(Occupation::Fault::Other)) == "other");
}

TEST_CASE("time sampler: the time of a thread that does one thing is that thing's") {
    Occupation occupation;
    occupation.note(Kind::Translated);
    ThreadClock clock;
    TimeSampler sampler{occupation, TimeSampler::for_ever};
    spend(clock, 50 * millisecond);
    sampler.stop();
    TimeUse use = sampler.use();
    CHECK(use[Kind::Translated] > 0);
    CHECK(use.cpu() == use[Kind::Translated]);
}

TEST_CASE("time sampler: it stops looking when its time is over, and says so when it is wanted again") {
    Occupation occupation;
    TimeSampler sampler{occupation, 0};
    while (sampler.want(0)) std::this_thread::yield();
    sampler.want(TimeSampler::for_ever);
    CHECK(sampler.want(0));
}

TEST_CASE("time watch: the first question begins, each one after it tells of the time since the last") {
    EngineKind engine = GENERATE(EngineKind::Interp, EngineKind::Bt);
    MachineConfig config = tiny_config(engine);
    TinyMachine tiny{spin_for_ever, config};
    TimeWatch watch{tiny.machine, "it", {.always = false, .counted = true}};
    CHECK(watch.live() == "it: looking from now on; ask again\n");
    for (int i = 0; i < 2; ++i) {
        ThreadClock clock;
        Board& board = tiny.machine.board();
        board.cpu().attention.clear(Attention::Stop);
        for (Nanoseconds end = clock.now() + 50 * millisecond; clock.now() < end;)
            tiny.machine.run_slice(board.state().instructions + 1'000'000);
        std::string answer = watch.live();
        CHECK_THAT(answer, StartsWith("it: 0."));
        CHECK_THAT(answer, Contains(engine == EngineKind::Bt ? " %  translated\n" : " %  interpreted\n"));
        CHECK_THAT(answer, Contains("million instructions"));
    }
    CHECK_FALSE(watch.use().has_value());  // only part of the run was looked at
    watch.end();
}

TEST_CASE("time watch: statistics are told of the whole run when that was asked for") {
    TinyMachine tiny{spin_for_ever};
    TimeWatch watch{tiny.machine, "interp", {.always = true, .counted = true}};
    watch.begin();
    CHECK(watch.use().has_value());
    watch.end();
    CHECK(watch.use().has_value());
}

TEST_CASE("time sampler: it looks 1,000 times a second, or as often as a hundredth of a processor allows") {
    struct Case {
        Nanoseconds cost, average;
    };
    const Case c = GENERATE(Case{2 * microsecond, millisecond}, Case{50 * microsecond, 5 * millisecond},
                            Case{2 * millisecond, 10 * millisecond});
    SamplingPace pace;
    constexpr Nanoseconds settling = 200, rounds = 5000;
    Nanoseconds used = 0, sum = 0;
    for (u64 i = 0; i < settling; ++i) pace.next_pause(used += c.cost);
    for (u64 i = 0; i < rounds; ++i) {
        Nanoseconds pause = pace.next_pause(used += c.cost);
        CHECK((pause >= c.average / 2 - microsecond && pause <= c.average * 3 / 2));
        sum += pause;
    }
    CHECK(static_cast<double>(sum) / rounds == Approx(static_cast<double>(c.average)).epsilon(0.02));
}
