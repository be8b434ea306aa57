// Files that are no good snapshot: refused with one line, or harmless; and how a good one gets into its place.
#include "machine/snapshot_fixture.hpp"

using namespace vellum;
using namespace vellum::test;
using Catch::Matchers::Contains;

namespace {

// The first part that the file of a fresh machine has of each kind, for cutting and flipping.
struct Fresh {
    Folder folder;
    std::string file = folder.file("machine");
    std::vector<u8> bytes;
    Fresh() {
        WholeMachine{EngineKind::Interp}.save(file);
        bytes = contents(file);
    }
    std::string refusal_of(std::span<const u8> changed) {
        write(file, changed);
        return refusal(file);
    }
};

// False at the end of the stream.
bool read_one(SnapshotReader& in, u8& byte) {
    try {
        in.get({&byte, 1});
        return true;
    } catch (const UsageError&) {
        return false;
    }
}

// What the stream of a file holds.
std::vector<u8> stream_of(const std::string& file) {
    SnapshotReader in{file};
    std::vector<u8> stream;
    for (u8 byte = 0; read_one(in, byte);) stream.push_back(byte);
    return stream;
}

void write_stream(const std::string& file, std::span<const u8> stream) {
    auto files = make_direct_file_access();
    SnapshotWriter out{*files, file};
    out.put(stream);
    out.commit();
}

}  // namespace

TEST_CASE("snapshot: a file that is cut off anywhere is refused") {
    Fresh fresh;
    REQUIRE(refusal(fresh.file) == "no refusal");
    CHECK_THAT(fresh.refusal_of(std::span{fresh.bytes}.first(0)), Contains("is not a snapshot"));
    std::size_t size = fresh.bytes.size();
    for (std::size_t length : {std::size_t{1}, std::size_t{15}, std::size_t{16}, std::size_t{20}, std::size_t{24},
                               std::size_t{32}, std::size_t{39}, std::size_t{40}, std::size_t{41}, std::size_t{100},
                               size / 3, size / 2, size - 4096, size - 9, size - 8, size - 4, size - 1}) {
        INFO(length << " of " << size << " bytes");
        std::string line = fresh.refusal_of(std::span{fresh.bytes}.first(length));
        CHECK_THAT(line, Contains("is cut off") && Contains(fresh.file) && !Contains("\n"));
    }
}

TEST_CASE("snapshot: a changed bit anywhere is found") {
    Fresh fresh;
    std::mt19937 random{7};
    std::vector<std::size_t> places;
    for (std::size_t at = 0; at < snapshot_header_bytes + 20; ++at) places.push_back(at);
    for (int i = 0; i < 60; ++i) places.push_back(random() % fresh.bytes.size());
    places.push_back(fresh.bytes.size() - 1);
    for (std::size_t at : places) {
        INFO("byte " << at);
        std::vector<u8> changed = fresh.bytes;
        changed[at] ^= static_cast<u8>(1u << random() % 8);
        std::string line = fresh.refusal_of(changed);
        CHECK(line != "no refusal");
        CHECK_THAT(line, Contains(fresh.file) && !Contains("\n"));
    }
}

TEST_CASE("snapshot: foreign, longer and newer files are refused, each in its own words") {
    Fresh fresh;
    auto newer = fresh.bytes;
    newer[16] = snapshot_version + 1;
    CHECK_THAT(fresh.refusal_of(newer), Contains("was written by a newer Vellum"));
    newer[16] = oldest_snapshot_version - 1;
    CHECK_THAT(fresh.refusal_of(newer), Contains("was written by an older Vellum"));
    auto longer = fresh.bytes;
    longer.push_back(0);
    CHECK_THAT(fresh.refusal_of(longer), Contains("is damaged"));
    std::vector<u8> text(1000, 'x');
    CHECK_THAT(fresh.refusal_of(text), Contains("is not a snapshot of Vellum"));
    CHECK_THAT(refusal(fresh.folder.file("none")), Contains("there is no such file"));
    CHECK_THAT(refusal(fresh.folder.file("")), Contains("is no file"));
}

TEST_CASE("snapshot: a file from before the firmware was given ACPI tables is refused for the version of its part") {
    Fresh fresh;
    std::vector<u8> stream = stream_of(fresh.file);
    // The board's section for the chip, and in it the chip's own; its version comes next.
    const std::vector<u8> sections{6, 0, 0, 0, 'f', 'w', '_', 'c', 'f', 'g', 1,   0,
                                   0, 0, 6, 0, 0,   0,   'f', 'w', '_', 'c', 'f', 'g'};
    auto at = std::search(stream.begin(), stream.end(), sections.begin(), sections.end());
    REQUIRE(at != stream.end());
    at[static_cast<std::ptrdiff_t>(sections.size())] = 1;
    write_stream(fresh.file, stream);
    CHECK_THROWS_WITH(WholeMachine::restored(EngineKind::Interp, fresh.file),
                      Contains(fresh.file) && Contains("was written by another Vellum") &&
                          Contains("\"fw_cfg\" has version 1, this one reads 2") && !Contains("\n"));
}

TEST_CASE("snapshot: a host that lacks what the machine's processor had is refused, and one that has more is not") {
    Folder folder;
    std::string file = folder.file("machine");
    MachineConfig config = configuration(EngineKind::Interp);
    for (const HostFeatureName& feature : host_feature_names) {
        config.features = {};
        config.features.*feature.offered = true;
        WholeMachine{config, parts_for(Guest::Firmware, config)}.save(file);
        BoardParts parts = parts_for(file, config);
        Snapshot{file}.check_fits(config, parts);
        CHECK(Snapshot{file}.features() == config.features);
        config.features = {true, true, true};
        Snapshot{file}.check_fits(config, parts);
        config.features.*feature.offered = false;
        CHECK_THROWS_WITH(Snapshot{file}.check_fits(config, parts),
                          Contains(feature.name) && Contains(file) && !Contains("\n"));
    }
}

TEST_CASE("snapshot: what was in the place stays until the new one is whole, and nothing else is left behind") {
    Folder folder;
    auto files = make_direct_file_access();
    std::string file = folder.file("machine");
    WholeMachine{EngineKind::Interp}.save(file);
    std::vector<u8> before = contents(file);
    {
        SnapshotWriter unfinished{*files, file};
        unfinished.put(std::vector<u8>(1 << 20, 7));
        CHECK(contents(file) == before);
    }
    CHECK(contents(file) == before);
    CHECK(folder.count() == 1);
    WholeMachine{EngineKind::Interp}.save(file);
    CHECK(folder.count() == 1);
    CHECK(refusal(file) == "no refusal");
    CHECK_THROWS_AS((SnapshotWriter{*files, folder.file("no folder/machine")}), HostError);
    CHECK_THROWS_AS((SnapshotWriter{*files, "/dev/null"}), HostError);
    write(folder.file("disk"), std::vector<u8>(512, 1));
    CHECK_THROWS_AS((SnapshotWriter{*files, folder.file("disk")}), HostError);
    CHECK(contents(folder.file("disk")) == std::vector<u8>(512, 1));
}

// The checksum keeps accidents out; this is about a file that somebody made.
TEST_CASE("snapshot: no state that a file can hold harms the process") {
    WholeMachine original{EngineKind::Bt, Guest::Demo};
    original.run_for(9'000'000);
    std::vector<u8> good = original.archive();
    std::mt19937 random{11};
    u32 refused = 0;
    for (int i = 0; i < 300; ++i) {
        std::vector<u8> bad = good;
        std::size_t state_bytes = 12'000;  // before the screen memory
        for (u32 n = 1 + random() % 4; n > 0; --n) bad[random() % state_bytes] = static_cast<u8>(random());
        INFO("round " << i);
        WholeMachine machine{random() % 2 ? EngineKind::Bt : EngineKind::Interp};
        Archive archive = Archive::loader(std::move(bad));
        machine.machine.board().serialize(archive);
        machine.machine.engine().state_replaced();
        if (!archive.ok()) {
            ++refused;
            continue;
        }
        for (int slice = 0; slice < 20; ++slice) {
            machine.machine.board().cpu().attention.clear(Attention::Stop);
            if (machine.machine.run_slice(machine.state().instructions + 2000).kind == Machine::Slice::Kind::Ended)
                break;
        }
        machine.machine.board().screenshot();
    }
    CHECK(refused > 0);
    CHECK(refused < 300);
}

TEST_CASE("snapshot: times that no machine reaches are refused, and timers that would fire for ages") {
    struct Times {
        Nanoseconds now, deadline;
        bool good;
    };
    const Times tries[] = {
        {second, 2 * second, true},       {second, end_of_time, true},      {second, end_of_time + 1, false},
        {second, ~Nanoseconds{0}, false}, {end_of_time, end_of_time, true}, {end_of_time + 1, end_of_time, false},
        {~Nanoseconds{0}, 0, false},      {10 * second, 0, true},           {10 * second + 1, 0, false},
    };
    for (Times times : tries) {
        INFO("now " << times.now << ", deadline " << times.deadline);
        Archive file = Archive::saver();
        bool active = true;
        file(times.now, active, times.deadline);
        Scheduler scheduler;
        Timer timer{scheduler, [] {}};
        Archive loader = Archive::loader(file.bytes());
        loader(scheduler, timer);
        CHECK(loader.ok() == times.good);
        CHECK((loader.ok() || scheduler.next_deadline() <= end_of_time || !timer.active()));
    }
}

TEST_CASE("snapshot: reading is given up when the end is wanted") {
    Folder folder;
    std::string file = folder.file("machine");
    WholeMachine run{EngineKind::Interp};
    run.save(file);
    CHECK_THROWS_AS((Snapshot{file, [] { return true; }}), GivenUp);
    int looks = 0;
    Snapshot snapshot{file, [&looks] { return ++looks > 100; }};
    CHECK_THROWS_AS(run.machine.restore(snapshot), GivenUp);
}

TEST_CASE("snapshot: runs of memory that repeat, overlap or descend are refused") {
    Folder folder;
    std::string good = folder.file("good"), bad = folder.file("bad");
    WholeMachine machine{EngineKind::Interp};
    machine.save(good);
    struct Run {
        u64 first, pages;
    };
    const std::pair<std::vector<Run>, bool> tries[] = {
        {{{0, 2}, {2, 1}, {5, 1}}, true}, {{{5, 1}, {5, 1}}, false},    {{{4, 2}, {5, 1}}, false},
        {{{5, 1}, {0, 1}}, false},        {{{0, 1}, {4096, 1}}, false},
    };
    for (const auto& [runs, whole] : tries) {
        SnapshotReader in{good};
        auto files = make_direct_file_access();
        SnapshotWriter out{*files, bad};
        constexpr u64 most = 32 << 20;
        auto copy = [&] {
            std::vector<u8> bytes = in.get_bytes(most);
            out.put_value(u64{bytes.size()});
            out.put(bytes);
        };
        for (int part = 0; part < 3; ++part) copy();  // the machine, and both ROMs
        out.put_value(in.get_value<u8>());            // no direct boot
        copy();                                       // the board
        for (Run run : runs) {
            out.put_value(run.first);
            out.put_value(run.pages);
            out.put(std::vector<u8>(run.pages * page_size));
        }
        out.put_value(u64{0});
        out.put_value(u64{0});
        constexpr u8 no_kept_blocks = 0xFF;
        out.put_value(no_kept_blocks);
        out.commit();
        if (whole)
            CHECK_NOTHROW(machine.restore(bad));
        else
            CHECK_THROWS_AS(machine.restore(bad), UsageError);
    }
}

TEST_CASE("fuzz: a snapshot whose boot plan is larger than memory is refused before it takes so much") {
    Folder folder;
    std::string good = folder.file("good"), bad = folder.file("bad");
    constexpr u64 most = 4 << 20;
    {
        WholeMachine machine{EngineKind::Interp};
        machine.save(good);
    }
    {
        SnapshotReader in{good};
        auto files = make_direct_file_access();
        SnapshotWriter out{*files, bad};
        for (int part = 0; part < 3; ++part) {  // the machine, and both ROMs
            std::vector<u8> bytes = in.get_bytes(most);
            out.put_value(u64{bytes.size()});
            out.put(bytes);
        }
        constexpr u8 boots_directly = 1, items = 2;
        out.put_value(boots_directly);
        out.put(std::vector<u8>(16));  // kind and addresses
        out.put_value(items);
        std::vector<u8> all_of_memory(Snapshot{good}.memory_bytes());
        for (u8 i = 0; i < items; ++i) {
            out.put_value(u32{0});
            out.put_value(u64{all_of_memory.size()});
            out.put(all_of_memory);
        }
        out.commit();
    }
    CHECK_THROWS_WITH(Snapshot{bad}, Contains("too long"));
}
