// What is in the stream of a snapshot file, in this order (numbers are little endian, counts come before what they
// count):
//   the machine: memory size, what its processor had of the host's, and each place for a drive with the image in it
//   the firmware: ROMs, and what a direct boot puts where
//   the board's archive (Board::serialize)
//   runs of RAM pages: first page, number of pages, their bytes; a run of no pages ends them. Other pages are zero
//   disk writes kept apart: place, offset, the block; place FFh ends them
#include "machine/snapshot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.hpp"
#include "base/host_error.hpp"
#include "machine/snapshot_file.hpp"

namespace vellum {

namespace {

constexpr u64 most_machine_bytes = 64 * 1024, most_path_bytes = 4096;
constexpr u64 most_board_bytes = u64{64} << 20;  // 16 MiB of it are screen memory
constexpr u64 most_bios_bytes = u64{2} << 20, most_vga_bios_bytes = 64 * 1024, most_boot_items = 16;
constexpr u64 most_memory_bytes = u64{3} << 30;
constexpr u8 no_place = 0xFF;
constexpr const char* inner_damage = "what it holds is not the state of this machine; it is damaged";

// A loaded archive is of this machine: each part knows its layout, and nothing is left over.
void check_state(SnapshotReader& in, const Archive& state) {
    if (auto& part = state.other_version())
        in.refuse(fmt::format(
            "was written by another Vellum (its part \"{}\" has version {}, this one reads {}); use that one",
            part->name, part->stored, part->expected));
    if (!state.ok() || !state.at_end()) in.refuse(inner_damage);
}

void put_bytes(SnapshotWriter& out, std::span<const u8> bytes) {
    out.put_value(u64{bytes.size()});
    out.put(bytes);
}

// --- firmware

void put_firmware(SnapshotWriter& out, const Firmware& firmware) {
    put_bytes(out, firmware.bios);
    put_bytes(out, firmware.vga_bios);
    out.put_value(u8{firmware.boot.has_value()});
    if (!firmware.boot) return;
    const BootPlan& plan = *firmware.boot;
    out.put_value(static_cast<u16>(plan.kind));
    out.put_value(plan.setup_segment);
    for (u32 value : {plan.entry, plan.information_address, plan.map_address}) out.put_value(value);
    out.put_value(static_cast<u8>(plan.items.size()));
    for (const BootItem& item : plan.items) {
        out.put_value(item.address);
        put_bytes(out, item.bytes);
    }
}

BootPlan get_boot_plan(SnapshotReader& in, u64 memory_bytes) {
    BootPlan plan;
    plan.kind = static_cast<BootPlan::Kind>(in.get_value<u16>());
    plan.setup_segment = in.get_value<u16>();
    for (u32* value : {&plan.entry, &plan.information_address, &plan.map_address}) *value = in.get_value<u32>();
    u8 items = in.get_value<u8>();
    if (plan.kind > BootPlan::Kind::Multiboot || items > most_boot_items) in.refuse(inner_damage);
    u64 room = memory_bytes;  // for all of them: they are to lie in memory side by side
    for (u8 i = 0; i < items; ++i) {
        u32 address = in.get_value<u32>();
        plan.items.push_back({address, in.get_bytes(room)});
        room -= plan.items.back().bytes.size();
    }
    return plan;
}

Firmware get_firmware(SnapshotReader& in, u64 memory_bytes) {
    Firmware firmware;
    firmware.bios = in.get_bytes(most_bios_bytes);
    firmware.vga_bios = in.get_bytes(most_vga_bios_bytes);
    if (firmware.bios.empty() || firmware.bios.size() % (64 * 1024) != 0) in.refuse(inner_damage);
    if (in.get_value<u8>()) firmware.boot = get_boot_plan(in, memory_bytes);
    return firmware;
}

// --- memory

bool is_zero(std::span<const u8> page) {
    return std::all_of(page.begin(), page.end(), [](u8 byte) { return byte == 0; });
}

void put_run(SnapshotWriter& out, std::span<const u8> ram, u64 first, u64 end) {
    if (first == end) return;
    out.put_value(first / page_size);
    out.put_value((end - first) / page_size);
    out.put(ram.subspan(first, end - first));
}

void put_ram(SnapshotWriter& out, Board& board) {
    std::span<const u8> ram = board.ram();
    for (auto [first, end] : board.memory().backing().used_ranges()) {
        u64 run = first;
        u64 last = std::min<u64>(end, ram.size());
        u64 at = first;
        for (; at < last; at += page_size) {
            if (!is_zero(ram.subspan(at, page_size))) continue;
            put_run(out, ram, run, at);
            run = at + page_size;
        }
        if (run < last) put_run(out, ram, run, last);
    }
    out.put_value(u64{0});
    out.put_value(u64{0});
}

void get_ram(SnapshotReader& in, Board& board) {
    std::span<u8> ram = board.ram();
    for (auto [first, end] : board.memory().backing().used_ranges())
        if (first < ram.size())
            std::fill(ram.begin() + static_cast<std::ptrdiff_t>(first),
                      ram.begin() + static_cast<std::ptrdiff_t>(std::min<u64>(end, ram.size())), u8{0});
    u64 pages_there = ram.size() / page_size;
    for (u64 behind = 0;;) {  // runs ascend, as they are written: each page comes once at most

        u64 first = in.get_value<u64>(), pages = in.get_value<u64>();
        if (pages == 0) return;
        if (first < behind || first > pages_there || pages > pages_there - first) in.refuse(inner_damage);
        behind = first + pages;
        in.get(ram.subspan(first * page_size, pages * page_size));
    }
}

// --- disk writes kept apart

std::span<u8> kept_part(std::vector<u8>& block, const BlockBackend& image, u64 offset) {
    return std::span{block}.first(std::min<u64>(BlockBackend::kept_block, image.size() - offset));
}

void put_kept_blocks(SnapshotWriter& out, Board& board) {
    DrivePlaces places = board.drives();
    std::vector<u8> block(BlockBackend::kept_block);
    for (u8 i = 0; i < drive_places; ++i) {
        if (!places[i].medium) continue;
        for (u64 offset : places[i].medium->blocks_kept_apart()) {
            auto bytes = kept_part(block, *places[i].medium, offset);
            if (!places[i].medium->read(offset, bytes))
                throw HostError(fmt::format("{}: the image cannot be read", places[i].option));
            out.put_value(i);
            out.put_value(offset);
            out.put(bytes);
        }
    }
    out.put_value(no_place);
}

void get_kept_blocks(SnapshotReader& in, Board& board) {
    DrivePlaces places = board.drives();
    std::vector<u8> block(BlockBackend::kept_block);
    for (std::optional<std::pair<u8, u64>> last;;) {  // these ascend too
        u8 number = in.get_value<u8>();
        if (number == no_place) return;
        u64 offset = in.get_value<u64>();
        BlockBackend* image = number < drive_places ? places[number].medium : nullptr;
        bool good =
            image && image->keeps_writes_apart() && offset < image->size() && offset % BlockBackend::kept_block == 0;
        good &= !last || *last < std::pair{number, offset};
        last = {number, offset};
        if (!good) in.refuse(inner_damage);
        auto bytes = kept_part(block, *image, offset);
        in.get(bytes);
        if (!image->write(offset, bytes))
            throw HostError(fmt::format("{}: the host has no room for its writes; set TMPDIR to a larger folder",
                                        places[number].option));
    }
}

}  // namespace

void Snapshot::serialize(Archive& archive, u64& memory_bytes, HostFeatures& features,
                         std::array<Place, drive_places>& places) {
    archive.section("machine", 2);
    archive(memory_bytes);
    for (const HostFeatureName& feature : host_feature_names) archive(features.*feature.offered);
    for (Place& place : places) {
        archive(place.drive, place.medium, place.size, place.modified, place.kept_blocks);
        std::vector<u8> path(place.path.begin(), place.path.end());
        archive.sequence(path, most_path_bytes);
        place.path.assign(path.begin(), path.end());
    }
}

void save_snapshot(Board& board, FileAccess& files, const std::string& path, Ending ending) {
    u64 memory_bytes = board.ram().size();
    HostFeatures features = board.cpu().features;
    std::array<Snapshot::Place, drive_places> places;
    DrivePlaces drives = board.drives();
    for (std::size_t i = 0; i < drive_places; ++i) {
        places[i].drive = drives[i].drive;
        const BlockBackend* medium = drives[i].medium;
        if (!medium) continue;
        ImageIdentity identity = medium->identity();
        places[i] = {drives[i].drive,
                     true,
                     identity.path.substr(0, most_path_bytes),
                     medium->size(),
                     identity.modified,
                     medium->blocks_kept_apart().size()};
    }
    Archive machine = Archive::saver(), state = Archive::saver();
    Snapshot::serialize(machine, memory_bytes, features, places);
    board.serialize(state);
    if (!state.ok()) throw HostError(fmt::format("{}: this machine is more than 100 years old; nothing saved", path));
    SnapshotWriter out{files, path, std::move(ending)};
    put_bytes(out, machine.bytes());
    put_firmware(out, board.firmware());
    put_bytes(out, state.bytes());
    put_ram(out, board);
    put_kept_blocks(out, board);
    out.commit();
}

Snapshot::Snapshot(const std::string& path, Ending ending) : path_{path}, ending_{std::move(ending)} {
    SnapshotReader in{path, ending_};
    Archive machine = Archive::loader(in.get_bytes(most_machine_bytes));
    serialize(machine, memory_bytes_, features_, places_);
    check_state(in, machine);
    if (memory_bytes_ == 0 || memory_bytes_ % page_size != 0 || memory_bytes_ > most_memory_bytes)
        in.refuse(inner_damage);
    firmware_ = get_firmware(in, memory_bytes_);
}

void Snapshot::check_place(std::size_t number, const DrivePlace& now) const {
    const Place& saved = places_[number];
    auto refuse = [&](const std::string& why) {
        throw UsageError(fmt::format("--restore {}: {} {}", path_, now.option, why));
    };
    std::string name = now.medium ? now.medium->identity().path : "";
    if (saved.medium && !now.medium)
        refuse(fmt::format("is missing; the machine had {} in it ({} bytes)", saved.path, saved.size));
    if (!saved.medium && now.medium) refuse(fmt::format("{}: nothing was there; leave it out", name));
    if (saved.drive != now.drive)  // a disk in the CD drive's place, or not
        refuse(saved.drive ? "is missing; the machine had this drive"
                           : "cannot be there; the machine had a disk instead");
    if (!saved.medium) return;
    if (saved.size != now.medium->size())
        refuse(fmt::format("{}: has {} bytes; the machine had {} with {}", name, now.medium->size(), saved.path,
                           saved.size));
    if (saved.modified != now.medium->identity().modified)
        refuse(fmt::format("{}: has been written since the snapshot; restore needs it as it was", name));
    if (saved.kept_blocks && !now.medium->keeps_writes_apart())
        refuse(
            fmt::format("{}: the snapshot holds writes to it that were made under --snapshot; add --snapshot", name));
}

void Snapshot::check_fits(const MachineConfig& config, const BoardParts& parts) const {
    if (config.memory_bytes != memory_bytes_)
        throw UsageError(fmt::format("--restore {}: the machine has {} MiB of memory; use -m {}M", path_,
                                     memory_bytes_ >> 20, memory_bytes_ >> 20));
    for (const HostFeatureName& feature : host_feature_names)
        if (features_.*feature.offered && !(config.features.*feature.offered))
            throw UsageError(
                fmt::format("--restore {}: the machine has used a processor with {}, which this host lacks; "
                            "use one that has it",
                            path_, feature.name));
    DrivePlaces now = drives_of(parts);
    for (std::size_t i = 0; i < drive_places; ++i) check_place(i, now[i]);
}

void Snapshot::load(Board& board) const {
    check(board.ram().size() == memory_bytes_ && board.firmware() == firmware_,
          "a snapshot is loaded into a board that it fits");
    SnapshotReader in{path_, ending_};
    in.get_bytes(most_machine_bytes);
    get_firmware(in, memory_bytes_);
    Archive state = Archive::loader(in.get_bytes(most_board_bytes));
    board.serialize(state);
    check_state(in, state);
    get_ram(in, board);
    get_kept_blocks(in, board);
    in.expect_end();
}

}  // namespace vellum
