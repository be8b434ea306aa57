// Runs roms/probes.S: a guest that tries to see addresses of the host and to reach what is not its own.
#include <catch2/catch.hpp>

#include <algorithm>
#include <string>

#include "machine/guest_run.hpp"
#include "roms/embedded.hpp"

using namespace vellum;

namespace {

struct Probes : GuestRun {
    explicit Probes(EngineKind engine) : GuestRun{engine, roms::probes(), ""} { run_until_printed("probes done\n"); }
};

}  // namespace

TEST_CASE("probes: a hostile guest finds nothing of the host's", "[probes]") {
    Probes probes{GENERATE(EngineKind::Interp, EngineKind::Bt)};
    std::string text = probes.printed();
    CHECK(text.substr(text.find("wrong") == std::string::npos ? text.size() : text.find("wrong")) == "");
}

// Host addresses, wherever they came from, would be other ones: the two machines lie at different places of the process.
TEST_CASE("probes: both engines let a hostile guest see the same", "[probes]") {
    Probes interpreted{EngineKind::Interp}, translated{EngineKind::Bt};
    auto a = interpreted.ram(), b = translated.ram();
    auto at = static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin()).first - a.begin());
    INFO("first difference at " << std::hex << at);
    CHECK(at == a.size());
}
