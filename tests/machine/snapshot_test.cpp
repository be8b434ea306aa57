// Snapshots: a machine that was saved and restored goes on as the one that was not, on either engine.
#include "machine/snapshot_fixture.hpp"

using namespace vellum;
using namespace vellum::test;

TEST_CASE("snapshot: a restored machine goes on as the one that was saved, on either engine", "[long]") {
    auto guest = GENERATE(Guest::Firmware, Guest::Demo);
    auto saved_on = GENERATE(EngineKind::Bt, EngineKind::Interp);
    Folder folder;
    std::string file = folder.file("machine");
    u32 seed = 20240607u + static_cast<u32>(guest) * 2 + static_cast<u32>(saved_on);
    INFO("seed " << seed);
    std::mt19937 random{seed};
    WholeMachine original{saved_on, guest};
    for (int i = 0; i < 8; ++i) {
        original.run_for(1 + random() % 1'500'000);
        INFO("at instruction " << original.state().instructions);
        original.save(file);
        WholeMachine on_bt = WholeMachine::restored(EngineKind::Bt, file);
        WholeMachine on_interp = WholeMachine::restored(EngineKind::Interp, file);
        require_equal(original, on_bt);
        require_equal(original, on_interp);
        u64 later = original.state().instructions + 300'000;
        for (WholeMachine* machine : {&original, &on_bt, &on_interp}) machine->run_until(later);
        require_equal(original, on_bt);
        require_equal(original, on_interp);
    }
}

TEST_CASE("snapshot: saving changes nothing") {
    Folder folder;
    WholeMachine saved{EngineKind::Bt}, other{EngineKind::Bt};
    for (int i = 0; i < 4; ++i) {
        saved.run_for(1'000'000);
        other.run_for(1'000'000);
        saved.save(folder.file("machine"));
    }
    require_equal(saved, other);
}

TEST_CASE("snapshot: a machine that has run takes the memory of the snapshot, zero pages included") {
    Folder folder;
    WholeMachine early{EngineKind::Interp, Guest::Demo}, late{EngineKind::Bt, Guest::Demo};
    early.run_for(1000);
    early.save(folder.file("machine"));
    late.run_for(6'000'000);
    late.restore(folder.file("machine"));
    require_equal(early, late);
    early.run_for(500'000);
    late.run_for(500'000);
    require_equal(early, late);
}

TEST_CASE("snapshot: both machines of a lockstep run take it") {
    Folder folder;
    WholeMachine original{EngineKind::Bt, Guest::Demo};
    original.run_for(7'654'321);
    original.save(folder.file("machine"));
    MachineConfig config = configuration(EngineKind::Lockstep);
    std::string file = folder.file("machine");
    WholeMachine lockstep{config, parts_for(file, config), parts_for(file, config)};
    lockstep.restore(file);
    original.run_for(300'000);
    lockstep.run_for(300'000);
    require_equal(original, lockstep);
}

TEST_CASE("snapshot: the host's clock goes on from the saved time, and can change places with the instruction clock") {
    Folder folder;
    Nanoseconds host = 5 * second;
    MachineConfig config = configuration(EngineKind::Interp);
    config.clock = ClockKind::Host;
    auto parts = [&] {
        BoardParts made = parts_for(Guest::Firmware, config);
        made.host_time = [&host] { return host; };
        return made;
    };
    WholeMachine first{config, parts()};
    host += 3 * second;
    first.machine.stop();
    first.save(folder.file("machine"));
    host += 1000 * second;
    WholeMachine second_machine{config, parts()};
    second_machine.restore(folder.file("machine"));
    CHECK(second_machine.machine.board().clock().guest_time() == 3 * second);
    host += 1;
    CHECK(second_machine.machine.board().clock().guest_time() == 3 * second + 1);
    WholeMachine counting{EngineKind::Interp};
    counting.restore(folder.file("machine"));
    CHECK(counting.machine.board().clock().guest_time() == 3 * second);
    counting.run_for(100'000);
    CHECK(counting.machine.board().clock().guest_time() >= 3 * second + 100'000);
}
