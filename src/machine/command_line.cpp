// Words to RunConfig, with CLI11.
#include "machine/command_line.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cmath>

#include "base/host_error.hpp"
#include "base/log.hpp"

namespace vellum {

namespace {

constexpr u64 mebibyte = u64{1} << 20;
constexpr u64 least_memory = mebibyte, most_memory = 3072 * mebibyte;

// Long options that people type with one dash.
constexpr std::array qemu_words = {"-hda",    "-hdb",       "-hdc",      "-hdd",    "-cdrom",
                                   "-fda",    "-fdb",       "-boot",     "-kernel", "-initrd",
                                   "-append", "-no-reboot", "-snapshot", "-serial", "-bios"};

std::vector<std::string> with_two_dashes(const std::vector<std::string>& words) {
    std::vector<std::string> result;
    for (const std::string& word : words) {
        if (word == "-nographic" || word == "--nographic") {
            result.insert(result.end(), {"--display", "none", "--serial", "stdio"});
        } else if (std::find(qemu_words.begin(), qemu_words.end(), word) != qemu_words.end()) {
            result.push_back("-" + word);
        } else {
            result.push_back(word);
        }
    }
    return result;
}

EngineKind parse_engine(const std::string& text) {
    if (text == "bt") return EngineKind::Bt;
    if (text == "interp") return EngineKind::Interp;
    if (text == "lockstep") return EngineKind::Lockstep;
    throw UsageError(fmt::format("--engine {}: unknown engine; use bt, interp or lockstep", text));
}

DisplayKind parse_display(const std::string& text) {
    if (text == "sdl") return DisplayKind::Sdl;
    if (text == "terminal") return DisplayKind::Terminal;
    if (text == "none") return DisplayKind::None;
    throw UsageError(fmt::format("--display {}: unknown display; use sdl, terminal or none", text));
}

ClockKind parse_clock(const std::string& text) {
    if (text == "host") return ClockKind::Host;
    if (text == "instructions") return ClockKind::Instructions;
    throw UsageError(fmt::format("--clock {}: unknown clock; use host or instructions", text));
}

std::string parse_boot_order(const std::string& text) {
    std::string seen;
    for (char c : text) {
        if (std::string_view{"acd"}.find(c) == std::string_view::npos || seen.find(c) != std::string::npos)
            throw UsageError(fmt::format("--boot {}: give each of a (floppy), c (disk), d (CD) at most once", text));
        seen += c;
    }
    if (seen.empty()) throw UsageError("--boot: name at least one of a (floppy), c (disk), d (CD)");
    return seen;
}

// What the words say, before it is checked.
struct RawOptions {
    std::string engine = "bt", memory = "256", clock = "host", display, boot, control, debug_console;
    std::vector<std::string> serial;
    double time_limit = 0;
};

void declare(CLI::App& app, RunConfig& config, RawOptions& raw) {
    MachineConfig& m = config.machine;
    app.add_option("--engine", raw.engine, "bt (translate), interp, or lockstep (both, compared)")->type_name("NAME");
    app.add_option("-m,--memory", raw.memory, "guest memory: 64M, 1G; MiB without a suffix; 1M to 3G")
        ->type_name("SIZE");
    app.add_option("--bios", m.bios, "system firmware (default: SeaBIOS)")->type_name("FILE");
    app.add_option("--vga-bios", m.vga_bios, "video firmware (default: SeaBIOS's)")->type_name("FILE");
    app.add_option("--kernel", m.kernel, "Linux or Multiboot kernel to boot directly")->type_name("FILE");
    app.add_option("--initrd", m.initrd, "initial RAM disk for --kernel")->type_name("FILE");
    app.add_option("--append", m.append, "command line for --kernel")->type_name("TEXT");
    constexpr std::array names = {"--hda", "--hdb", "--hdc", "--hdd"};
    for (std::size_t i = 0; i < names.size(); ++i)
        app.add_option(names[i], m.disks[i], "raw disk image")->type_name("FILE");
    app.add_option("--cdrom", m.cdrom, "CD image (ISO 9660)")->type_name("FILE");
    app.add_option("--fda", m.floppies[0], "floppy image")->type_name("FILE");
    app.add_option("--fdb", m.floppies[1], "floppy image")->type_name("FILE");
    app.add_option("--boot", raw.boot, "boot order: letters of a (floppy), c (disk), d (CD)")->type_name("acd");
    app.add_flag("--snapshot", m.snapshot, "disk writes are discarded at the end");
    app.add_option("--serial", raw.serial, "stdio, null, file:PATH or unix:PATH; may be given twice")
        ->type_name("WHERE")
        ->expected(1)
        ->take_all();
    app.add_option("--debugcon", raw.debug_console, "stdio or file:PATH: output of ports 402h and E9h")
        ->type_name("WHERE");
    app.add_option("--display", raw.display, "sdl, terminal or none (default: what is there)")->type_name("NAME");
    app.add_flag("!--no-reboot", m.reboot, "end when the guest resets");
    app.add_flag("--debug-exit", m.debug_exit, "port F4h ends the run with status (value << 1) | 1");
    app.add_option("--time-limit", raw.time_limit, "end with status 6 after so many wall seconds")
        ->type_name("SECONDS");
    app.add_option("--clock", raw.clock, "host, or instructions (one instruction is one nanosecond)")
        ->type_name("NAME");
    app.add_flag("--count", m.count, "count retired instructions exactly");
    app.add_option("--stats", config.stats, "write statistics as JSON at the end; - is standard error")
        ->type_name("FILE");
    app.add_option("--screenshot", config.screenshot, "write the screen at exit")->type_name("FILE.png");
    app.add_option("--log", config.log_topics, "topics, with commas, or all")->type_name("TOPIC,...");
    app.add_option("--control", raw.control, "listen for line commands")->type_name("unix:PATH");
}

void take_endpoints(RunConfig& config, const RawOptions& raw) {
    if (raw.serial.size() > 2) throw UsageError("--serial: may be given twice at most");
    for (const std::string& text : raw.serial) config.machine.serial.push_back(parse_endpoint("--serial", text));
    if (!raw.debug_console.empty()) {
        Endpoint e = parse_endpoint("--debugcon", raw.debug_console);
        if (e.kind != Endpoint::Kind::Stdio && e.kind != Endpoint::Kind::File)
            throw UsageError(fmt::format("--debugcon {}: use stdio or file:PATH", raw.debug_console));
        config.machine.debug_console = e;
    }
    if (!raw.control.empty()) {
        config.control = parse_endpoint("--control", raw.control);
        if (config.control->kind != Endpoint::Kind::Unix)
            throw UsageError(fmt::format("--control {}: use unix:PATH", raw.control));
    }
}

void check_combinations(const RunConfig& config) {
    const MachineConfig& m = config.machine;
    int stdio = 0;
    for (const Endpoint& e : m.serial) stdio += e.kind == Endpoint::Kind::Stdio;
    if (stdio > 1) throw UsageError("--serial stdio: only one serial line can have standard input and output");
    if (stdio && config.display == DisplayKind::Terminal)
        throw UsageError("--serial stdio and --display terminal both want the terminal; use another for one of them");
    if (m.kernel.empty() && !m.initrd.empty()) throw UsageError("--initrd needs --kernel; name a kernel to boot");
    if (m.kernel.empty() && !m.append.empty()) throw UsageError("--append needs --kernel; name a kernel to boot");
    if (!m.cdrom.empty() && !m.disks[2].empty())
        throw UsageError("--cdrom and --hdc are the same drive; use --hdd for the disk");
    if (m.engine == EngineKind::Lockstep && m.clock != ClockKind::Instructions)
        throw UsageError("--engine lockstep needs --clock instructions, so that both engines see the same time");
}

}  // namespace

u64 parse_memory_size(const std::string& text) {
    std::string digits = text;
    u64 unit = mebibyte;
    if (!digits.empty() && (digits.back() == 'M' || digits.back() == 'm')) {
        digits.pop_back();
    } else if (!digits.empty() && (digits.back() == 'G' || digits.back() == 'g')) {
        digits.pop_back();
        unit = 1024 * mebibyte;
    }
    bool number = !digits.empty() && digits.size() <= 6 && digits.find_first_not_of("0123456789") == std::string::npos;
    if (!number) throw UsageError(fmt::format("--memory {}: not a size; write 64M, 1G, or a number of MiB", text));
    u64 bytes = std::stoull(digits) * unit;
    if (bytes < least_memory || bytes > most_memory)
        throw UsageError(fmt::format("--memory {}: out of range; use 1M to 3G", text));
    return bytes;
}

Endpoint parse_endpoint(const std::string& option, const std::string& text) {
    if (text == "stdio") return {Endpoint::Kind::Stdio, {}};
    if (text == "null") return {Endpoint::Kind::Null, {}};
    if (text.starts_with("file:") && text.size() > 5) return {Endpoint::Kind::File, text.substr(5)};
    if (text.starts_with("unix:") && text.size() > 5) return {Endpoint::Kind::Unix, text.substr(5)};
    throw UsageError(fmt::format("{} {}: not known; use stdio, null, file:PATH or unix:PATH", option, text));
}

std::variant<RunConfig, HelpText> parse_command_line(std::vector<std::string> words) {
    RunConfig config;
    config.machine.embedded_guest = words.empty();
    if (!words.empty() && words.front() == "run") words.erase(words.begin());

    RawOptions raw;
    CLI::App app{"Vellum: a PC in a program, by dynamic binary translation", "vellum run"};
    app.footer("Without any option, a small guest of our own starts. See README.md and docs/.");
    app.set_version_flag("--version", "vellum 0.1");
    declare(app, config, raw);
    try {
        words = with_two_dashes(words);
        std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
        app.parse(words);
    } catch (const CLI::CallForHelp&) {
        return HelpText{app.help()};
    } catch (const CLI::CallForVersion& version) {
        return HelpText{std::string{version.what()} + "\n"};
    } catch (const CLI::ExtrasError&) {
        auto extras = app.remaining();
        std::string first = extras.empty() ? "" : extras.front();
        throw UsageError(fmt::format("{}: unknown option or word; see vellum --help", first));
    } catch (const CLI::ParseError& error) {
        throw UsageError(fmt::format("{}; see vellum --help", error.what()));
    }

    config.machine.engine = parse_engine(raw.engine);
    config.machine.memory_bytes = parse_memory_size(raw.memory);
    config.machine.clock = parse_clock(raw.clock);
    if (!raw.display.empty()) config.display = parse_display(raw.display);
    if (!raw.boot.empty()) config.machine.boot_order = parse_boot_order(raw.boot);
    if (raw.time_limit < 0 || !std::isfinite(raw.time_limit))
        throw UsageError("--time-limit: give a positive number of seconds");
    config.time_limit = raw.time_limit;
    take_endpoints(config, raw);
    Log probe{[](std::string_view) {}};
    if (std::string unknown = probe.enable(config.log_topics); !unknown.empty())
        throw UsageError(
            fmt::format("--log {}: unknown topic; use all or a list of {}", unknown, topic_names_joined()));
    check_combinations(config);
    return config;
}

}  // namespace vellum
