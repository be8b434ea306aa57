// The command line as a table: what each option sets, QEMU's forms of it, and what every wrong usage is told.
#include "machine/command_line.hpp"

#include <catch2/catch.hpp>

#include "base/host_error.hpp"

using namespace vellum;
using Catch::Matchers::Contains;

namespace {

using Words = std::vector<std::string>;

RunConfig parse(const Words& words) { return std::get<RunConfig>(parse_command_line(words)); }

std::string refusal(const Words& words) {
    try {
        parse_command_line(words);
    } catch (const UsageError& trouble) {
        return trouble.what();
    }
    return "no refusal";
}

std::string name_of(Endpoint::Kind kind) {
    switch (kind) {
        case Endpoint::Kind::Null: return "null";
        case Endpoint::Kind::Stdio: return "stdio";
        case Endpoint::Kind::File: return "file";
        case Endpoint::Kind::Unix: return "unix";
    }
    return "?";
}

std::string text_of(const Endpoint& e) { return e.path.empty() ? name_of(e.kind) : name_of(e.kind) + ":" + e.path; }

// Everything a command line can set, as text: two lines mean the same when their texts are equal.
std::string text_of(const RunConfig& c) {
    const MachineConfig& m = c.machine;
    std::string text;
    auto add = [&text](const std::string& name, const std::string& value) {
        if (!value.empty()) text += name + "=" + value + " ";
    };
    add("engine", m.engine == EngineKind::Bt ? "" : m.engine == EngineKind::Interp ? "interp" : "lockstep");
    add("clock", m.clock == ClockKind::Host ? "" : "instructions");
    add("memory", m.memory_bytes == u64{256} << 20 ? "" : std::to_string(m.memory_bytes));
    for (const std::string& name : m.without) add("without", name);
    add("code-cache", m.code_cache_bytes ? std::to_string(*m.code_cache_bytes) : "");
    add("bios", m.bios);
    add("vga-bios", m.vga_bios);
    add("kernel", m.kernel);
    add("initrd", m.initrd);
    add("append", m.append);
    for (int i = 0; i < 4; ++i) add(std::string{"hd"} + "abcd"[i], m.disks[i]);
    add("cdrom", m.cdrom);
    for (int i = 0; i < 2; ++i) add(std::string{"fd"} + "ab"[i], m.floppies[i]);
    add("boot", m.boot_order);
    add("snapshot", m.snapshot ? "yes" : "");
    for (const Endpoint& e : m.serial) add("serial", text_of(e));
    if (m.debug_console) add("debugcon", text_of(*m.debug_console));
    add("debug-exit", m.debug_exit ? "yes" : "");
    add("test-device", m.test_device ? "yes" : "");
    add("reboot", m.reboot ? "" : "no");
    add("count", m.count ? "yes" : "");
    add("embedded", m.embedded_guest ? "yes" : "");
    add("display", c.display == DisplayKind::Auto       ? ""
                   : c.display == DisplayKind::Sdl      ? "sdl"
                   : c.display == DisplayKind::Terminal ? "terminal"
                                                        : "none");
    add("time-limit", c.time_limit == 0 ? "" : std::to_string(c.time_limit));
    add("stats", c.stats);
    if (c.perf) add("perf", c.perf->kind == PerfNames::Kind::Map ? "map" : "jitdump");
    if (c.perf) add("perf-folder", c.perf->folder);
    add("screenshot", c.screenshot);
    add("save", c.save);
    add("restore", c.restore);
    add("log", c.log_topics);
    add("sandbox", c.sandbox ? "" : "no");
    if (c.control) add("control", text_of(*c.control));
    if (c.gdb) add("gdb", c.gdb->port ? std::to_string(c.gdb->port) : c.gdb->path);
    add("start-stopped", c.start_stopped ? "yes" : "");
    if (!text.empty()) text.pop_back();
    return text;
}

struct Meaning {
    Words words;
    std::string text;
};

const Meaning options[] = {
    {{"--engine", "bt"}, ""},
    {{"--engine", "interp"}, "engine=interp"},
    {{"--engine=interp"}, "engine=interp"},
    {{"--engine", "lockstep", "--clock", "instructions"}, "engine=lockstep clock=instructions"},
    {{"--clock", "host"}, ""},
    {{"--clock", "instructions"}, "clock=instructions"},
    {{"-m", "64"}, "memory=67108864"},
    {{"-m", "64M"}, "memory=67108864"},
    {{"-m64M"}, "memory=67108864"},
    {{"-m", "64m"}, "memory=67108864"},
    {{"--memory", "1G"}, "memory=1073741824"},
    {{"--memory", "1"}, "memory=1048576"},
    {{"--memory", "3G"}, "memory=3221225472"},
    {{"--memory", "3072"}, "memory=3221225472"},
    {{"--memory=256M"}, ""},
    {{"--bios", "b"}, "bios=b"},
    {{"--vga-bios", "v"}, "vga-bios=v"},
    {{"--kernel", "k"}, "kernel=k"},
    {{"--kernel", "k", "--initrd", "i"}, "kernel=k initrd=i"},
    {{"--kernel", "k", "--append", "console=ttyS0 quiet"}, "kernel=k append=console=ttyS0 quiet"},
    {{"--hda", "a", "--hdb", "b", "--hdc", "c", "--hdd", "d"}, "hda=a hdb=b hdc=c hdd=d"},
    {{"--cdrom", "c"}, "cdrom=c"},
    {{"--cdrom", "c", "--hdd", "d"}, "hdd=d cdrom=c"},
    {{"--fda", "a", "--fdb", "b"}, "fda=a fdb=b"},
    {{"--boot", "dca"}, "boot=dca"},
    {{"--boot", "d"}, "boot=d"},
    {{"--snapshot"}, "snapshot=yes"},
    {{"--serial", "stdio"}, "serial=stdio"},
    {{"--serial", "null"}, "serial=null"},
    {{"--serial", "file:out"}, "serial=file:out"},
    {{"--serial", "unix:/tmp/s"}, "serial=unix:/tmp/s"},
    {{"--serial", "null", "--serial", "stdio"}, "serial=null serial=stdio"},
    {{"--debugcon", "stdio"}, "debugcon=stdio"},
    {{"--debugcon", "file:out"}, "debugcon=file:out"},
    {{"--display", "sdl"}, "display=sdl"},
    {{"--display", "terminal"}, "display=terminal"},
    {{"--display", "none"}, "display=none"},
    {{"--display", "terminal", "--serial", "null"}, "serial=null display=terminal"},
    {{"--display", "sdl", "--serial", "stdio"}, "serial=stdio display=sdl"},
    {{"--no-reboot"}, "reboot=no"},
    {{"--debug-exit"}, "debug-exit=yes"},
    {{"--test-device"}, "test-device=yes"},
    {{"--without", "regions"}, "without=regions"},
    {{"--without", "chaining,long-blocks"}, "without=chaining without=long-blocks"},
    {{"--code-cache", "8"}, "code-cache=8388608"},
    {{"--code-cache", "1G"}, "code-cache=1073741824"},
    {{"--time-limit", "1.5"}, "time-limit=1.500000"},
    {{"--count"}, "count=yes"},
    {{"--stats", "s.json"}, "stats=s.json"},
    {{"--stats", "-"}, "stats=-"},
    {{"--perf", "map"}, "perf=map"},
    {{"--perf", "jitdump"}, "perf=jitdump"},
    {{"--perf", "jitdump:/tmp/here"}, "perf=jitdump perf-folder=/tmp/here"},
    {{"--perf", "map", "--engine", "lockstep", "--clock", "instructions"},
     "engine=lockstep clock=instructions perf=map"},
    {{"--screenshot", "s.png"}, "screenshot=s.png"},
    {{"--save", "m.snapshot"}, "save=m.snapshot"},
    {{"--restore", "m.snapshot", "--save", "m.snapshot"}, "save=m.snapshot restore=m.snapshot"},
    {{"--log", "cpu,irq"}, "log=cpu,irq"},
    {{"--log", "all"}, "log=all"},
    {{"--no-sandbox"}, "sandbox=no"},
    {{"-no-sandbox"}, "sandbox=no"},
    {{"--control", "unix:/tmp/c"}, "control=unix:/tmp/c"},
    {{"--gdb", "2345"}, "gdb=2345"},
    {{"--gdb", "unix:/tmp/g"}, "gdb=/tmp/g"},
    {{"-s"}, "gdb=1234"},
    {{"-s", "-S"}, "gdb=1234 start-stopped=yes"},
    {{"-S", "--control", "unix:/tmp/c"}, "control=unix:/tmp/c start-stopped=yes"},
};

// With one dash, as people type it for QEMU.
const Meaning habits[] = {
    {{"-m", "512"}, "memory=536870912"},
    {{"-hda", "disk.img"}, "hda=disk.img"},
    {{"-hdb", "disk.img"}, "hdb=disk.img"},
    {{"-hdc", "disk.img"}, "hdc=disk.img"},
    {{"-hdd", "disk.img"}, "hdd=disk.img"},
    {{"-cdrom", "cd.iso"}, "cdrom=cd.iso"},
    {{"-fda", "floppy"}, "fda=floppy"},
    {{"-fdb", "floppy"}, "fdb=floppy"},
    {{"-boot", "d"}, "boot=d"},
    {{"-boot", "order=dc"}, "boot=dc"},
    {{"-kernel", "k"}, "kernel=k"},
    {{"-kernel", "k", "-initrd", "i", "-append", "a=b c"}, "kernel=k initrd=i append=a=b c"},
    {{"-serial", "stdio"}, "serial=stdio"},
    {{"-bios", "b"}, "bios=b"},
    {{"-no-reboot"}, "reboot=no"},
    {{"-snapshot"}, "snapshot=yes"},
    {{"-display", "none"}, "display=none"},
    {{"-debugcon", "stdio"}, "debugcon=stdio"},
    {{"-kernel", "k", "-append", ""}, "kernel=k"},
    {{"-nographic"}, "serial=stdio display=none"},
    {{"-nographic", "-serial", "stdio"}, "serial=stdio display=none"},
    {{"-nographic", "-m", "64"}, "memory=67108864 serial=stdio display=none"},
    {{"--kernel", "k", "--append", "-nographic"}, "kernel=k append=-nographic"},
    {{"-kernel", "k", "-append", "-hda"}, "kernel=k append=-hda"},
};

struct Refusal {
    Words words;
    Words parts;  // of the one line
};

const Refusal wrong_usage[] = {
    {{"--engine", "fast"}, {"--engine fast", "bt, interp or lockstep"}},
    {{"--engine"}, {"--engine"}},
    {{"--engine", "lockstep"}, {"--engine lockstep", "--clock instructions"}},
    {{"--engine", "bt", "--engine", "interp"}, {"--engine"}},
    {{"--clock", "wall"}, {"--clock wall", "host or instructions"}},
    {{"-m", "0"}, {"--memory 0", "1M to 3G"}},
    {{"-m", "4G"}, {"--memory 4G", "1M to 3G"}},
    {{"-m", "3073"}, {"--memory 3073", "1M to 3G"}},
    {{"-m", "999999G"}, {"--memory 999999G", "1M to 3G"}},
    {{"-m", "99999999999999999999"}, {"--memory 9999", "64M, 1G"}},
    {{"-m", "lots"}, {"--memory lots", "64M, 1G"}},
    {{"-m", "-5"}, {"--memory -5", "64M, 1G"}},
    {{"-m", "64K"}, {"--memory 64K", "64M, 1G"}},
    {{"-m", "1.5G"}, {"--memory 1.5G", "64M, 1G"}},
    {{"-m", "M"}, {"--memory M", "64M, 1G"}},
    {{"-m", ""}, {"-m", "empty"}},
    {{"-m"}, {"--memory"}},
    {{"--without", "speed"}, {"--without speed", "--without list"}},
    {{"--without", "regions,,chaining"}, {"--without", "--without list"}},
    {{"--without", "regions,list"}, {"--without list", "no such"}},
    {{"--without", ""}, {"--without", "empty"}},
    {{"--perf", "stat"}, {"--perf stat", "map, jitdump or jitdump:FOLDER"}},
    {{"--perf", "map:/tmp"}, {"--perf map:/tmp", "map, jitdump or jitdump:FOLDER"}},
    {{"--perf", "jitdump:"}, {"--perf jitdump:", "jitdump:FOLDER"}},
    {{"--perf", ""}, {"--perf", "empty"}},
    {{"--perf", "map", "--engine", "interp"}, {"--perf", "--engine interp", "use --engine bt"}},
    {{"--code-cache", "0"}, {"--code-cache 0", "1M to 1G"}},
    {{"--code-cache", "1025"}, {"--code-cache 1025", "1M to 1G"}},
    {{"--code-cache", "big"}, {"--code-cache big", "64M, 1G"}},
    {{"--display", "x11"}, {"--display x11", "sdl, terminal or none"}},
    {{"--display", "terminal", "--serial", "stdio"}, {"--serial stdio", "--display terminal"}},
    {{"--serial", "stdio", "--serial", "stdio"}, {"--serial stdio", "only one"}},
    {{"--serial", "null", "--serial", "null", "--serial", "null"}, {"--serial", "twice"}},
    {{"--serial", "tcp:1"}, {"--serial tcp:1", "stdio, null, file:PATH or unix:PATH"}},
    {{"--serial", "file:"}, {"--serial file:", "file:PATH"}},
    {{"--serial", "unix:"}, {"--serial unix:", "unix:PATH"}},
    {{"--serial", ""}, {"--serial"}},
    {{"--debugcon", "unix:/x"}, {"--debugcon unix:/x", "stdio or file:PATH"}},
    {{"--debugcon", "null"}, {"--debugcon null", "stdio or file:PATH"}},
    {{"--debugcon", "stdio", "--display", "terminal"}, {"--debugcon stdio", "--display terminal"}},
    {{"--control", "stdio"}, {"--control stdio", "unix:PATH"}},
    {{"--control", "/tmp/x"}, {"--control /tmp/x", "unix:PATH"}},
    {{"--gdb", "0"}, {"--gdb 0", "unix:PATH"}},
    {{"--gdb", "65536"}, {"--gdb 65536", "65535"}},
    {{"--gdb", "localhost:1"}, {"--gdb localhost:1", "unix:PATH"}},
    {{"--gdb", "unix:"}, {"--gdb unix:", "unix:PATH"}},
    {{"-s", "--gdb", "7"}, {"-s", "--gdb"}},
    {{"-S"}, {"-S", "--gdb", "--control"}},
    {{"--initrd", "i"}, {"--initrd", "--kernel"}},
    {{"--append", "a"}, {"--append", "--kernel"}},
    {{"--cdrom", "c", "--hdc", "d"}, {"--cdrom", "--hdc"}},
    {{"--boot", "x"}, {"--boot x", "floppy"}},
    {{"--boot", "cc"}, {"--boot cc", "once"}},
    {{"--boot", ""}, {"--boot", "empty"}},
    {{"--boot", "order="}, {"--boot", "at least one"}},
    {{"--hda", ""}, {"--hda", "empty"}},
    {{"-hda", ""}, {"--hda", "empty"}},
    {{"--kernel="}, {"--kernel", "empty"}},
    {{"--time-limit", "-1"}, {"--time-limit", "positive"}},
    {{"--time-limit", "nan"}, {"--time-limit", "positive"}},
    {{"--time-limit", "inf"}, {"--time-limit", "positive"}},
    {{"--time-limit", "soon"}, {"--time-limit", "soon"}},
    {{"--log", "cpu,nonsense"}, {"--log nonsense", "cpu, memory"}},
    {{"--snapshot=maybe"}, {"maybe"}},
    {{"--unknown"}, {"--unknown", "vellum --help"}},
    {{"-x"}, {"-x", "vellum --help"}},
    {{"-hdx", "f"}, {"-hdx", "vellum --help"}},
    {{"-hello"}, {"-hello", "vellum --help"}},
    {{"word"}, {"word", "vellum --help"}},
    {{"--snapshot", "run"}, {"run", "vellum --help"}},
    {{""}, {"vellum --help"}},
    {{"-"}, {"-", "vellum --help"}},
};

}  // namespace

TEST_CASE("command line: each option sets what it names, with and without the word run", "[command_line]") {
    for (const Meaning& meaning : options) {
        INFO(meaning.words.front() << " ... meaning " << meaning.text);
        CHECK(text_of(parse(meaning.words)) == meaning.text);
        Words with_run = meaning.words;
        with_run.insert(with_run.begin(), "run");
        CHECK(text_of(parse(with_run)) == meaning.text);
    }
}

TEST_CASE("command line: QEMU's habits work with one dash, with and without the word run", "[command_line]") {
    for (const Meaning& meaning : habits) {
        INFO(meaning.words.front() << " ... meaning " << meaning.text);
        CHECK(text_of(parse(meaning.words)) == meaning.text);
        Words with_run = meaning.words;
        with_run.insert(with_run.begin(), "run");
        CHECK(text_of(parse(with_run)) == meaning.text);
    }
}

TEST_CASE("command line: wrong usage is answered with one line that names the option and what to do",
          "[command_line]") {
    for (const Refusal& refused : wrong_usage) {
        std::string line;
        for (const std::string& word : refused.words) line += word + " ";
        INFO(line);
        std::string answer = refusal(refused.words);
        CHECK(answer.find('\n') == std::string::npos);
        CHECK(answer != "no refusal");
        for (const std::string& part : refused.parts) CHECK_THAT(answer, Contains(part));
    }
}

TEST_CASE("command line: no option at all starts the embedded guest", "[command_line]") {
    CHECK(text_of(parse({})) == "embedded=yes");
    CHECK(text_of(parse({"run"})) == "embedded=yes");
    CHECK_FALSE(parse({"--snapshot"}).machine.embedded_guest);
}

TEST_CASE("command line: help names every option and every exit status", "[command_line]") {
    for (const Words& words : {Words{"--help"}, Words{"-h"}, Words{"-help"}, Words{"run", "--help"}}) {
        auto parsed = parse_command_line(words);
        REQUIRE(std::holds_alternative<HelpText>(parsed));
        std::string text = std::get<HelpText>(parsed).text;
        for (const Meaning& meaning : options) {
            std::string option = meaning.words.front();
            CHECK_THAT(text, Contains(option.substr(0, option.starts_with("-m") ? 2 : option.find('='))));
        }
        for (const char* part : {"128+n", "time limit", "triple fault"}) CHECK_THAT(text, Contains(part));
    }
}

TEST_CASE("command line: the version is one line", "[command_line]") {
    auto parsed = parse_command_line({"--version"});
    REQUIRE(std::holds_alternative<HelpText>(parsed));
    CHECK_THAT(std::get<HelpText>(parsed).text, Catch::Matchers::Matches("vellum [0-9]+\\.[0-9]+\n"));
}

TEST_CASE("command line: watch names one socket, as --control does or by its path alone", "[command_line]") {
    CHECK(std::get<WatchConfig>(parse_command_line({"watch", "a.sock"})).socket == "a.sock");
    CHECK(std::get<WatchConfig>(parse_command_line({"watch", "unix:a.sock"})).socket == "a.sock");
    for (const Words& words : {Words{"watch"}, Words{"watch", ""}, Words{"watch", "-x"}, Words{"watch", "a", "b"}})
        CHECK_THROWS_AS(parse_command_line(words), UsageError);
}
