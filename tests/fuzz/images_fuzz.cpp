// Fuzz target `images`: files that a person names. The first byte says what is made of the others: a kernel and an
// initrd, disk images of any size, a snapshot. Whatever is not refused with one line is then put to work.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "base/host_error.hpp"
#include "board_traffic.hpp"
#include "cpu/interpreter.hpp"
#include "devices/floppy_drive.hpp"
#include "machine/file_access.hpp"
#include "machine/snapshot.hpp"
#include "machine/snapshot_file.hpp"
#include "machine/tiny_machine.hpp"
#include "one_line.hpp"
#include "target.hpp"

using namespace vellum;
using namespace vellum::fuzz;

namespace {

enum class Kind : u8 { Kernel, Disk, SnapshotFile, SnapshotParts, BoardState, ChipStates };
constexpr u8 kinds = 6;

constexpr u64 mebibyte = 1u << 20;

class Files {
 public:
    std::string write(const char* name, std::span<const u8> bytes, u64 size) {
        std::string path = folder_.file(name);
        std::ofstream{path, std::ios::binary}.write(reinterpret_cast<const char*>(bytes.data()),
                                                    static_cast<std::streamsize>(bytes.size()));
        std::filesystem::resize_file(path, size);
        return path;
    }
    std::string write(const char* name, std::span<const u8> bytes) { return write(name, bytes, bytes.size()); }
    std::string path(const char* name) { return folder_.file(name); }

 private:
    TemporaryFolder folder_;
};

Files& files() {
    static Files one;
    return one;
}

BoardParts plain_parts() { return tiny_parts(halt_for_ever); }

MachineConfig plain_config(u64 memory_bytes) {
    MachineConfig config = tiny_config();
    config.memory_bytes = memory_bytes;
    return config;
}

// Some instructions, and then what the input says.
void use(TrafficBoard& traffic, Input& in) {
    constexpr u64 instructions = 300;
    Board& board = traffic.board();
    Interpreter interpreter{board.cpu()};
    board.state().instruction_limit = board.state().instructions + instructions;
    interpreter.run();
    traffic.run(in, chips()[in.byte() % chips().size()]);
    traffic.board().screenshot();
}

// --- kernels: memory in MiB, initrd in KiB, length of the command line, KiB of zeros behind the kernel; the kernel

void check_plan(const BootPlan& plan, u64 memory_bytes) {
    encode(plan);
    for (const BootItem& item : plan.items)
        if (item.address + u64{item.bytes.size()} > memory_bytes) {
            std::fprintf(stderr, "an item at %x of %zx bytes lies outside of memory\n", item.address,
                         item.bytes.size());
            std::abort();
        }
}

void kernel(Input& in) {
    u64 memory_bytes = (in.byte() + 1u) * mebibyte;
    u64 initrd_bytes = in.take<u16>() * u64{1024};
    std::string append(in.take<u16>(), 'a');
    u64 more = in.take<u16>() * u64{1024};
    auto bytes = in.rest();
    std::string path = files().write("kernel", bytes, bytes.size() + more);
    std::string initrd = initrd_bytes ? files().write("initrd", {}, initrd_bytes) : "";
    check_plan(plan_boot(path, initrd, append, memory_bytes), memory_bytes);
}

// --- disks: kind, access, size; the first bytes

void disk(Input& in) {
    constexpr u32 granularity[] = {512, 2048, 1, 1};
    enum : u8 { Hard, Cd, Floppy, FloppyB };
    u8 what = in.byte() & 3, access = in.byte() % 3;
    u64 size = in.take<u64>() & ((u64{1} << 42) - 1);
    auto first = in.bytes(in.byte());
    std::string path = files().write("image", first, size);
    auto image = open_image(path, static_cast<ImageAccess>(access), granularity[what]);
    BoardParts parts = plain_parts();
    if (what == Hard) parts.disks[0] = std::move(image);
    if (what == Cd) parts.cd = std::move(image);
    if (what >= Floppy) {
        if (!floppy_geometry(*image)) return;  // as the command line refuses it
        parts.floppies[what - Floppy] = std::move(image);
    }
    TrafficBoard traffic{plain_config(2 * mebibyte), std::move(parts)};
    use(traffic, in);
    traffic.board().flush_disks();
}

// --- snapshots

struct Sum {
    u64 of(std::span<const u8> header, std::span<const u8> rest) {
        Checksum sum;
        sum.add(rest);
        sum.add(header);
        return sum.value();
    }
};

// A board that loads the snapshot, as the program makes it.
void restore(const std::string& path, Input& in) {
    Snapshot snapshot{path};
    if (snapshot.memory_bytes() % mebibyte) return;  // no machine has that much
    BoardParts parts = plain_parts();
    parts.firmware = snapshot.firmware();
    parts.second_floppy_drive = snapshot.second_floppy_drive();
    MachineConfig config = plain_config(snapshot.memory_bytes());
    snapshot.check_fits(config, parts);
    TrafficBoard traffic{config, std::move(parts)};
    snapshot.load(traffic.board());
    use(traffic, in);
}

// Bit 0: the header is put right.
void snapshot_file(Input& in) {
    u8 how = in.byte();
    auto rest = in.rest();
    std::vector<u8> bytes(rest.begin(), rest.end());
    if (how & 1 && bytes.size() > snapshot_header_bytes) {
        std::memcpy(bytes.data(), "Vellum snapshot\n", 16);
        u64 stored = bytes.size() - snapshot_header_bytes;
        u32 version = snapshot_version, zero = 0;
        std::memcpy(bytes.data() + 16, &version, 4);
        std::memcpy(bytes.data() + 20, &zero, 4);
        std::memcpy(bytes.data() + 24, &stored, 8);
        u64 sum = Sum{}.of(std::span{bytes}.subspan(16, 16), std::span{bytes}.subspan(snapshot_header_bytes));
        std::memcpy(bytes.data() + 32, &sum, 8);
    }
    Input none{nullptr, 0};
    restore(files().write("snapshot", bytes), none);
}

// A good one, taken apart: machine, firmware, board, memory, disks.
using Parts = std::vector<std::vector<u8>>;

Parts take_apart(const std::string& path) {
    SnapshotReader in{path};
    Parts parts(5);
    auto counted = [&in](std::vector<u8>& to, u64 most) {
        std::vector<u8> bytes = in.get_bytes(most);
        Output out;
        out.put(u64{bytes.size()}).bytes(bytes);
        to.insert(to.end(), out.all().begin(), out.all().end());
    };
    counted(parts[0], mebibyte);
    counted(parts[1], 16 * mebibyte);
    counted(parts[1], 16 * mebibyte);
    parts[1].push_back(in.get_value<u8>());
    counted(parts[2], 64 * mebibyte);
    for (;;) {
        u64 first = in.get_value<u64>(), pages = in.get_value<u64>();
        Output out;
        out.put(first).put(pages);
        parts[3].insert(parts[3].end(), out.all().begin(), out.all().end());
        if (pages == 0) break;
        std::vector<u8> bytes(pages * page_size);
        in.get(bytes);
        parts[3].insert(parts[3].end(), bytes.begin(), bytes.end());
    }
    parts[4].push_back(in.get_value<u8>());
    in.expect_end();
    return parts;
}

const Parts& good_parts() {
    static const Parts parts = [] {
        TrafficBoard traffic{plain_config(2 * mebibyte), plain_parts()};
        u8 something = 0xA5;
        traffic.board().memory().write(Physical{0x5000}, {&something, 1});
        std::string path = files().path("good");
        save_snapshot(traffic.board(), *make_direct_file_access(), path);
        return take_apart(path);
    }();
    return parts;
}

struct Change {
    u8 part;
    u32 offset;
    std::vector<u8> bytes;
};

// Changes: how many, and for each the part, the offset (from the end when negative), the length and the bytes.
std::vector<Change> read_changes(Input& in, const Parts& parts) {
    std::vector<Change> changes;
    for (u32 count = in.byte() & 31; count > 0 && !in.empty(); --count) {
        u8 part = in.byte() % 5;
        i32 offset = in.take<i16>();
        auto bytes = in.bytes(in.byte() & 31);
        i64 size = static_cast<i64>(parts[part].size());
        i64 at = offset >= 0 ? offset : size + offset;
        if (at < 0 || at >= size) continue;
        bytes = bytes.first(std::min<std::size_t>(bytes.size(), static_cast<std::size_t>(size - at)));
        changes.push_back({part, static_cast<u32>(at), {bytes.begin(), bytes.end()}});
    }
    return changes;
}

void make_changes(Parts& parts, const std::vector<Change>& changes) {
    for (const Change& change : changes)
        std::copy(change.bytes.begin(), change.bytes.end(), parts[change.part].begin() + change.offset);
}

// A good snapshot with changes, cut off or with more behind it.
void snapshot_parts(Input& in) {
    Parts parts = good_parts();
    make_changes(parts, read_changes(in, parts));
    u8 end = in.byte();
    std::string path = files().path("snapshot");
    {
        auto access = make_direct_file_access();
        SnapshotWriter out{*access, path};
        for (u32 i = 0; i < parts.size(); ++i)
            if (i != (end & 7u)) out.put(parts[i]);
        if (end & 0x80) out.put_value(end);
        out.commit();
    }
    restore(path, in);
}

// Where the chips' states begin in the board's archive: each has its name and a version in front, as Archive::section
// writes them.
std::vector<std::size_t> find_sections(const std::vector<u8>& board) {
    std::vector<std::size_t> starts;
    auto word = [&board](std::size_t at) {
        u32 value = 0;
        std::memcpy(&value, &board[at], sizeof value);
        return value;
    };
    for (std::size_t at = 0; at + 8 < board.size(); ++at) {
        u32 length = word(at);
        if (length < 3 || length > 24 || at + 8 + length > board.size()) continue;
        auto name = board.begin() + static_cast<std::ptrdiff_t>(at + 4);
        bool text = std::all_of(name, name + length, [](u8 c) {
            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == ' ' || c == '_';
        });
        if (text && word(at + 4 + length) < 10) starts.push_back(at + 8 + length);
    }
    starts.push_back(board.size());
    return starts;
}

// Changes inside of the chips' states, in a file whose checksum is right: how many, and for each the chip, the offset
// in its state, the length and the bytes.
void chip_states(Input& in) {
    static const std::vector<std::size_t> starts = find_sections(good_parts()[2]);
    Parts parts = good_parts();
    for (u32 count = in.byte() & 15; count > 0 && !in.empty(); --count) {
        std::size_t chip = in.byte() % (starts.size() - 1);
        std::size_t size = starts[chip + 1] - starts[chip], offset = in.take<u16>() % std::max<std::size_t>(size, 1);
        auto bytes = in.bytes(in.byte() & 15);
        bytes = bytes.first(std::min(bytes.size(), size - std::min(size, offset)));
        std::copy(bytes.begin(), bytes.end(), parts[2].begin() + static_cast<std::ptrdiff_t>(starts[chip] + offset));
    }
    std::string path = files().path("snapshot");
    {
        auto access = make_direct_file_access();
        SnapshotWriter out{*access, path};
        for (const auto& part : parts) out.put(part);
        out.commit();
    }
    restore(path, in);
}

// The state of the board alone, without the file around it; then a board that has loaded it.
void board_state(Input& in) {
    const Parts& parts = good_parts();
    std::vector<u8> bytes(parts[2].begin() + 8, parts[2].end());
    for (const Change& change : read_changes(in, parts))
        for (std::size_t i = 0; i < change.bytes.size() && change.offset + i < bytes.size(); ++i)
            bytes[change.offset + i] = change.bytes[i];
    TrafficBoard traffic{plain_config(2 * mebibyte), plain_parts()};
    Archive load = Archive::loader(std::move(bytes));
    traffic.board().serialize(load);
    if (load.ok() && load.at_end()) use(traffic, in);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
    Input in{data, size};
    try {
        switch (static_cast<Kind>(in.byte() % kinds)) {
            case Kind::Kernel: kernel(in); break;
            case Kind::Disk: disk(in); break;
            case Kind::SnapshotFile: snapshot_file(in); break;
            case Kind::SnapshotParts: snapshot_parts(in); break;
            case Kind::BoardState: board_state(in); break;
            case Kind::ChipStates: chip_states(in); break;
        }
    } catch (const UsageError& refusal) {
        expect_one_line(refusal.what());
    } catch (const HostError& trouble) {
        expect_one_line(trouble.what());
    }
    return 0;
}
