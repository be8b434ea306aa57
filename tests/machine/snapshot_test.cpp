// Snapshots: a machine that was saved and restored goes on as the one that was not, on either engine; and what is no
// good snapshot, or does not fit, is refused with one line.
#include "machine/snapshot.hpp"

#include <catch2/catch.hpp>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "base/host_error.hpp"
#include "machine/guest_run.hpp"
#include "machine/snapshot_file.hpp"
#include "machine/state_differences.hpp"
#include "roms/embedded.hpp"

using namespace vellum;
using Catch::Matchers::Contains;

namespace {

// A folder that goes with the test.
class Folder {
 public:
    Folder() {
        std::random_device random;
        do path_ = std::filesystem::temp_directory_path() / ("vellum-snapshot-" + std::to_string(random()));
        while (!std::filesystem::create_directory(path_));
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    std::string file(const std::string& name) const { return (path_ / name).string(); }
    std::size_t count() const {
        return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator{path_}, {}));
    }

 private:
    std::filesystem::path path_;
};

std::vector<u8> contents(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

void write(const std::string& path, std::span<const u8> bytes) {
    std::ofstream file{path, std::ios::binary};
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

enum class Guest { Demo, Firmware };

MachineConfig configuration(EngineKind engine) {
    MachineConfig config;
    config.engine = engine;
    config.clock = ClockKind::Instructions;
    config.memory_bytes = u64{16} << 20;
    return config;
}

BoardParts parts_for(Guest guest, const MachineConfig& config) {
    BoardParts parts;
    parts.firmware = load_firmware(config);
    if (guest == Guest::Demo) parts.firmware.boot = plan_multiboot("guest", roms::demo(), {}, "", config.memory_bytes);
    parts.host_time = [] { return Nanoseconds{0}; };
    return parts;
}

// As a saved machine is made again: with the firmware that it had.
BoardParts parts_for(const std::string& snapshot, const MachineConfig& config) {
    BoardParts parts = parts_for(Guest::Firmware, config);
    parts.firmware = Snapshot{snapshot}.firmware();
    return parts;
}

struct TestMachine {
    explicit TestMachine(EngineKind engine, Guest guest = Guest::Firmware)
        : TestMachine{configuration(engine), parts_for(guest, configuration(engine))} {}
    TestMachine(const MachineConfig& config, BoardParts parts, std::optional<BoardParts> shadow = {})
        : machine{config, std::move(parts), log, std::move(shadow)} {
        machine.start();
    }
    static TestMachine restored(EngineKind engine, const std::string& file) {
        return TestMachine{configuration(engine), file};
    }

    void run_until(u64 instructions) {
        while (state().instructions < instructions) {
            machine.board().cpu().attention.clear(Attention::Stop);
            REQUIRE(machine.run_slice(instructions).kind == Machine::Slice::Kind::Stopped);
        }
    }
    void run_for(u64 instructions) { run_until(state().instructions + instructions); }
    void save(const std::string& path) { save_snapshot(machine.board(), *make_direct_file_access(), path); }
    void restore(const std::string& path) {
        machine.restore(Snapshot{path});
        machine.start();
    }
    CpuState& state() { return machine.board().state(); }
    std::vector<u8> archive() {
        Archive a = Archive::saver();
        machine.board().serialize(a);
        return a.bytes();
    }

    Log log;
    Machine machine;

 private:
    TestMachine(const MachineConfig& config, const std::string& file) : TestMachine{config, parts_for(file, config)} {
        restore(file);
    }
};

void require_equal(TestMachine& a, TestMachine& b) {
    REQUIRE(describe_differences(a.state(), b.state()) == "");
    auto state_a = a.archive(), state_b = b.archive();
    REQUIRE(state_a.size() == state_b.size());
    auto differ = std::mismatch(state_a.begin(), state_a.end(), state_b.begin()).first - state_a.begin();
    INFO("the archives differ from byte " << differ);
    REQUIRE(state_a == state_b);
    auto ram_a = a.machine.board().ram(), ram_b = b.machine.board().ram();
    REQUIRE(std::memcmp(ram_a.data(), ram_b.data(), ram_a.size()) == 0);
}

std::string refusal(const std::string& path) {
    try {
        Snapshot{path};
    } catch (const UsageError& trouble) {
        return trouble.what();
    }
    return "no refusal";
}

}  // namespace

TEST_CASE("snapshot: a restored machine goes on as the one that was saved, on either engine") {
    auto guest = GENERATE(Guest::Firmware, Guest::Demo);
    auto saved_on = GENERATE(EngineKind::Bt, EngineKind::Interp);
    Folder folder;
    std::string file = folder.file("machine");
    u32 seed = 20240607u + static_cast<u32>(guest) * 2 + static_cast<u32>(saved_on);
    INFO("seed " << seed);
    std::mt19937 random{seed};
    TestMachine original{saved_on, guest};
    for (int i = 0; i < 8; ++i) {
        original.run_for(1 + random() % 4'000'000);
        INFO("at instruction " << original.state().instructions);
        original.save(file);
        TestMachine on_bt = TestMachine::restored(EngineKind::Bt, file);
        TestMachine on_interp = TestMachine::restored(EngineKind::Interp, file);
        require_equal(original, on_bt);
        require_equal(original, on_interp);
        u64 later = original.state().instructions + 300'000;
        for (TestMachine* machine : {&original, &on_bt, &on_interp}) machine->run_until(later);
        require_equal(original, on_bt);
        require_equal(original, on_interp);
    }
}

TEST_CASE("snapshot: saving changes nothing") {
    Folder folder;
    TestMachine saved{EngineKind::Bt}, other{EngineKind::Bt};
    for (int i = 0; i < 4; ++i) {
        saved.run_for(1'000'000);
        other.run_for(1'000'000);
        saved.save(folder.file("machine"));
    }
    require_equal(saved, other);
}

TEST_CASE("snapshot: a machine that has run takes the memory of the snapshot, zero pages included") {
    Folder folder;
    TestMachine early{EngineKind::Interp, Guest::Demo}, late{EngineKind::Bt, Guest::Demo};
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
    TestMachine original{EngineKind::Bt, Guest::Demo};
    original.run_for(7'654'321);
    original.save(folder.file("machine"));
    MachineConfig config = configuration(EngineKind::Lockstep);
    std::string file = folder.file("machine");
    TestMachine lockstep{config, parts_for(file, config), parts_for(file, config)};
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
    TestMachine first{config, parts()};
    host += 3 * second;
    first.machine.stop();
    first.save(folder.file("machine"));
    host += 1000 * second;
    TestMachine second_machine{config, parts()};
    second_machine.restore(folder.file("machine"));
    CHECK(second_machine.machine.board().clock().guest_time() == 3 * second);
    host += 1;
    CHECK(second_machine.machine.board().clock().guest_time() == 3 * second + 1);
    TestMachine counting{EngineKind::Interp};
    counting.restore(folder.file("machine"));
    CHECK(counting.machine.board().clock().guest_time() == 3 * second);
    counting.run_for(100'000);
    CHECK(counting.machine.board().clock().guest_time() >= 3 * second + 100'000);
}

namespace {

// The first part that the file of a fresh machine has of each kind, for cutting and flipping.
struct Fresh {
    Folder folder;
    std::string file = folder.file("machine");
    std::vector<u8> bytes;
    Fresh() {
        TestMachine{EngineKind::Interp}.save(file);
        bytes = contents(file);
    }
    std::string refusal_of(std::span<const u8> changed) {
        write(file, changed);
        return refusal(file);
    }
};

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
    newer[16] = snapshot_version - 1;
    CHECK_THAT(fresh.refusal_of(newer), Contains("was written by an older Vellum"));
    auto longer = fresh.bytes;
    longer.push_back(0);
    CHECK_THAT(fresh.refusal_of(longer), Contains("is damaged"));
    std::vector<u8> text(1000, 'x');
    CHECK_THAT(fresh.refusal_of(text), Contains("is not a snapshot of Vellum"));
    CHECK_THAT(refusal(fresh.folder.file("none")), Contains("there is no such file"));
    CHECK_THAT(refusal(fresh.folder.file("")), Contains("is no file"));
}

TEST_CASE("snapshot: what was in the place stays until the new one is whole, and nothing else is left behind") {
    Folder folder;
    auto files = make_direct_file_access();
    std::string file = folder.file("machine");
    TestMachine{EngineKind::Interp}.save(file);
    std::vector<u8> before = contents(file);
    {
        SnapshotWriter unfinished{*files, file};
        unfinished.put(std::vector<u8>(1 << 20, 7));
        CHECK(contents(file) == before);
    }
    CHECK(contents(file) == before);
    CHECK(folder.count() == 1);
    TestMachine{EngineKind::Interp}.save(file);
    CHECK(folder.count() == 1);
    CHECK(refusal(file) == "no refusal");
    CHECK_THROWS_AS((SnapshotWriter{*files, folder.file("no folder/machine")}), HostError);
    CHECK_THROWS_AS((SnapshotWriter{*files, "/dev/null"}), HostError);
    write(folder.file("disk"), std::vector<u8>(512, 1));
    CHECK_THROWS_AS((SnapshotWriter{*files, folder.file("disk")}), HostError);
    CHECK(contents(folder.file("disk")) == std::vector<u8>(512, 1));
}

namespace {

// A machine with a floppy, a disk and a CD, as files in a folder.
struct Drives {
    Folder folder;
    std::string file = folder.file("machine");
    MachineConfig config = configuration(EngineKind::Interp);
    Drives() {
        write(folder.file("disk"), std::vector<u8>(64 * 1024, 1));
        write(folder.file("cd"), std::vector<u8>(64 * 1024, 2));
        write(folder.file("floppy"), std::vector<u8>(1'474'560, 3));
    }
    BoardParts parts(ImageAccess access = ImageAccess::ReadWrite) {
        BoardParts made = parts_for(Guest::Firmware, config);
        made.disks[0] = open_image(folder.file("disk"), access, 512);
        made.cd = open_image(folder.file("cd"), ImageAccess::ReadOnly, 2048);
        made.floppies[0] = open_image(folder.file("floppy"), access, 512);
        return made;
    }
    std::string refusal(const BoardParts& made) {
        try {
            Snapshot{file}.check_fits(config, made);
        } catch (const UsageError& trouble) {
            return trouble.what();
        }
        return "no refusal";
    }
};

}  // namespace

TEST_CASE("snapshot: fits a machine with the same memory and drives only, and says what differs") {
    Drives drives;
    TestMachine{drives.config, drives.parts()}.save(drives.file);
    CHECK(drives.refusal(drives.parts()) == "no refusal");
    CHECK(drives.refusal(drives.parts(ImageAccess::Snapshot)) == "no refusal");

    // An image is locked while it is open, so that each of these machines goes before the next.
    BoardParts parts = drives.parts();
    parts.disks[0] = nullptr;
    CHECK_THAT(drives.refusal(parts), Contains("--hda is missing"));
    parts = {};
    parts = drives.parts();
    parts.cd = nullptr;
    CHECK_THAT(drives.refusal(parts), Contains("--cdrom is missing"));
    parts = {};
    parts = drives.parts();
    parts.floppies[0] = nullptr;
    CHECK_THAT(drives.refusal(parts), Contains("--fda is missing"));
    parts = {};
    parts = drives.parts();
    std::swap(parts.disks[0], parts.disks[1]);
    CHECK_THAT(drives.refusal(parts), Contains("--hda is missing"));
    parts = {};
    parts = drives.parts();
    std::swap(parts.cd, parts.disks[3]);
    CHECK_THAT(drives.refusal(parts), Contains("--hdd") && Contains("leave it out"));
    parts = {};
    write(drives.folder.file("disk"), std::vector<u8>(64 * 1024, 1));
    CHECK_THAT(drives.refusal(drives.parts()), Contains("--hda") && Contains("has been written since"));
    write(drives.folder.file("disk"), std::vector<u8>(128 * 1024, 1));
    CHECK_THAT(drives.refusal(drives.parts()), Contains("--hda") && Contains("has 131072 bytes"));
    drives.config.memory_bytes *= 2;
    CHECK_THAT(drives.refusal(drives.parts()), Contains("use -m 16M"));
}

TEST_CASE("snapshot: disk writes kept apart are in it") {
    Drives drives;
    std::vector<u8> block(512, 0xAB);
    {
        TestMachine machine{drives.config, drives.parts(ImageAccess::Snapshot)};
        REQUIRE(machine.machine.board().drives()[0].medium->write(4096 + 512, block));
        REQUIRE(machine.machine.board().drives()[5].medium->write(1'474'560 - 512, block));
        machine.save(drives.file);
    }
    CHECK_THAT(drives.refusal(drives.parts()), Contains("--hda") && Contains("add --snapshot"));
    TestMachine machine{drives.config, drives.parts(ImageAccess::Snapshot)};
    machine.restore(drives.file);
    std::vector<u8> read(1024);
    REQUIRE(machine.machine.board().drives()[0].medium->read(4096, read));
    CHECK(std::count(read.begin(), read.begin() + 512, 1) == 512);
    CHECK(std::count(read.begin() + 512, read.end(), 0xAB) == 512);
    REQUIRE(machine.machine.board().drives()[5].medium->read(1'474'560 - 1024, read));
    CHECK(std::count(read.begin(), read.begin() + 512, 3) == 512);
    CHECK(std::count(read.begin() + 512, read.end(), 0xAB) == 512);
    CHECK(machine.machine.board().drives()[0].medium->blocks_kept_apart() == std::vector<u64>{4096});
}

TEST_CASE("snapshot: a second floppy drive from which the disk was taken is there again") {
    Drives drives;
    write(drives.folder.file("second"), std::vector<u8>(737'280, 3));
    {
        BoardParts with_second = drives.parts();
        with_second.floppies[1] = open_image(drives.folder.file("second"), ImageAccess::ReadWrite, 512);
        TestMachine machine{drives.config, std::move(with_second)};
        machine.machine.board().change_floppy(1, [] { return nullptr; });
        machine.save(drives.file);
    }
    auto parts = drives.parts();
    parts.second_floppy_drive = Snapshot{drives.file}.second_floppy_drive();
    CHECK(drives.refusal(parts) == "no refusal");
    TestMachine machine{drives.config, std::move(parts)};
    machine.restore(drives.file);
    CHECK(machine.machine.board().drives()[6].drive);
    CHECK(machine.machine.board().drives()[6].medium == nullptr);
}

// The checksum keeps accidents out; this is about a file that somebody made.
TEST_CASE("snapshot: no state that a file can hold harms the process") {
    TestMachine original{EngineKind::Bt, Guest::Demo};
    original.run_for(9'000'000);
    std::vector<u8> good = original.archive();
    std::mt19937 random{11};
    u32 refused = 0;
    for (int i = 0; i < 300; ++i) {
        std::vector<u8> bad = good;
        std::size_t state_bytes = 12'000;  // before the screen memory
        for (u32 n = 1 + random() % 4; n > 0; --n) bad[random() % state_bytes] = static_cast<u8>(random());
        INFO("round " << i);
        TestMachine machine{random() % 2 ? EngineKind::Bt : EngineKind::Interp};
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
        {~Nanoseconds{0}, 0, false},      {3600 * second, 0, true},         {3600 * second + 1, 0, false},
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

TEST_CASE("fuzz: a snapshot whose boot plan is larger than memory is refused before it takes so much") {
    Folder folder;
    std::string good = folder.file("good"), bad = folder.file("bad");
    constexpr u64 most = 4 << 20;
    {
        TestMachine machine{EngineKind::Interp};
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
