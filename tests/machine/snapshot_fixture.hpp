// Whole machines that are saved and restored, and the files that they are saved in.
#pragma once

#include <catch2/catch.hpp>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "base/host_error.hpp"
#include "machine/guest_run.hpp"
#include "machine/snapshot.hpp"
#include "machine/snapshot_file.hpp"
#include "machine/state_differences.hpp"
#include "roms/embedded.hpp"

namespace vellum::test {

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

inline std::vector<u8> contents(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

inline void write(const std::string& path, std::span<const u8> bytes) {
    std::ofstream file{path, std::ios::binary};
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

enum class Guest { Demo, Firmware };

inline MachineConfig configuration(EngineKind engine) {
    MachineConfig config;
    config.engine = engine;
    config.clock = ClockKind::Instructions;
    config.memory_bytes = u64{16} << 20;
    return config;
}

inline BoardParts parts_for(Guest guest, const MachineConfig& config) {
    BoardParts parts;
    parts.firmware = load_firmware(config);
    if (guest == Guest::Demo) parts.firmware.boot = plan_multiboot("guest", roms::demo(), {}, "", config.memory_bytes);
    parts.host_time = [] { return Nanoseconds{0}; };
    return parts;
}

// As a saved machine is made again: with the firmware that it had.
inline BoardParts parts_for(const std::string& snapshot, const MachineConfig& config) {
    BoardParts parts = parts_for(Guest::Firmware, config);
    parts.firmware = Snapshot{snapshot}.firmware();
    return parts;
}

struct WholeMachine {
    explicit WholeMachine(EngineKind engine, Guest guest = Guest::Firmware)
        : WholeMachine{configuration(engine), parts_for(guest, configuration(engine))} {}
    WholeMachine(const MachineConfig& config, BoardParts parts, std::optional<BoardParts> shadow = {})
        : machine{config, std::move(parts), log, std::move(shadow)} {
        machine.start();
    }
    static WholeMachine restored(EngineKind engine, const std::string& file) {
        return WholeMachine{configuration(engine), file};
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
    WholeMachine(const MachineConfig& config, const std::string& file) : WholeMachine{config, parts_for(file, config)} {
        restore(file);
    }
};

inline void require_equal(WholeMachine& a, WholeMachine& b) {
    REQUIRE(describe_differences(a.state(), b.state()) == "");
    auto state_a = a.archive(), state_b = b.archive();
    REQUIRE(state_a.size() == state_b.size());
    if (state_a != state_b) {
        auto differ = std::mismatch(state_a.begin(), state_a.end(), state_b.begin()).first - state_a.begin();
        FAIL("the archives differ from byte " << differ);
    }
    auto ram_a = a.machine.board().ram(), ram_b = b.machine.board().ram();
    REQUIRE(std::memcmp(ram_a.data(), ram_b.data(), ram_a.size()) == 0);
}

inline std::string refusal(const std::string& path) {
    try {
        Snapshot{path};
    } catch (const UsageError& trouble) {
        return trouble.what();
    }
    return "no refusal";
}

}  // namespace vellum::test
