// Perf maps, read back as perf reads them: hexadecimal address, blank, hexadecimal size, blank, name to the line's end.
#include "machine/perf_map.hpp"

#include <catch2/catch.hpp>

#include <sstream>

#include "machine/written_sink.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

struct Line {
    u64 address, size;
    std::string name;
    bool operator==(const Line&) const = default;
};

std::vector<Line> lines_of(const std::string& text) {
    std::vector<Line> lines;
    std::istringstream stream{text};
    for (std::string line; std::getline(stream, line);) {
        std::istringstream fields{line};
        Line read{};
        fields >> std::hex >> read.address >> read.size;
        fields.ignore(1);
        std::getline(fields, read.name);
        lines.push_back(read);
    }
    return lines;
}

const std::vector<u8> code(0x123, 0x90);

struct MapFixture {
    Written written;
    Nanoseconds now = 1000 * second;
    std::unique_ptr<PerfMap> map =
        std::make_unique<PerfMap>(std::make_unique<WrittenSink>(written), [this] { return now; });
    void add(const std::string& name, u64 address, std::size_t size) {
        map->code_added({name, address, std::span{code}.first(size)});
    }
};

}  // namespace

TEST_CASE_METHOD(MapFixture, "perf map: each piece of code has a line with its address, size and name") {
    add("vellum.enter", 0x7F0012345000, 0x7F);
    add("guest.c0101234.r0", 0xFFFFFFFFFFFFF000, 0x123);
    map.reset();
    CHECK(written.bytes == "7f0012345000 7f vellum.enter\nfffffffffffff000 123 guest.c0101234.r0\n");
    CHECK(lines_of(written.bytes) ==
          std::vector<Line>{{0x7F0012345000, 0x7F, "vellum.enter"}, {0xFFFFFFFFFFFFF000, 0x123, "guest.c0101234.r0"}});
}

TEST_CASE_METHOD(MapFixture, "perf map: an address that is used again has a line for each time, in their order") {
    add("guest.00001000.r0", 0x10000, 32);
    add("guest.00002000.r3", 0x10000, 48);
    map.reset();
    CHECK(lines_of(written.bytes) ==
          std::vector<Line>{{0x10000, 32, "guest.00001000.r0"}, {0x10000, 48, "guest.00002000.r3"}});
}

TEST_CASE_METHOD(MapFixture, "perf map: a name longer than what is kept back is written whole") {
    std::string name(3 * DelayedOutput::enough, 'n');
    add(name, 0x10000, 1);
    add("next", 0x20000, 2);
    map.reset();
    CHECK(lines_of(written.bytes) == std::vector<Line>{{0x10000, 1, name}, {0x20000, 2, "next"}});
}

TEST_CASE_METHOD(MapFixture,
                 "perf map: lines reach the file many at a time, whole, and none waits much over a second") {
    add("first", 0x10000, 1);
    int before = written.times;
    for (u64 i = 0; i < 100; ++i) add("early", 0x20000 + i, 1);
    CHECK(written.times == before);
    now += DelayedOutput::longest_delay;
    add("late", 0x30000, 1);
    CHECK(written.times == before + 1);
    CHECK(lines_of(written.bytes).size() == 102);
    constexpr u64 line = sizeof "40000 1 many\n" - 1;
    for (u64 i = 0; i <= DelayedOutput::enough / line; ++i) add("many", 0x40000 + i, 1);
    CHECK(written.times == before + 2);
    CHECK(written.bytes.ends_with("many\n"));
}
