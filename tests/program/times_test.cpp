// Where time goes: in the statistics at the end, on the control socket, and on the screen of `vellum watch`.
#include <catch2/catch.hpp>

#include "program/host_program.hpp"
#include "program/tiny_firmware.hpp"

using namespace vellum::test;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

// The number behind "NAME": in JSON; -1 when there is none.
double number_of(const std::string& json, const std::string& name) {
    auto at = json.find("\"" + name + "\": ");
    return at == std::string::npos ? -1 : std::stod(json.substr(at + name.size() + 4));
}

Words busy_guest(const Scratch& scratch, Words more) {
    scratch.write("bios", TinyFirmware{}.spin().image());
    Words words = {"run", "--bios", "bios", "-m", "1", "--display", "none"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

}  // namespace

TEST_CASE("times: a busy guest's time is in translated code, or with the interpreter", "[program]") {
    const std::string engine = GENERATE("bt", "interp");
    Scratch scratch;
    Ended ended =
        run_vellum(scratch, busy_guest(scratch, {"--engine", engine, "--stats", "stats.json", "--time-limit", "0.3"}));
    CHECK(ended.status == 6);
    CHECK(ended.err == "");  // no system call was refused
    std::string seconds = scratch.read("stats.json");
    seconds.erase(0, seconds.find("\"seconds\""));
    CHECK(number_of(seconds, engine == "bt" ? "translated" : "interpreted") > 0);
    CHECK(number_of(seconds, "translated") + number_of(seconds, "interpreted") < 1);
}

TEST_CASE("times: vellum watch shows a running machine until it ends", "[program]") {
    Scratch scratch;
    Process machine{scratch, vellum_words(busy_guest(scratch, {"--control", "unix:control"})), {}};
    CHECK(control(scratch.file("control"), "times") == "bt: looking from now on; ask again\nok\n");
    Process::Setting setting;
    setting.output = scratch.file("shown");
    Process watch{scratch, vellum_words({"watch", "control"}), setting};
    CHECK(appears(scratch, "shown", " %  translated\n", &watch));
    CHECK(control(scratch.file("control"), "quit") == "ok\n");
    CHECK(machine.wait().err == "");
    CHECK(watch.wait().status == 0);
}

TEST_CASE("times: vellum watch says in one line what it cannot watch", "[program]") {
    Scratch scratch;
    Ended ended = run_vellum(scratch, {"watch", "nobody"});
    CHECK(ended.status == 2);
    CHECK_THAT(ended.err, StartsWith("vellum: watch nobody: ") && Contains("--control"));
    CHECK(run_vellum(scratch, {"watch"}).status == 2);
}
