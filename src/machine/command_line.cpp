// Words to RunConfig, with CLI11.
#include "machine/command_line.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cmath>

#include "base/host_error.hpp"
#include "base/log.hpp"
#include "jit/switches.hpp"
#include "machine/qemu_words.hpp"

namespace vellum {

namespace {

constexpr u64 mebibyte = u64{1} << 20;
constexpr u64 least_memory = mebibyte, most_memory = 3072 * mebibyte;
constexpr u64 least_code_cache = mebibyte, most_code_cache = 1024 * mebibyte;

void refuse_empty_value(const std::string& option) {
    if (option != "--append") throw UsageError(fmt::format("{}: its value is empty; give one or leave it out", option));
}

// QEMU's way of writing long options, with one dash: `-hda` becomes `--hda`, and `-nographic` what it stands for. Words
// that belong to an option before them are left alone.
std::vector<std::string> with_two_dashes(const CLI::App& app, const std::vector<std::string>& words) {
    std::vector<std::string> result;
    bool serial_is_stdio = false, no_graphic = false, is_value = false;
    for (const std::string& word : words) {
        bool one_dash = word.size() > 2 && word[0] == '-' && word[1] != '-';
        std::string name = one_dash && !word.starts_with("-m") ? "-" + word : word;
        if (is_value) name = word;
        serial_is_stdio |= (is_value && result.back() == "--serial" && word == "stdio") || name == "--serial=stdio";
        if (!is_value && name == "--nographic") {
            no_graphic = true;
            continue;
        }
        if (name != word && name != "--help" && app.get_option_no_throw(name.substr(0, name.find('='))) == nullptr)
            throw UsageError(fmt::format("{}: unknown option or word; see vellum --help", word));
        if (word.ends_with('=') ? name.starts_with("--") && !is_value : is_value && word.empty())
            refuse_empty_value(is_value ? result.back() : name.substr(0, name.size() - 1));
        const CLI::Option* option = is_value ? nullptr : app.get_option_no_throw(name);
        is_value = option && option->get_items_expected_min() > 0;
        result.push_back(name);
    }
    if (!no_graphic) return result;
    result.insert(result.end(), {"--display", "none"});
    if (!serial_is_stdio) result.insert(result.end(), {"--serial", "stdio"});
    return result;
}

// A size in MiB, or with a suffix. `range` names the least and the most.
u64 parse_size(const char* option, const std::string& text, u64 least, u64 most, const char* range) {
    std::string digits = text;
    u64 unit = mebibyte;
    if (!digits.empty() && (digits.back() == 'M' || digits.back() == 'm')) {
        digits.pop_back();
    } else if (!digits.empty() && (digits.back() == 'G' || digits.back() == 'g')) {
        digits.pop_back();
        unit = 1024 * mebibyte;
    }
    bool number = !digits.empty() && digits.size() <= 6 && digits.find_first_not_of("0123456789") == std::string::npos;
    if (!number) throw UsageError(fmt::format("{} {}: not a size; write 64M, 1G, or a number of MiB", option, text));
    u64 bytes = std::stoull(digits) * unit;
    if (bytes < least || bytes > most)
        throw UsageError(fmt::format("{} {}: out of range; use {}", option, text, range));
    return bytes;
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

std::string parse_boot_order(std::string text) {
    if (text.starts_with("order=")) text.erase(0, 6);  // QEMU's longer form
    std::string seen;
    for (char c : text) {
        if (std::string_view{"acd"}.find(c) == std::string_view::npos || seen.find(c) != std::string::npos)
            throw UsageError(fmt::format("--boot {}: give each of a (floppy), c (disk), d (CD) at most once", text));
        seen += c;
    }
    if (seen.empty()) throw UsageError("--boot order=: name at least one of a (floppy), c (disk), d (CD)");
    return seen;
}

// What the words say, before it is checked.
struct RawOptions {
    std::string engine = "bt", memory = "256", clock = "host", display, boot, control, debug_console, gdb;
    std::string without, code_cache, perf;
    std::vector<std::string> serial;
    double time_limit = 0;
    bool no_reboot = false, gdb_default = false;
};

void declare_machine(CLI::App& app, RunConfig& config, RawOptions& raw) {
    MachineConfig& m = config.machine;
    auto option = [&app](const char* names, auto& value, const char* type, const char* text) {
        return app.add_option(names, value, text)->type_name(type)->group("The machine");
    };
    option("--engine", raw.engine, "NAME", "bt (translate; the default), interp, or lockstep (both, compared)");
    option("-m,--memory", raw.memory, "SIZE", "guest memory: 64M, 1G; MiB without a suffix; 1M to 3G (default 256M)");
    option("--bios", m.bios, "FILE", "system firmware (default: SeaBIOS)");
    option("--vga-bios", m.vga_bios, "FILE", "video firmware (default: SeaBIOS's)");
    option("--clock", raw.clock, "NAME", "host (the default), or instructions: one is one nanosecond");
    option("--without", raw.without, "NAME,...", "the translator does without these; `list` names them");
    option("--code-cache", raw.code_cache, "SIZE", "room for translated code: 1M to 1G (default 64M)");
    app.add_flag("--no-reboot", raw.no_reboot, "end when the guest resets")->group("The machine");
    app.add_flag("--debug-exit", m.debug_exit, "port F4h ends the run with status (value << 1) | 1")
        ->group("The machine");
    app.add_flag("--test-device", m.test_device, "kvm-unit-tests' device: ports E0h-E7h, memory at FF000000h")
        ->group("The machine");
}

void declare_boot(CLI::App& app, RunConfig& config, RawOptions& raw) {
    MachineConfig& m = config.machine;
    auto option = [&app](const char* names, auto& value, const char* type, const char* text) {
        return app.add_option(names, value, text)->type_name(type)->group("What it boots");
    };
    option("--kernel", m.kernel, "FILE", "Linux or Multiboot kernel to boot directly");
    option("--initrd", m.initrd, "FILE", "initial RAM disk for --kernel, or the modules of a Multiboot kernel");
    option("--append", m.append, "TEXT", "command line for --kernel");
    constexpr std::array names = {"--hda", "--hdb", "--hdc", "--hdd"};
    for (std::size_t i = 0; i < names.size(); ++i) option(names[i], m.disks[i], "FILE", "raw disk image");
    option("--cdrom", m.cdrom, "FILE", "CD image (ISO 9660), in hdc's place");
    option("--fda", m.floppies[0], "FILE", "floppy image");
    option("--fdb", m.floppies[1], "FILE", "floppy image");
    option("--boot", raw.boot, "acd", "boot order: letters of a (floppy), c (disk), d (CD)");
    app.add_flag("--snapshot", m.snapshot, "disk writes are discarded at the end")->group("What it boots");
}

void declare_ends(CLI::App& app, RunConfig& config, RawOptions& raw) {
    constexpr const char* group = "Screen, lines and reports";
    auto option = [&app](const char* names, auto& value, const char* type, const char* text) {
        return app.add_option(names, value, text)->type_name(type)->group(group);
    };
    option("--display", raw.display, "NAME", "sdl, terminal or none (default: what is there)");
    option("--serial", raw.serial, "WHERE", "stdio, null, file:PATH or unix:PATH; may be given twice")
        ->expected(1)
        ->take_all();
    option("--debugcon", raw.debug_console, "WHERE", "stdio or file:PATH: output of ports 402h and E9h");
    option("--control", raw.control, "unix:PATH", "listen for line commands");
    option("--gdb", raw.gdb, "WHERE", "a debugger may connect to unix:PATH, or to this port of 127.0.0.1");
    app.add_flag("-s", raw.gdb_default, "the same as --gdb 1234")->group(group);
    app.add_flag("-S", config.start_stopped, "wait for the debugger's (or the control socket's) continue")
        ->group(group);
    option("--time-limit", raw.time_limit, "SECONDS", "end with status 6 after so many wall seconds");
    app.add_flag("--count", config.machine.count, "count retired instructions exactly")->group(group);
    option("--stats", config.stats, "FILE", "write statistics as JSON at the end; - is standard error");
    option("--perf", raw.perf, "FORM", "name translated code for Linux's perf: map, jitdump or jitdump:FOLDER");
    option("--screenshot", config.screenshot, "FILE.png", "write the screen at exit");
    option("--save", config.save, "FILE", "write a snapshot of the machine at exit, and on SIGUSR1");
    option("--restore", config.restore, "FILE", "go on from a snapshot, with the same drives and -m");
    option("--log", config.log_topics, "TOPIC,...", "topics, with commas, or all");
    app.add_flag("!--no-sandbox", config.sandbox, "do not lock the running machine in, e.g. for a debugger of Vellum")
        ->group(group);
}

constexpr const char* footer =
    "`vellum watch SOCKET` shows, once a second, where the time of a machine with --control unix:SOCKET goes.\n"
    "Without any option, a small guest of our own starts. QEMU's one-dash forms (-hda, -m, -nographic, ...) work.\n"
    "Exit status: 0 the guest is off or the window closed, odd from --debug-exit, 2 wrong usage or input,\n"
    "4 triple fault with --no-reboot, 6 time limit, 8 the engines differ, 10 host trouble, 128+n signal n.";

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

void take_translation(MachineConfig& m, const RawOptions& raw) {
    for (std::size_t at = 0; at < raw.without.size();) {
        std::size_t comma = std::min(raw.without.find(',', at), raw.without.size());
        m.without.push_back(raw.without.substr(at, comma - at));
        at = comma + 1;
        if (!find_switch(m.without.back()))
            throw UsageError(
                fmt::format("--without {}: no such optimisation; --without list names them", m.without.back()));
    }
    if (!raw.code_cache.empty())
        m.code_cache_bytes = parse_size("--code-cache", raw.code_cache, least_code_cache, most_code_cache, "1M to 1G");
}

PerfNames parse_perf(const std::string& text) {
    constexpr std::string_view in_folder = "jitdump:";
    if (text == "map") return {PerfNames::Kind::Map, {}};
    if (text == "jitdump") return {PerfNames::Kind::Jitdump, {}};
    if (text.starts_with(in_folder) && text.size() > in_folder.size())
        return {PerfNames::Kind::Jitdump, text.substr(in_folder.size())};
    throw UsageError(fmt::format("--perf {}: not known; use map, jitdump or jitdump:FOLDER", text));
}

// PORT, unix:PATH, or QEMU's tcp::PORT.
GdbPlace parse_gdb_place(const std::string& text) {
    if (text.starts_with("unix:") && text.size() > 5) return {0, text.substr(5)};
    std::string digits = text.starts_with("tcp::") ? text.substr(5) : text;
    bool number = !digits.empty() && digits.size() <= 5 && digits.find_first_not_of("0123456789") == std::string::npos;
    unsigned long port = number ? std::stoul(digits) : 0;
    if (port == 0 || port > 65535)
        throw UsageError(fmt::format("--gdb {}: not a port; use 1 to 65535, or unix:PATH", text));
    return {static_cast<u16>(port), {}};
}

void take_gdb(RunConfig& config, const RawOptions& raw) {
    if (raw.gdb_default && !raw.gdb.empty()) throw UsageError("-s and --gdb name two places; give one of them");
    if (raw.gdb_default) config.gdb = GdbPlace{1234, {}};
    if (!raw.gdb.empty()) config.gdb = parse_gdb_place(raw.gdb);
    if (config.start_stopped && !config.gdb && !config.control)
        throw UsageError("-S: nobody could start the machine; add -s, --gdb PORT or --control unix:PATH");
}

WatchConfig parse_watch(const std::vector<std::string>& words) {
    if (words.size() != 2 || words[1].empty() || words[1].starts_with('-'))
        throw UsageError("watch: name one thing, the socket of a running machine's --control unix:PATH");
    return {words[1].starts_with("unix:") ? words[1].substr(5) : words[1]};
}

void check_combinations(const RunConfig& config) {
    const MachineConfig& m = config.machine;
    int stdio = 0;
    for (const Endpoint& e : m.serial) stdio += e.kind == Endpoint::Kind::Stdio;
    if (stdio > 1) throw UsageError("--serial stdio: only one serial line can have standard input and output");
    if (stdio && config.display == DisplayKind::Terminal)
        throw UsageError("--serial stdio and --display terminal both want the terminal; use another for one of them");
    if (m.debug_console && m.debug_console->kind == Endpoint::Kind::Stdio && config.display == DisplayKind::Terminal)
        throw UsageError("--debugcon stdio and --display terminal both want the terminal; use --debugcon file:PATH");
    if (m.kernel.empty() && !m.initrd.empty()) throw UsageError("--initrd needs --kernel; name a kernel to boot");
    if (m.kernel.empty() && !m.append.empty()) throw UsageError("--append needs --kernel; name a kernel to boot");
    if (!m.cdrom.empty() && !m.disks[2].empty())
        throw UsageError("--cdrom and --hdc are the same drive; use --hdd for the disk");
    if (m.engine == EngineKind::Lockstep && m.clock != ClockKind::Instructions)
        throw UsageError("--engine lockstep needs --clock instructions, so that both engines see the same time");
    if (m.engine == EngineKind::Interp && config.perf)
        throw UsageError("--perf names translated code, of which --engine interp has none; use --engine bt");
}

}  // namespace

Endpoint parse_endpoint(const std::string& option, const std::string& text) {
    if (text == "stdio") return {Endpoint::Kind::Stdio, {}};
    if (text == "null") return {Endpoint::Kind::Null, {}};
    if (text.starts_with("file:") && text.size() > 5) return {Endpoint::Kind::File, text.substr(5)};
    if (text.starts_with("unix:") && text.size() > 5) return {Endpoint::Kind::Unix, text.substr(5)};
    throw UsageError(fmt::format("{} {}: not known; use stdio, null, file:PATH or unix:PATH", option, text));
}

std::variant<RunConfig, HelpText, WatchConfig> parse_command_line(std::vector<std::string> words) {
    if (!words.empty() && words.front() == "watch") return parse_watch(words);
    RunConfig config;
    if (!words.empty() && words.front() == "run") words.erase(words.begin());
    config.machine.embedded_guest = words.empty();
    QemuWords translated = from_qemu(words);
    if (!translated.help.empty()) return HelpText{translated.help};
    words = std::move(translated.words);

    RawOptions raw;
    CLI::App app{"Vellum: a PC in a program, by dynamic binary translation", "vellum run"};
    app.footer(footer);
    app.set_version_flag("--version", "vellum 0.1");
    declare_machine(app, config, raw);
    declare_boot(app, config, raw);
    declare_ends(app, config, raw);
    try {
        words = with_two_dashes(app, words);
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

    if (raw.without == "list") return HelpText{described_switches()};
    config.machine.engine = parse_engine(raw.engine);
    config.machine.memory_bytes = parse_size("--memory", raw.memory, least_memory, most_memory, "1M to 3G");
    take_translation(config.machine, raw);
    config.machine.clock = parse_clock(raw.clock);
    config.machine.reboot = !raw.no_reboot;
    if (!raw.display.empty()) config.display = parse_display(raw.display);
    if (!raw.boot.empty()) config.machine.boot_order = parse_boot_order(raw.boot);
    if (raw.time_limit < 0 || !std::isfinite(raw.time_limit))
        throw UsageError("--time-limit: give a positive number of seconds");
    config.time_limit = raw.time_limit;
    take_endpoints(config, raw);
    take_gdb(config, raw);
    if (!raw.perf.empty()) config.perf = parse_perf(raw.perf);
    Log probe{[](std::string_view) {}};
    if (std::string unknown = probe.enable(config.log_topics); !unknown.empty())
        throw UsageError(
            fmt::format("--log {}: unknown topic; use all or a list of {}", unknown, topic_names_joined()));
    check_combinations(config);
    return config;
}

}  // namespace vellum
