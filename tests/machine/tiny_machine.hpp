// A board or machine with firmware of a few instructions, for tests of what lies around the processor.
#pragma once

#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <memory>

#include "machine/machine.hpp"

namespace vellum {

// 64 KiB whose reset vector jumps to `code` at F000:0000; the rest is 5Ah up to the vector.
inline Firmware tiny_firmware(std::initializer_list<u8> code) {
    Firmware firmware;
    firmware.bios.assign(0x10000, 0x5A);
    std::copy(code.begin(), code.end(), firmware.bios.begin());
    constexpr u8 jump[5] = {0xEA, 0x00, 0x00, 0x00, 0xF0};
    std::copy(std::begin(jump), std::end(jump), firmware.bios.begin() + 0xFFF0);
    firmware.vga_bios.assign(0x8000, 0);
    return firmware;
}

inline MachineConfig tiny_config(EngineKind engine = EngineKind::Interp) {
    MachineConfig config;
    config.engine = engine;
    config.clock = ClockKind::Instructions;
    config.memory_bytes = u64{16} << 20;
    return config;
}

inline BoardParts tiny_parts(std::initializer_list<u8> code) {
    BoardParts parts;
    parts.firmware = tiny_firmware(code);
    parts.host_time = [] { return Nanoseconds{0}; };
    return parts;
}

constexpr std::initializer_list<u8> halt_for_ever = {0xFA, 0xF4, 0xEB, 0xFD};

struct TinyBoard {
    Log log;
    Board board;
    explicit TinyBoard(MachineConfig config = tiny_config(), BoardParts parts = tiny_parts(halt_for_ever))
        : board{config, std::move(parts), log} {}

    u8 in(u16 port) { return static_cast<u8>(board.read_port(port, 1)); }
    void out(u16 port, u32 value, u8 size = 1) { board.write_port(port, size, value); }
    void pci(u8 device, u8 function, u8 reg, u32 value, u8 size) {
        out(0xCF8, 0x80000000 | u32{device} << 11 | u32{function} << 8 | (reg & 0xFC), 4);
        out(static_cast<u16>(0xCFC + (reg & 3)), value, size);
    }
    u8 peek(u64 address) {
        u8 byte = 0;
        board.memory().read(Physical{address}, {&byte, 1});
        return byte;
    }
    void poke(u64 address, u8 byte) { board.memory().write(Physical{address}, {&byte, 1}); }
    std::vector<u8> saved() {
        Archive archive = Archive::saver();
        board.serialize(archive);
        return archive.bytes();
    }
};

struct TinyMachine {
    Log log;
    Machine machine;
    explicit TinyMachine(std::initializer_list<u8> code = halt_for_ever, MachineConfig config = tiny_config())
        : machine{config, tiny_parts(code), log} {}
};

// A folder that goes again.
class TemporaryFolder {
 public:
    TemporaryFolder() {
        std::string name = std::filesystem::temp_directory_path() / "vellum-test-XXXXXX";
        if (!mkdtemp(name.data())) throw std::runtime_error("no folder for a test");
        path_ = name;
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    std::string file(const std::string& name) const { return path_ / name; }
    std::string write(const std::string& name, const std::string& contents) const {
        std::ofstream{path_ / name, std::ios::binary} << contents;
        return file(name);
    }
    std::string read(const std::string& name) const {
        std::ifstream stream{path_ / name, std::ios::binary};
        return {std::istreambuf_iterator<char>{stream}, {}};
    }

 private:
    std::filesystem::path path_;
};

}  // namespace vellum
