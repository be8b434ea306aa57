// The commands.
#include "machine/control.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <string_view>

#include "base/host_error.hpp"
#include "base/one_line.hpp"
#include "devices/block_backend.hpp"
#include "devices/floppy_drive.hpp"
#include "frontend/typing.hpp"
#include "machine/lockstep.hpp"
#include "machine/typist.hpp"

namespace vellum {

namespace {

constexpr u32 cd_sector = 2048, any_size = 1;

using Handler = std::string (*)(const ControlContext&, std::string_view argument);
struct Command {
    std::string_view name;
    Handler handler;
    bool takes_argument = true;
};

std::string type_keys(const ControlContext& c, const std::vector<KeyEvent>& events) {
    return c.typist.type(events) ? "ok\n" : "error: the guest has not read the keys before these yet\n";
}

std::string key(const ControlContext& c, std::string_view names) {
    auto events = keys_for_names(names);
    if (!events) return fmt::format("error: key {}: no such key\n", one_line(names));
    return type_keys(c, *events);
}

// \n is Enter, \t Tab, \\ a backslash.
std::string unescape(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 == text.size()) {
            result += text[i];
            continue;
        }
        char c = text[++i];
        result += c == 'n' ? '\n' : c == 't' ? '\t' : c;
    }
    return result;
}

std::string type(const ControlContext& c, std::string_view text) { return type_keys(c, keys_for_text(unescape(text))); }

// mouse DX DY [WHEEL [BUTTONS]]
std::string mouse(const ControlContext& c, std::string_view text) {
    constexpr const char* usage = "error: mouse DX DY [WHEEL [BUTTONS]], buttons 0 to 7\n";
    std::array<i32, 4> numbers{};
    std::size_t count = 0;
    const char *rest = text.data(), *end = rest + text.size();
    for (; rest < end && count < 4; ++count) {
        auto [next, error] = std::from_chars(rest, end, numbers[count]);
        if (error != std::errc{}) return usage;
        for (rest = next; rest < end && *rest == ' ';) ++rest;
    }
    if (count < 2 || rest != end || numbers[3] < 0 || numbers[3] > 7) return usage;
    c.machine.board().mouse({numbers[0], numbers[1], numbers[2], static_cast<u8>(numbers[3])});
    return "ok\n";
}

std::string screenshot(const ControlContext& c, std::string_view path) {
    if (path.empty()) return "error: screenshot: name a file\n";
    c.session.write_screenshot(std::string{path});
    return "ok\n";
}

std::string save(const ControlContext& c, std::string_view path) {
    if (path.empty()) throw UsageError("save FILE");
    c.session.save(std::string{path});
    return "ok\n";
}

std::string statistics(const ControlContext& c, std::string_view) { return c.statistics() + "ok\n"; }

std::string times(const ControlContext& c, std::string_view) { return c.times() + "ok\n"; }

std::unique_ptr<BlockBackend> open_medium(const ControlContext& c, std::string_view path, bool cd) {
    if (path.empty() || path == "none") return nullptr;
    ImageAccess access = cd ? ImageAccess::ReadOnly : c.discard_writes ? ImageAccess::Snapshot : ImageAccess::ReadWrite;
    FileWish wish = cd ? FileWish::Cd : c.discard_writes ? FileWish::FloppyToRead : FileWish::Floppy;
    ImageName name = image_name(path);
    Descriptor file = c.files.ask(wish, name.path).file, overlay;
    if (access == ImageAccess::Snapshot) overlay = c.files.ask(FileWish::Overlay, {}).file;
    return make_image(std::move(file), std::move(overlay), name, access, cd ? cd_sector : any_size);
}

std::string change_cd(const ControlContext& c, std::string_view path) {
    c.machine.board().change_cd([&] { return open_medium(c, path, true); });
    return "ok\n";
}

// change-floppy [a|b] PATH
std::string change_floppy(const ControlContext& c, std::string_view text) {
    u32 drive = 0;
    if (text.starts_with("a ") || text.starts_with("b ")) {
        drive = text[0] == 'b';
        text.remove_prefix(2);
    }
    c.machine.board().change_floppy(drive, [&] {
        auto medium = open_medium(c, text, false);
        if (medium && !floppy_geometry(*medium)) throw UsageError(fmt::format("{}: larger than a floppy", text));
        return medium;
    });
    return "ok\n";
}

std::string reset(const ControlContext& c, std::string_view) {
    c.machine.press_reset();
    return "ok\n";
}

std::string powerdown(const ControlContext& c, std::string_view) {
    c.machine.board().press_power_button();
    return "ok\n";
}

std::string pause(const ControlContext& c, std::string_view) {
    c.session.pause();
    return "ok\n";
}

std::string resume(const ControlContext& c, std::string_view) {
    c.session.resume();
    return "ok\n";
}

std::string quit(const ControlContext& c, std::string_view) {
    c.session.end(exit_status::ok);
    return "ok\n";
}

constexpr std::array commands = {
    Command{"key", key},
    Command{"type", type},
    Command{"mouse", mouse},
    Command{"screenshot", screenshot},
    Command{"save", save},
    Command{"stats", statistics, false},
    Command{"times", times, false},
    Command{"change-cd", change_cd},
    Command{"change-floppy", change_floppy},
    Command{"reset", reset, false},
    Command{"powerdown", powerdown, false},
    Command{"pause", pause, false},
    Command{"continue", resume, false},
    Command{"quit", quit, false},
};

}  // namespace

bool ends_run(std::string_view line) { return line == "quit"; }

std::string run_command(const ControlContext& context, const std::string& line) {
    std::string_view text = line;
    std::string_view name = text.substr(0, text.find(' '));
    std::string_view argument = name.size() < text.size() ? text.substr(name.size() + 1) : std::string_view{};
    for (const Command& command : commands) {
        if (command.name != name) continue;
        if (!command.takes_argument && !argument.empty()) return fmt::format("error: {} takes no argument\n", name);
        try {
            return command.handler(context, argument);
        } catch (const LockstepDifference&) {
            throw;  // ends the run
        } catch (const std::exception& trouble) {
            return fmt::format("error: {}\n", one_line(trouble.what()));
        }
    }
    std::string known;
    for (const Command& command : commands) known += fmt::format("{}{}", known.empty() ? "" : ", ", command.name);
    return fmt::format("error: {}: unknown command; use {}\n", one_line(name), known);
}

}  // namespace vellum
