// Runs roms/probes.S: a guest that tries to see addresses of the host and to reach what is not its own.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "machine/guest_run.hpp"
#include "roms/embedded.hpp"

using namespace vellum;

namespace {

struct Probes : GuestRun {
    explicit Probes(EngineKind engine) : GuestRun{engine, roms::probes(), ""} { run_until_printed("probes done\n"); }
};

struct Range {
    u64 begin, end;
};

// What this process has mapped.
std::vector<Range> host_mappings() {
    std::vector<Range> ranges;
    std::ifstream maps{"/proc/self/maps"};
    for (std::string line; std::getline(maps, line);) {
        char* rest = nullptr;
        u64 begin = std::strtoull(line.c_str(), &rest, 16);
        ranges.push_back({begin, std::strtoull(rest + 1, nullptr, 16)});
    }
    return ranges;
}

// How many places in the guest's memory look like an address that means something in this process.
std::vector<u64> host_addresses_in(std::span<const u8> memory) {
    const std::vector<Range> mappings = host_mappings();
    std::vector<u64> found;
    for (std::size_t at = 0; at + 8 <= memory.size(); ++at) {
        u64 value;
        std::memcpy(&value, &memory[at], sizeof value);
        if (value >> 32 == 0 || value >> 47 != 0) continue;
        auto after = std::upper_bound(mappings.begin(), mappings.end(), value,
                                      [](u64 address, const Range& range) { return address < range.end; });
        if (after != mappings.end() && value >= after->begin) found.push_back(at);
    }
    return found;
}

}  // namespace

TEST_CASE("probes: a hostile guest finds nothing of the host's", "[probes]") {
    Probes probes{GENERATE(EngineKind::Interp, EngineKind::Bt)};
    std::string text = probes.printed();
    CHECK(text.substr(text.find("wrong") == std::string::npos ? text.size() : text.find("wrong")) == "");
}

TEST_CASE("probes: both engines let a hostile guest see the same", "[probes]") {
    Probes interpreted{EngineKind::Interp}, translated{EngineKind::Bt};
    auto a = interpreted.ram(), b = translated.ram();
    auto at = static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin()).first - a.begin());
    INFO("first difference at " << std::hex << at);
    CHECK(at == a.size());
}

TEST_CASE("probes: no address of the host's is anywhere in a hostile guest's memory", "[probes]") {
    Probes probes{EngineKind::Bt};
    // Below 1 MiB lies the firmware's stack, whose words (7F82h above something) look like addresses now and then.
    constexpr std::size_t own_memory = 1u << 20;
    CHECK(host_addresses_in(probes.ram().subspan(own_memory)) == std::vector<u64>{});
}

TEST_CASE("probes: an address of the host's in the guest's memory would be found", "[probes]") {
    std::vector<u8> memory(4096, 0);
    const void* address = &memory;
    std::memcpy(&memory[1001], &address, sizeof address);
    CHECK(host_addresses_in(memory) == std::vector<u64>{1001});
}
