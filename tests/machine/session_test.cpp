// A machine seen from other threads, and keys on their way to the keyboard.
#include "machine/session.hpp"

#include <catch2/catch.hpp>
#include <future>
#include <thread>

#include "base/host_error.hpp"
#include "machine/host_process.hpp"
#include "machine/time_keeper.hpp"
#include "machine/tiny_machine.hpp"

using namespace vellum;

namespace {

constexpr std::initializer_list<u8> spin_for_ever = {0xEB, 0xFE};

// The session's life in a thread of its own, as in a run.
struct Running {
    TinyMachine tiny;
    std::unique_ptr<FileAccess> files = make_direct_file_access();
    EndWanted end;
    Session session;
    std::future<int> status;
    explicit Running(std::initializer_list<u8> code, ClockKind clock = ClockKind::Host)
        : tiny{code,
               [clock] {
                   MachineConfig config = tiny_config();
                   config.clock = clock;
                   return config;
               }()},
          session{tiny.machine, *files, "interp", clock == ClockKind::Host, end},
          status{std::async(std::launch::async, [this] { return session.run(); })} {}
    ~Running() { session.end(99); }

    // Work on the vCPU thread that has been done when this returns.
    void meet() {
        std::promise<void> met;
        session.post([&met] { met.set_value(); });
        met.get_future().wait();
    }
    void wait_for(GuestState state) {
        while (session.status().state != state) std::this_thread::yield();
    }
};

// Everything the keyboard has to say, read as a guest would.
std::size_t read_keyboard(Board& board) {
    std::size_t count = 0;
    Nanoseconds quiet_since = board.clock().guest_time();
    while (board.clock().guest_time() - quiet_since < 20 * millisecond) {
        board.clock().skip_to(board.clock().guest_time() + 100 * microsecond);
        if (!(board.read_port(0x64, 1) & 1)) continue;
        board.read_port(0x60, 1);
        ++count;
        quiet_since = board.clock().guest_time();
    }
    return count;
}

}  // namespace

TEST_CASE("session: posted work is done in order, in a loop, a halt and a pause") {
    for (bool spinning : {true, false}) {
        for (ClockKind clock : {ClockKind::Host, ClockKind::Instructions}) {
            Running r{spinning ? spin_for_ever : halt_for_ever, clock};
            std::vector<int> done;
            for (int i = 0; i < 10; ++i) r.session.post([&done, i] { done.push_back(i); });
            r.meet();
            CHECK(done == std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
            r.session.pause();
            r.meet();
            r.meet();
            r.session.end(5);
            CHECK(r.status.get() == 5);
            CHECK(r.session.finished());
        }
    }
}

TEST_CASE("session: the first status given is the one") {
    Running r{spin_for_ever};
    r.session.post([&r] {
        r.session.end(3);
        r.session.end(4);
        r.session.request_quit();
    });
    CHECK(r.status.get() == 3);
}

TEST_CASE("session: the end does not wait for posted work, however much there is") {
    Running r{halt_for_ever};
    std::promise<void> begun;
    std::atomic<bool> asked = false;
    std::atomic<int> done = 0;
    r.session.post([&] {
        begun.set_value();
        while (!asked) std::this_thread::yield();
    });
    begun.get_future().wait();
    for (int i = 0; i < 1000; ++i) r.session.post([&done] { ++done; });
    r.session.end(7);
    asked = true;
    CHECK(r.status.get() == 7);
    CHECK(done == 0);
}

TEST_CASE("session: a snapshot that is being written is given up when the end comes, and the one before is whole") {
    TemporaryFolder folder;
    std::string path = folder.file("machine");
    TinyMachine tiny;
    EndWanted end;
    // Asks for the end once the new file has been begun.
    struct EndingAccess final : FileAccess {
        std::unique_ptr<FileAccess> direct = make_direct_file_access();
        EndWanted& end;
        bool ends = false;
        explicit EndingAccess(EndWanted& e) : end{e} {}
        FileGrant ask(FileWish wish, const std::string& name) override {
            if (ends && wish == FileWish::Snapshot) end.ask(143);
            return direct->ask(wish, name);
        }
    } files{end};
    Session session{tiny.machine, files, "interp", false, end};
    session.save(path);
    std::string before = folder.read("machine");
    files.ends = true;
    CHECK_THROWS_AS(session.save(path), GivenUp);
    CHECK(folder.read("machine") == before);
    CHECK(std::distance(std::filesystem::directory_iterator{std::filesystem::path{path}.parent_path()}, {}) == 1);
    session.save(path);  // what the ending itself saves is saved
    CHECK(folder.read("machine") == before);
}

TEST_CASE("session: the end does not wait until all timers have been caught up with") {
    TinyMachine tiny;
    auto files = make_direct_file_access();
    EndWanted end;
    Session session{tiny.machine, *files, "interp", false, end};
    Scheduler& scheduler = tiny.machine.board().scheduler();
    u32 fired = 0;
    Timer timer{scheduler, [&] {
                    if (++fired == 5000) end.ask(143);
                    timer.start_in(10);
                }};
    timer.start_at(10);
    scheduler.advance_to(10'000'000);
    CHECK(fired >= 5000);
    CHECK(fired < 10'000);  // of a million
    CHECK(timer.deadline() <= u64{fired + 1} * 10);
}

TEST_CASE("session: a guest that ends by itself has ended, whoever else asked for it") {
    struct Sink final : ByteSink {
        EndWanted& end;
        explicit Sink(EndWanted& e) : end{e} {}
        void put(std::span<const u8>) override { end.ask(143); }
    };
    EndWanted end;
    MachineConfig config = tiny_config();
    config.debug_exit = true;
    // mov dx,402h; out dx,al; mov dx,F4h; out dx,al
    BoardParts parts = tiny_parts({0xBA, 0x02, 0x04, 0xEE, 0xBA, 0xF4, 0x00, 0xEE});
    parts.debug_console = std::make_unique<Sink>(end);
    Log log;
    Machine machine{config, std::move(parts), log};
    auto files = make_direct_file_access();
    Session session{machine, *files, "", false, end};
    CHECK(session.run() == 143);
    CHECK(session.guest_ended());
}

// mov dx,3F8h; mov al,'A'; out dx,al; inc al; out dx,al; mov dx,F4h; out dx,al
TEST_CASE("session: the last bytes of a line arrive though the guest ends at once") {
    struct Sink final : ByteSink {
        std::string& text;
        explicit Sink(std::string& t) : text{t} {}
        void put(std::span<const u8> bytes) override { text.append(bytes.begin(), bytes.end()); }
    };
    for (EngineKind engine : {EngineKind::Interp, EngineKind::Bt}) {
        std::string text;
        MachineConfig config = tiny_config(engine);
        config.debug_exit = true;
        BoardParts parts = tiny_parts({0xBA, 0xF8, 0x03, 0xB0, 0x41, 0xEE, 0xFE, 0xC0, 0xEE, 0xBA, 0xF4, 0x00, 0xEE});
        parts.serial[0] = std::make_unique<Sink>(text);
        Log log;
        Machine machine{config, std::move(parts), log};
        auto files = make_direct_file_access();
        EndWanted end;
        Session session{machine, *files, "", false, end};
        CHECK(session.run() == exit_status::debug_exit(0x42));
        CHECK(text == "AB");
    }
}

TEST_CASE("machine: somebody looks at the clock though the guest has started no timer and asks for nothing") {
    MachineConfig config = tiny_config();
    config.clock = ClockKind::Host;
    TinyMachine tiny{spin_for_ever, config};  // its host's clock stands at 0: a second later has long been
    std::atomic<bool> too_late = false;
    TimeKeeper rescue{[&] {
        too_late = true;
        tiny.machine.board().cpu().attention.raise(Attention::Stop);
    }};
    tiny.machine.start();
    REQUIRE(tiny.machine.board().scheduler().next_deadline() == ~Nanoseconds{0});
    tiny.machine.board().cpu().attention.clear(Attention::Stop);
    rescue.set(host_monotonic_time() + 20 * second);
    CHECK(tiny.machine.run_slice().kind == Machine::Slice::Kind::Stopped);
    CHECK_FALSE(too_late);
}

TEST_CASE("session: quitting is status 0") {
    Running r{halt_for_ever};
    r.session.request_quit();
    CHECK(r.status.get() == 0);
}

TEST_CASE("session: states are told, and time stands while the machine is paused") {
    Running r{halt_for_ever};
    r.wait_for(GuestState::Idle);
    r.session.pause();
    r.wait_for(GuestState::Paused);
    Nanoseconds then = 0, later = 0;
    r.session.post([&] { then = r.tiny.machine.board().clock().guest_time(); });
    r.meet();
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
    r.session.post([&] { later = r.tiny.machine.board().clock().guest_time(); });
    r.meet();
    CHECK(then == later);
    r.session.resume();
    r.wait_for(GuestState::Idle);
    r.session.end(0);
    r.status.wait();
    CHECK(r.session.status().state == GuestState::Finished);
    CHECK(r.session.status().engine == "interp");
}

TEST_CASE("session: a picture is there for who asks, and only once for each change") {
    Running r{halt_for_ever};
    Picture picture;
    u64 generation = 0;
    while (!r.session.picture(picture, generation)) r.meet();  // the first call asks for it, and may find it already
    CHECK(picture.width > 0);
    u64 seen = generation;
    r.meet();
    CHECK((!r.session.picture(picture, generation) || generation != seen));
}

TEST_CASE("key queue: a long paste reaches a guest that reads slowly, complete") {
    TinyBoard b;
    KeyQueue queue{b.board};
    constexpr std::size_t keys = 1000, bytes_per_key = 3;  // set 2: make, F0 make
    for (std::size_t i = 0; i < keys; ++i) {
        queue.add({0x04, true});
        queue.add({0x04, false});
    }
    CHECK(queue.waiting() > 0);
    CHECK(read_keyboard(b.board) == keys * bytes_per_key);
    CHECK(queue.waiting() == 0);
}

TEST_CASE("key queue: has a bound, and forgets no release") {
    TinyBoard b;
    KeyQueue queue{b.board};
    for (int i = 0; i < 100'000; ++i) {
        queue.add({0x04, true});
        queue.add({0x04, false});
    }
    CHECK(queue.waiting() < 20'000);
    CHECK(read_keyboard(b.board) % 3 == 0);  // as many releases, of two bytes, as presses
    CHECK(queue.waiting() == 0);
}

TEST_CASE("typist: types all keys, and no faster than the guest reads") {
    TinyBoard b;
    Typist typist{b.board};
    std::vector<KeyEvent> events;
    for (int i = 0; i < 300; ++i) events.insert(events.end(), {{0x04, true}, {0x04, false}});
    typist.type(events);
    CHECK(read_keyboard(b.board) == 900);
}
