// Snapshots and drives: which machine a snapshot fits, and the disk writes that it holds.
#include "machine/snapshot_fixture.hpp"

using namespace vellum;
using namespace vellum::test;
using Catch::Matchers::Contains;

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
    WholeMachine{drives.config, drives.parts()}.save(drives.file);
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
        WholeMachine machine{drives.config, drives.parts(ImageAccess::Snapshot)};
        REQUIRE(machine.machine.board().drives()[0].medium->write(4096 + 512, block));
        REQUIRE(machine.machine.board().drives()[5].medium->write(1'474'560 - 512, block));
        machine.save(drives.file);
    }
    CHECK_THAT(drives.refusal(drives.parts()), Contains("--hda") && Contains("add --snapshot"));
    WholeMachine machine{drives.config, drives.parts(ImageAccess::Snapshot)};
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
        WholeMachine machine{drives.config, std::move(with_second)};
        machine.machine.board().change_floppy(1, [] { return nullptr; });
        machine.save(drives.file);
    }
    auto parts = drives.parts();
    parts.second_floppy_drive = Snapshot{drives.file}.second_floppy_drive();
    CHECK(drives.refusal(parts) == "no refusal");
    WholeMachine machine{drives.config, std::move(parts)};
    machine.restore(drives.file);
    CHECK(machine.machine.board().drives()[6].drive);
    CHECK(machine.machine.board().drives()[6].medium == nullptr);
}
