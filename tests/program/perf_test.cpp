// --perf: a small guest's first block is found in the file that perf would read, and the machine stays locked in.
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "program/host_program.hpp"
#include "program/tiny_firmware.hpp"

using namespace vellum::test;
using Catch::Matchers::Contains;

namespace {

constexpr unsigned char status = 3;
constexpr int status_of_debug_exit = 7;                 // (3 << 1) | 1
const std::string first_block = "guest.000f0000.real";  // behind the jump at the reset vector

struct Run {
    Scratch scratch;
    int pid = 0;
    Ended ended;

    explicit Run(const std::string& form, Words more = {}) {
        scratch.write("bios", TinyFirmware{}.debug_exit(status).image());
        std::filesystem::create_directory(scratch.file("folder"));
        Words words = {"run", "--bios", "bios", "-m", "1", "--display", "none", "--debug-exit", "--perf", form};
        words.insert(words.end(), more.begin(), more.end());
        Process process{scratch, vellum_words(words), {}};
        pid = process.pid();
        ended = process.wait();
    }
    ~Run() {
        std::error_code ignored;
        std::filesystem::remove(map_file(), ignored);
    }
    std::string map_file() const { return "/tmp/perf-" + std::to_string(pid) + ".map"; }
    std::string dump_name() const { return "jit-" + std::to_string(pid) + ".dump"; }
};

std::string contents(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream{path, std::ios::binary}.rdbuf();
    return text.str();
}

}  // namespace

TEST_CASE("perf: the map has the guest's first block, and what all blocks share", "[program]") {
    Run run{"map"};
    CHECK(run.ended.status == status_of_debug_exit);
    CHECK(run.ended.err == "");  // no system call was refused
    std::string map = contents(run.map_file());
    CHECK_THAT(map, Contains(" " + first_block + "\n"));
    CHECK_THAT(map, Contains(" vellum.enter\n"));
    CHECK_THAT(map, Contains(" guest.fffffff0.real\n"));
}

TEST_CASE("perf: the jitdump lies in the current folder, or in the one that is named", "[program]") {
    Run run{"jitdump"}, in_folder{"jitdump:folder"};
    CHECK(run.ended.status == status_of_debug_exit);
    CHECK(in_folder.ended.status == status_of_debug_exit);
    CHECK(run.ended.err == "");
    CHECK(in_folder.ended.err == "");
    for (const std::string& dump :
         {run.scratch.read(run.dump_name()), in_folder.scratch.read("folder/" + in_folder.dump_name())}) {
        CHECK(dump.starts_with("DTiJ"));
        CHECK_THAT(dump, Contains(first_block + '\0'));
        CHECK_THAT(dump, Contains(std::string{"vellum.enter"} + '\0'));
    }
}

TEST_CASE("perf: both engines of a lockstep run share one translator, whose blocks are named", "[program]") {
    Run run{"jitdump", {"--engine", "lockstep", "--clock", "instructions"}};
    CHECK(run.ended.status == status_of_debug_exit);
    CHECK_THAT(run.scratch.read(run.dump_name()), Contains(first_block + '\0'));
}

TEST_CASE("perf: the jitdump's first page is mapped for execution, by which perf record learns of it", "[program]") {
    Scratch scratch;
    scratch.write("bios", TinyFirmware{}.stand_still().image());
    Process process{scratch,
                    vellum_words({"run", "--bios", "bios", "-m", "1", "--display", "none", "--perf", "jitdump",
                                  "--control", "unix:control"}),
                    {}};
    CHECK(control(scratch.file("control"), "pause") == "ok\n");
    std::string pid = std::to_string(process.pid()), found;
    std::ifstream maps{"/proc/" + pid + "/maps"};
    for (std::string line; std::getline(maps, line);)
        if (line.ends_with("/jit-" + pid + ".dump")) found += line + "\n";
    CHECK_THAT(found, Contains(" r-xp 00000000 "));
    CHECK(control(scratch.file("control"), "quit") == "ok\n");
    CHECK(process.wait().err == "");
}

TEST_CASE("perf: code runs in memory without a file, for which alone perf uses a map", "[program]") {
    Scratch scratch;
    scratch.write("bios", TinyFirmware{}.stand_still().image());
    Process process{
        scratch,
        vellum_words({"run", "--bios", "bios", "-m", "1", "--display", "none", "--control", "unix:control"}),
        {}};
    CHECK(control(scratch.file("control"), "pause") == "ok\n");
    std::ifstream maps{"/proc/" + std::to_string(process.pid()) + "/maps"};
    int shared_code = 0;
    for (std::string line; std::getline(maps, line);)
        shared_code += line.find(" r-xs ") != std::string::npos && line.find(" /dev/zero") != std::string::npos;
    CHECK(shared_code == 1);
    CHECK(control(scratch.file("control"), "quit") == "ok\n");
}
