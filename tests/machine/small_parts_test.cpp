// Guest time, interrupt lines, statistics and the lockstep report: the small parts of a machine.
#include <catch2/catch.hpp>

#include "base/one_line.hpp"
#include "machine/end_wanted.hpp"
#include "machine/guest_clock.hpp"
#include "machine/isa_lines.hpp"
#include "machine/state_differences.hpp"
#include "machine/statistics.hpp"

using namespace vellum;
using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;

TEST_CASE("guest clock: on the host's clock time runs only while the machine does") {
    CpuState state;
    Nanoseconds host = 1000;
    GuestClock clock{ClockKind::Host, state, [&host] { return host; }};
    CHECK(clock.guest_time() == 0);
    host = 2000;
    CHECK(clock.guest_time() == 0);
    clock.start();
    host = 2500;
    CHECK(clock.guest_time() == 500);
    clock.stop();
    clock.stop();
    host = 9000;
    CHECK(clock.guest_time() == 500);
    clock.start();
    host = 9001;
    CHECK(clock.guest_time() == 501);
}

TEST_CASE("guest clock: a process that was stopped for hours goes on a few seconds later") {
    CpuState state;
    Nanoseconds host = 0;
    GuestClock clock{ClockKind::Host, state, [&host] { return host; }};
    clock.start();
    host += second;
    CHECK(clock.guest_time() == second);
    host += 10'000 * second;
    CHECK(clock.guest_time() == second + GuestClock::longest_step);
    host += 5;
    CHECK(clock.guest_time() == second + GuestClock::longest_step + 5);
    clock.stop();
    host += 10'000 * second;
    clock.start();
    host += 7;
    CHECK(clock.guest_time() == second + GuestClock::longest_step + 12);
}

TEST_CASE("end wanted: the first status counts, and is told once") {
    int told = 0;
    EndWanted end{[&told] { ++told; }};
    CHECK_FALSE(end.asked());
    CHECK_FALSE(end.status().has_value());
    CHECK(end.ask(0));
    CHECK_FALSE(end.ask(143));
    CHECK(end.asked());
    CHECK(end.status() == 0);
    CHECK(told == 1);
}

TEST_CASE("one line: control characters of a message are written out") {
    CHECK(one_line("--hda a\nb\r\t\x1b[2J\x7f: no") == "--hda a\\nb\\r\\t\\x1b[2J\\x7f: no");
    CHECK(one_line("\xC3\xA4") == "\xC3\xA4");
}

TEST_CASE("one line: what a terminal obeys or breaks a line at is written out in every form that UTF-8 has for it") {
    CHECK(one_line("\xC2\x9B"
                   "2J") ==
          "\\xc2\\x9b"
          "2J");  // U+009B is ESC [
    CHECK(one_line("a\xE2\x80\xA8"
                   "b") ==
          "a\\xe2\\x80\\xa8"
          "b");  // U+2028 separates lines
    CHECK(one_line("a\x9B"
                   "b\xFF\xC3") ==
          "a\\x9b"
          "b\\xff\\xc3");                                                    // no UTF-8: eight bits alone, cut off
    CHECK(one_line("\xC0\x8A\xE0\x80\x8A") == "\\xc0\\x8a\\xe0\\x80\\x8a");  // a line feed, longer than need be
    CHECK(one_line("\xE2\x82\xAC \xF0\x9F\x92\xBE") == "\xE2\x82\xAC \xF0\x9F\x92\xBE");
}

TEST_CASE("guest clock: an instruction is a nanosecond, and idling skips to a moment") {
    CpuState state;
    GuestClock clock{ClockKind::Instructions, state, {}};
    state.instructions = 100;
    CHECK(clock.guest_time() == 100);
    clock.skip_to(1000);
    CHECK(clock.guest_time() == 1000);
    clock.skip_to(500);  // never backwards
    CHECK(clock.guest_time() == 1000);
    state.instructions = 101;
    CHECK(clock.guest_time() == 1001);
    CHECK(clock.instructions_at(1100) == 200);
    CHECK(clock.instructions_at(5) == 0);
}

TEST_CASE("guest clock: a saved machine goes on at its time, on either clock") {
    CpuState state;
    state.instructions = 700;
    GuestClock saved{ClockKind::Instructions, state, {}};
    saved.skip_to(5000);
    Archive saver = Archive::saver();
    saved.serialize(saver);

    CpuState other;
    GuestClock same{ClockKind::Instructions, other, {}};
    Archive loader = Archive::loader(saver.bytes());
    same.serialize(loader);
    CHECK(same.guest_time() == 5000);

    Nanoseconds host = 123;
    GuestClock hosted{ClockKind::Host, other, [&host] { return host; }};
    Archive again = Archive::loader(saver.bytes());
    hosted.serialize(again);
    CHECK(hosted.guest_time() == 5000);
    hosted.start();
    host = 124;
    CHECK(hosted.guest_time() == 5001);
}

TEST_CASE("isa lines: a line is high while any source pulls it, and only changes are told") {
    std::vector<std::pair<u8, bool>> told;
    IsaLines lines{[&told](u8 line, bool level) { told.emplace_back(line, level); }};
    IrqLine device = lines.line(5), router = lines.line(5, IsaLines::Source::PciRouter);
    device.set(true);
    router.set(true);
    device.set(false);
    CHECK(told == std::vector<std::pair<u8, bool>>{{5, true}});
    router.set(false);
    router.set(false);
    CHECK(told == std::vector<std::pair<u8, bool>>{{5, true}, {5, false}});
    IsaLinesOf hpet{lines, IsaLines::Source::Hpet};
    hpet.set_irq(8, true);
    CHECK(told.back() == std::pair<u8, bool>{8, true});
}

TEST_CASE("statistics: names and shape of the JSON are a contract") {
    RunStatistics s;
    s.engine = "bt";
    s.wall_seconds = 1.5;
    s.peak_pss_bytes = 4096;
    s.of_engine.blocks_translated = 7;
    s.of_engine.interpreted_instructions = 10;
    std::string text = to_json(s);
    CHECK(text.starts_with("{\n  \"engine\": \"bt\",\n  \"wall_seconds\": 1.500000,\n"));
    CHECK(text.ends_with("\"interpreted_instructions\": 10\n}\n"));
    for (const char* part :
         {"\"cpu_seconds\": ", "\"guest_seconds\": ", "\"peak_pss_bytes\": 4096",
          "\"blocks\": {\"translated\": 7, \"invalidated\": 0, \"evicted\": 0, \"moved\": 0}",
          "\"translate_seconds\": ", "\"code_bytes\": ", "\"callouts\": {\"total\": ", "\"by_reason\": {",
          "\"faults\": {\"window_fill\": 0, \"mmio\": 0, \"guest_page_fault\": 0, \"code_write\": 0}"})
        CHECK_THAT(text, Contains(part));
    CHECK_THAT(text, !Contains("\"instructions\"") && !Contains("\"seconds\""));
    s.instructions_total = 100;
    CHECK_THAT(to_json(s), Contains("\"instructions\": {\"total\": 100, \"translated\": 90}"));
    s.instructions_total = 5;  // what was interpreted can be more only by a mistake: never a huge number
    CHECK_THAT(to_json(s), Contains("\"translated\": 0}"));
    s.seconds.emplace();
    (*s.seconds)[Occupation::Kind::Idle] = 0.5;
    s.seconds->callouts["iretd"] = 0.25;
    CHECK_THAT(to_json(s), EndsWith(",\n  \"seconds\": {\"other\": 0.000000, \"translated\": 0.000000, "
                                    "\"dispatch\": 0.000000, \"translation\": 0.000000, \"views\": 0.000000, "
                                    "\"interpreted\": 0.000000, \"callouts\": {\"iretd\": 0.250000}, "
                                    "\"window_faults\": {}, \"interrupts\": 0.000000, \"devices\": 0.000000, "
                                    "\"idle\": 0.500000, \"waiting\": 0.000000}\n}\n"));
}

TEST_CASE("lockstep: equal states have no differences") { CHECK(describe_differences({}, {}).empty()); }

TEST_CASE("lockstep: a difference is shown with both values and a star") {
    CpuState a, b;
    b.reg(Reg::Ecx) = 0x1234;
    CHECK_THAT(describe_differences(a, b), Contains("* ecx") && Contains("0000000000001234") && Contains("  eax"));
    struct Change {
        const char* name;
        void (*make)(CpuState&);
    };
    const Change changes[] = {
        {"eip", [](CpuState& s) { s.eip += 1; }},
        {"eflags", [](CpuState& s) { s.eflags |= eflags::cf; }},
        {"instructions", [](CpuState& s) { s.instructions += 1; }},
        {"ds base", [](CpuState& s) { s.segment(Seg::Ds).base = 16; }},
        {"ss limit", [](CpuState& s) { s.segment(Seg::Ss).limit = 16; }},
        {"cs access", [](CpuState& s) { s.segment(Seg::Cs).access ^= 1; }},
        {"tr", [](CpuState& s) { s.tr.selector = 8; }},
        {"cr2", [](CpuState& s) { s.cr2 = 1; }},
        {"efer", [](CpuState& s) { s.efer = 1; }},
        {"cpl", [](CpuState& s) { s.cpl = 3; }},
        {"activity", [](CpuState& s) { s.activity = Activity::Halted; }},
        {"gdtr", [](CpuState& s) { s.gdtr.limit = 1; }},
        {"idtr", [](CpuState& s) { s.idtr.base = 1; }},
        {"dr7", [](CpuState& s) { s.dr[7] = 1; }},
        {"fpu status", [](CpuState& s) { s.fpu.status = 1; }},
        {"mxcsr", [](CpuState& s) { s.fpu.mxcsr = 1; }},
        {"st3", [](CpuState& s) { s.fpu.st[3][0] = 1; }},
        {"st3 high", [](CpuState& s) { s.fpu.st[3][9] = 1; }},
        {"xmm7+8", [](CpuState& s) { s.fpu.xmm[7][15] = 1; }},
    };
    for (const Change& change : changes) {
        CpuState c;
        change.make(c);
        CHECK_THAT(describe_differences(CpuState{}, c), Contains(std::string{"* "} + change.name));
    }
}

TEST_CASE("lockstep: reserved bytes of x87 registers may differ") {
    CpuState a, b;
    b.fpu.st[2][12] = 0xFF;
    CHECK(describe_differences(a, b).empty());
}
