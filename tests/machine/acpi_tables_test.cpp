// What firmware makes of the ACPI tables that it is given, and that the board is as they say.
#include "machine/acpi_tables.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <map>
#include <numeric>

#include "machine/firmware.hpp"
#include "machine/machine.hpp"

using namespace vellum;

namespace {

u32 word(std::span<const u8> bytes, std::size_t at) {
    u32 value = 0;
    std::memcpy(&value, &bytes[at], 4);
    return value;
}

// Memory after firmware has gone through the loader's script: commands of 128 bytes, files by names of 56.
class Loaded {
 public:
    explicit Loaded(const AcpiFiles& files) : memory_(0x8000) {
        REQUIRE(files.loader.size() % 128 == 0);
        for (std::size_t at = 0; at < files.loader.size(); at += 128)
            run(files, std::span{files.loader}.subspan(at, 128));
    }

    u32 root_pointer() const { return places_.at("etc/acpi/rsdp"); }
    std::span<const u8> at(u32 address) const { return std::span{memory_}.subspan(address); }
    // The table there, header and all.
    std::span<const u8> table(u32 address) const { return at(address).first(word(at(address), 4)); }
    // Where the root table says that the one with this signature is.
    std::span<const u8> table(std::string_view signature) const {
        std::span<const u8> root = table(word(at(root_pointer()), 16));
        for (std::size_t entry = 36; entry < root.size(); entry += 4)
            if (std::memcmp(at(word(root, entry)).data(), signature.data(), 4) == 0) return table(word(root, entry));
        FAIL("no table " << signature);
        return {};
    }

 private:
    enum : u32 { allocate = 1, add_pointer = 2, add_checksum = 3 };
    u32 place_of(std::span<const u8> name) const { return places_.at(reinterpret_cast<const char*>(name.data())); }

    void run(const AcpiFiles& files, std::span<const u8> command) {
        std::span<const u8> name = command.subspan(4);
        switch (word(command, 0)) {
            case allocate: {
                bool root = command[64] == 2;  // below 1 MiB, where the root pointer is looked for
                const std::vector<u8>& file = root ? files.root_pointer : files.tables;
                u32 place = root ? 0x210 : 0x1040;
                REQUIRE(place % word(command, 60) == 0);
                REQUIRE(place + file.size() <= memory_.size());
                places_[reinterpret_cast<const char*>(name.data())] = place;
                std::copy(file.begin(), file.end(), memory_.begin() + place);
                break;
            }
            case add_pointer: {
                u32 at = place_of(name) + word(command, 116);
                u32 value = word(memory_, at) + place_of(command.subspan(60));
                REQUIRE(command[120] == 4);
                std::memcpy(&memory_[at], &value, 4);
                break;
            }
            case add_checksum: {
                u32 place = place_of(name);
                auto first = memory_.begin() + place + word(command, 64);
                u8& sum = memory_[place + word(command, 60)];
                sum = static_cast<u8>(sum - std::accumulate(first, first + word(command, 68), 0u));
                break;
            }
            default: FAIL("command " << word(command, 0));
        }
    }

    std::map<std::string, u32> places_;
    std::vector<u8> memory_;
};

u8 sum_of(std::span<const u8> bytes) { return static_cast<u8>(std::accumulate(bytes.begin(), bytes.end(), 0u)); }

// Switches off as systems do that know the PM block from the tables: SLP_TYP 0 and SLP_EN to PM1a_CNT, then halts.
std::vector<u8> kernel_that_switches_off(u16 control_port) {
    std::vector<u32> header{0x1BADB002, 0x10000, 0u - 0x1BADB002 - 0x10000, 0x100000, 0x100000, 0, 0, 0x100020};
    std::vector<u8> kernel(32);
    std::memcpy(kernel.data(), header.data(), 32);
    for (u8 byte : {0x66, 0xBA, control_port & 0xFF, control_port >> 8, 0x66, 0xB8, 0x00, 0x20, 0x66, 0xEF, 0xFA, 0xF4})
        kernel.push_back(static_cast<u8>(byte));
    return kernel;
}

}  // namespace

TEST_CASE("acpi tables: after the loader's script all sums are right and all pointers lead to tables") {
    Loaded loaded{describe_board(u64{128} << 20)};
    std::span<const u8> root_pointer = loaded.at(loaded.root_pointer()).first(20);
    CHECK(std::memcmp(root_pointer.data(), "RSD PTR ", 8) == 0);
    CHECK(sum_of(root_pointer) == 0);
    CHECK(sum_of(loaded.table(word(root_pointer, 16))) == 0);
    for (const char* signature : {"FACP", "APIC", "HPET"}) {
        INFO(signature);
        CHECK(sum_of(loaded.table(signature)) == 0);
    }
    std::span<const u8> fixed = loaded.table("FACP");
    CHECK(std::memcmp(loaded.at(word(fixed, 36)).data(), "FACS", 4) == 0);
    CHECK(word(fixed, 36) % 64 == 0);
    CHECK(std::memcmp(loaded.at(word(fixed, 40)).data(), "DSDT", 4) == 0);
    CHECK(sum_of(loaded.table(word(fixed, 40))) == 0);
}

TEST_CASE("acpi tables: the fixed description has the ports of the chips and IRQ 9") {
    Loaded loaded{describe_board(u64{128} << 20)};
    std::span<const u8> fixed = loaded.table("FACP");
    CHECK(fixed[46] == 9);
    CHECK(word(fixed, 48) == 0xB2);
    CHECK(fixed[52] == 0xF1);
    CHECK(fixed[53] == 0xF0);
    CHECK(word(fixed, 56) == 0x600);
    CHECK(word(fixed, 64) == 0x604);
    CHECK(word(fixed, 76) == 0x608);
    CHECK(word(fixed, 80) == 0xAFE0);
    CHECK(word(fixed, 120) == 0xCF9);
    CHECK(fixed[128] == 6);
}

TEST_CASE("acpi tables: the window for PCI memory lies between the end of RAM and the I/O APIC") {
    u32 end_of_ram = GENERATE(u32{64} << 20, u32{3} << 30);
    AcpiFiles files = describe_board(end_of_ram);
    std::vector<u8> window{0x87, 23, 0, 0, 0x0C, 1, 0, 0, 0, 0};  // DWordMemory, its granularity 0
    for (u32 value : {end_of_ram, 0xFEBFFFFFu, 0u, 0xFEC00000u - end_of_ram})
        for (u32 i = 0; i < 4; ++i) window.push_back(static_cast<u8>(value >> (8 * i)));
    CHECK(std::search(files.tables.begin(), files.tables.end(), window.begin(), window.end()) != files.tables.end());
}

TEST_CASE("acpi tables: the firmware puts the PM block where they say, and a guest switches off at port 604h") {
    MachineConfig config;
    config.engine = GENERATE(EngineKind::Interp, EngineKind::Bt);
    config.clock = ClockKind::Instructions;
    config.memory_bytes = u64{16} << 20;
    BoardParts parts;
    parts.firmware = load_firmware(config);
    parts.firmware.boot = plan_multiboot("guest", kernel_that_switches_off(0x604), {}, "", config.memory_bytes);
    parts.host_time = [] { return Nanoseconds{0}; };
    Log log;
    Machine machine{config, std::move(parts), log};
    machine.start();
    constexpr u64 most_instructions = 100'000'000;
    constexpr Nanoseconds most_time = 60 * second;
    Machine::Slice slice;
    do {
        machine.board().cpu().attention.clear(Attention::Stop);
        slice = machine.run_slice(machine.board().state().instructions + 1'000'000);
        REQUIRE(machine.board().state().instructions < most_instructions);
        REQUIRE(machine.board().clock().guest_time() < most_time);
    } while (slice.kind == Machine::Slice::Kind::Stopped);
    CHECK(slice.kind == Machine::Slice::Kind::Ended);
}
