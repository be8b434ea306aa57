// What becomes of QEMU's words.
#include "machine/qemu_words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "base/host_error.hpp"
#include "base/types.hpp"
#include "machine/qemu_facts.hpp"

namespace vellum {

namespace {

using Words = std::vector<std::string>;

// KEY=VALUE,... where a comma within a value is written twice. A first part without `=` is the value of `first`.
struct Properties {
    std::vector<std::pair<std::string, std::string>> list;

    Properties(std::string_view text, std::string_view first) {
        std::string part;
        auto add = [&] {
            if (part.empty()) return;
            auto equals = part.find('=');
            if (equals != std::string::npos)
                list.emplace_back(part.substr(0, equals), part.substr(equals + 1));
            else if (list.empty() && !first.empty())
                list.emplace_back(first, part);
            else
                list.emplace_back(part, "on");
            part.clear();
        };
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] == ',' && !(i + 1 < text.size() && text[i + 1] == ',')) {
                add();
                continue;
            }
            i += text[i] == ',';
            part += text[i];
        }
        add();
    }
    std::optional<std::string> take(std::string_view key) {
        auto at = std::find_if(list.rbegin(), list.rend(), [&](const auto& p) { return p.first == key; });
        if (at == list.rend()) return std::nullopt;
        std::string value = at->second;
        std::erase_if(list, [&](const auto& p) { return p.first == key; });
        return value;
    }
};

[[noreturn]] void refuse(const std::string& what, std::string_view advice) {
    throw UsageError(
        fmt::format("{}: is QEMU's, and has no equivalent here{}{}", what, advice.empty() ? "" : ": ", advice));
}

// One command line on its way.
class Translation {
 public:
    explicit Translation(const Words& words) : given_{words} {}

    QemuWords operator()() {
        for (at_ = 0; at_ < given_.size(); ++at_) word(given_[at_]);
        place_drives();
        return {std::move(out_), std::move(help_)};
    }

 private:
    struct Drive {
        std::string word, file, interface = "ide", media = "disk";
        std::optional<u32> index;
        bool raw = false;
    };
    using Meaning = void (Translation::*)(const std::string& word, const std::string& value);
    struct Row {
        std::string_view option;
        Meaning meaning;
    };
    static const Row rows[];

    void put(std::initializer_list<std::string> words) { out_.insert(out_.end(), words); }

    void word(const std::string& word) {
        std::size_t dashes = word.starts_with("--") ? 2 : word.starts_with("-") ? 1 : 0;
        if (is_value_ || dashes == 0 || word.size() == dashes) return plain(word);
        std::string name = word.substr(dashes);
        const Row* row = rows;
        while (row->meaning && row->option != name) ++row;
        if (row->meaning) {
            if (at_ + 1 == given_.size()) return out_.push_back(word);  // our own parser says what is missing
            return (this->*row->meaning)(word, given_[++at_]);
        }
        if (qemu::has_no_effect(name)) return;
        if (dashes == 1)
            if (auto advice = qemu::advice_instead_of(name)) refuse(word, *advice);
        if (name == "curses") return put({"--display", "terminal"});
        if (name == "sdl") return put({"--display", "sdl"});
        if (dashes == 1 && name == "version") return put({"--version"});
        if (dashes == 1 && (name == "h" || name == "?")) return put({"--help"});
        is_value_ =
            std::find(std::begin(ours_with_value), std::end(ours_with_value), name) != std::end(ours_with_value);
        out_.push_back(word);
    }

    // A word that is no option and looks like a file's name is the first disk, as with QEMU, unless it belongs to the
    // option before it.
    void plain(const std::string& word) {
        bool belongs = std::exchange(is_value_, false);
        bool command = at_ == 0 && (word == "run" || word == "watch");
        if (command && word == "watch") is_command_ = true;
        if (belongs || command || is_command_ || word.starts_with("-") || bare_disk_ ||
            word.find_first_of("./") == std::string::npos)
            return out_.push_back(word);
        bare_disk_ = true;
        put({"--hda", word});
    }

    // Refuses what is left of the properties and is not harmless.
    static void finish(const std::string& word, std::string_view option, const std::string& value,
                       const Properties& left) {
        for (const auto& [property, setting] : left.list)
            if (!qemu::is_harmless(option, property, setting))
                throw UsageError(
                    fmt::format("{} {}: {}={} is not what this machine is or does", word, value, property, setting));
    }
    template <std::size_t N>
    static void all_harmless(const std::string& word, const std::string& value, const char (&option)[N],
                             std::string_view first) {
        finish(word, option, value, Properties{value, first});
    }

    void machine(const std::string& word, const std::string& value) {
        if (value == "help" || value == "?")
            help_ = "pc    a PC with the 440FX and PIIX3 chips: the only machine\n";
        else
            all_harmless(word, value, "machine", "type");
    }
    void cpu(const std::string& word, const std::string& value) {
        if (value == "help" || value == "?")
            help_ = "n270    family 6, model 28, stepping 10: the only processor\n";
        else
            all_harmless(word, value, "cpu", "model");
    }
    void accel(const std::string& word, const std::string& value) { all_harmless(word, value, "accel", "accel"); }
    void smp(const std::string& word, const std::string& value) { all_harmless(word, value, "smp", "cpus"); }
    void vga(const std::string& word, const std::string& value) { all_harmless(word, value, "vga", "type"); }
    void net(const std::string& word, const std::string& value) { all_harmless(word, value, "net", "type"); }
    void nic(const std::string& word, const std::string& value) { all_harmless(word, value, "nic", "type"); }
    void monitor(const std::string& word, const std::string& value) { all_harmless(word, value, "monitor", "where"); }
    void parallel(const std::string& word, const std::string& value) { all_harmless(word, value, "parallel", "where"); }
    void audiodev(const std::string& word, const std::string& value) {
        all_harmless(word, value, "audiodev", "driver");
    }
    void name(const std::string& word, const std::string& value) { all_harmless(word, value, "name", "guest"); }
    void keyboard(const std::string& word, const std::string& value) { all_harmless(word, value, "k", "layout"); }
    void rtc(const std::string& word, const std::string& value) { all_harmless(word, value, "rtc", "base"); }
    void msg(const std::string& word, const std::string& value) { all_harmless(word, value, "msg", "timestamp"); }

    void sandbox(const std::string& word, const std::string& value) {
        if (value == "off") return put({"--no-sandbox"});
        all_harmless(word, value, "sandbox", "enable");
    }
    void action(const std::string& word, const std::string& value) {
        Properties properties{value, ""};
        auto reboot = properties.take("reboot");
        if (reboot == "shutdown")
            put({"--no-reboot"});
        else if (reboot)
            properties.list.emplace_back("reboot", *reboot);
        finish(word, "action", value, properties);
    }
    void icount(const std::string& word, const std::string& value) {
        if (value != "0" && value != "shift=0") refuse(word + " " + value, "--clock instructions is shift=0");
        put({"--clock", "instructions"});
    }
    static bool has_properties(const std::string& value) { return value.find_first_of("=,") != std::string::npos; }

    void memory(const std::string& word, const std::string& value) {
        if (!has_properties(value)) return put({word, value});
        Properties properties{value, "size"};
        auto size = properties.take("size");
        finish(word, "m", value, properties);
        put({"--memory", size.value_or(value)});
    }
    void boot(const std::string& word, const std::string& value) {
        if (value == "n") refuse(word + " n", "there is no network");
        if (!has_properties(value) || value == "order=") return put({word, value});
        Properties properties{value, "order"};
        auto order = properties.take("order");
        if (properties.take("once"))
            refuse(word + " " + value, "every start has the same order: name it by order=, or -boot LETTERS");
        if (order && order->find('n') != std::string::npos) refuse(word + " " + value, "n: there is no network");
        finish(word, "boot", value, properties);
        if (order)
            put({"--boot", *order});
        else if (properties.list.empty())
            put({"--boot", value});
    }
    void display(const std::string& word, const std::string& value) {
        Properties properties{value, "type"};
        std::string type = properties.take("type").value_or(value);
        finish(word, "display", value, properties);
        if (type == "gtk" || type == "cocoa") type = "sdl";
        if (type == "curses") type = "terminal";
        for (std::string_view other : {"vnc", "spice-app", "egl-headless", "dbus"})
            if (type == other || type.starts_with("vnc=")) refuse(word + " " + value, "use sdl, terminal or none");
        put({word, type});
    }

    // The far end of a line, in our words. Nothing: no such thing here.
    std::optional<std::string> far_end(std::string value) const {
        if (value.starts_with("chardev:")) {
            auto defined = chardevs_.find(value.substr(8));
            if (defined == chardevs_.end()) return std::nullopt;
            return defined->second;
        }
        if (value.starts_with("mon:")) value.erase(0, 4);  // the monitor shares the line; there is none
        if (value == "none") return "null";
        constexpr std::string_view socket = "unix:";
        if (!value.starts_with(socket)) {
            bool ours = value == "stdio" || value == "null" || value.starts_with("file:");
            return ours ? std::optional{value} : std::nullopt;
        }
        auto comma = value.find(',');
        std::string options = comma == std::string::npos ? "" : value.substr(comma);
        // We listen, and wait for nobody.
        if (options == "" || options == ",server,nowait" || options == ",server=on,wait=off" ||
            options == ",nowait,server" || options == ",wait=off,server=on" || options == ",server=on,nowait" ||
            options == ",server,wait=off")
            return value.substr(0, comma);
        return std::nullopt;
    }
    void line(const std::string& word, const std::string& option, const std::string& value) {
        auto end = far_end(value);
        if (!end)
            refuse(word + " " + value, "use stdio, null, file:PATH or unix:PATH (which listens and does not wait)");
        put({option, *end});
    }
    void serial(const std::string& word, const std::string& value) { line(word, "--serial", value); }
    void debugcon(const std::string& word, const std::string& value) { line(word, "--debugcon", value); }
    void chardev(const std::string& word, const std::string& value) {
        Properties p{value, "backend"};
        std::string backend = p.take("backend").value_or(""), id = p.take("id").value_or("");
        std::string path = p.take("path").value_or("");
        bool server = p.take("server").value_or("off") == "on", waits = p.take("wait").value_or("on") == "on";
        if (p.take("nowait")) waits = false;
        p.take("signal");
        p.take("mux");
        finish(word, "chardev", value, p);
        if (backend == "stdio" || backend == "null")
            chardevs_[id] = backend;
        else if (backend == "file" && !path.empty())
            chardevs_[id] = "file:" + path;
        else if (backend == "socket" && server && !waits && !path.empty())
            chardevs_[id] = "unix:" + path;
        else
            refuse(word + " " + value,
                   "use stdio, null, file with a path, or socket with a path, server=on and wait=off");
    }

    void device(const std::string& word, const std::string& value) {
        Properties p{value, "driver"};
        std::string driver = p.take("driver").value_or("");
        p.take("id");
        if (driver == "isa-debug-exit") {
            if (p.take("iobase").value_or("0x501") != "0xf4") refuse(word + " " + value, "the port is iobase=0xf4");
            p.take("iosize");
            put({"--debug-exit"});
        } else if (driver == "isa-debugcon" || driver == "isa-serial") {
            if (driver == "isa-debugcon" && p.take("iobase").value_or("0xe9") != "0xe9")
                refuse(word + " " + value, "the ports are E9h and 402h");
            line(word, driver == "isa-serial" ? "--serial" : "--debugcon", "chardev:" + p.take("chardev").value_or(""));
        } else if (driver == "ide-hd" || driver == "ide-cd" || driver == "ide-drive" || driver == "floppy") {
            drive_device(word, value, driver, p);
        } else if (driver != "VGA" && driver != "piix3-ide" && driver != "isa-vga" && driver != "i8042") {
            throw UsageError(fmt::format("{} {}: there is no device {} here", word, value, driver));
        }
        for (const auto& [property, setting] : p.list)
            throw UsageError(fmt::format("{} {}: {}={} cannot be set here", word, value, property, setting));
    }
    // Gives a drive that -drive if=none has described its place.
    void drive_device(const std::string& word, const std::string& value, const std::string& driver, Properties& p) {
        auto drive = none_.find(p.take("drive").value_or(""));
        if (drive == none_.end())
            throw UsageError(fmt::format("{} {}: name a drive by drive=ID, behind its -drive", word, value));
        Drive d = drive->second;
        none_.erase(drive);
        d.interface = driver == "floppy" ? "floppy" : "ide";
        if (driver == "ide-cd") d.media = "cdrom";
        auto bus = p.take("bus"), unit = p.take("unit");
        if (bus || unit) {
            u32 channel = bus == "ide.1" ? 1 : 0;
            d.index = channel * 2 + (unit == "1" ? 1 : 0);
        }
        drives_.push_back(d);
    }
    void drive(const std::string& word, const std::string& value) {
        Properties p{value, ""};
        Drive d;
        d.word = word + " " + value;
        d.file = p.take("file").value_or("");
        std::string format = p.take("format").value_or("");
        if (!format.empty() && format != "raw")
            throw UsageError(
                fmt::format("{}: only raw images are read: convert it with qemu-img convert -O raw", d.word));
        d.raw = !format.empty();
        d.interface = p.take("if").value_or("ide");
        d.media = p.take("media").value_or("disk");
        std::string id = p.take("id").value_or("");
        auto number = [&](const char* key) -> std::optional<u32> {
            auto text = p.take(key);
            if (!text) return std::nullopt;
            if (text->size() != 1 || (*text)[0] < '0' || (*text)[0] > '3')
                throw UsageError(fmt::format("{}: {}={} is no place of a drive here", d.word, key, *text));
            return static_cast<u32>((*text)[0] - '0');
        };
        auto index = number("index"), bus = number("bus"), unit = number("unit");
        d.index = index;
        if (!index && (bus || unit)) d.index = bus.value_or(0) * 2 + unit.value_or(0);
        if (p.take("snapshot").value_or("off") == "on") refuse(d.word, "--snapshot is for all disks");
        if (p.take("readonly").value_or("off") == "on" && d.media != "cdrom")
            refuse(d.word, "disks are written to; use --snapshot");
        finish(word, "drive", value, p);
        if (d.media != "disk" && d.media != "cdrom") refuse(d.word, "media is disk or cdrom");
        if (d.interface == "none")
            none_[id] = d;
        else if (d.interface == "ide" || d.interface == "floppy")
            drives_.push_back(d);
        else
            refuse(d.word, "drives are if=ide or if=floppy");
    }

    // Those with an index first, then the others at what is free, as QEMU does.
    void place_drives() {
        std::array<std::string, 4> disks;
        std::array<std::string, 2> floppies;
        static constexpr std::array disk_options = {"--hda", "--hdb", "--hdc", "--hdd"};
        static constexpr std::array floppy_options = {"--fda", "--fdb"};
        std::string cd;
        for (std::size_t i = 0; i < 4; ++i)
            if (std::find(out_.begin(), out_.end(), disk_options[i]) != out_.end() ||
                std::find(out_.begin(), out_.end(), std::string{disk_options[i]}.substr(1)) != out_.end())
                disks[i] = "taken";
        auto place = [&](auto& places, const Drive& d, const std::string& name) {
            std::size_t at = d.index.value_or(0);
            if (!d.index) at = static_cast<std::size_t>(std::find(places.begin(), places.end(), "") - places.begin());
            if (at >= places.size() || !places[at].empty())
                throw UsageError(fmt::format("{}: its place is taken", d.word));
            places[at] = name;
        };
        for (bool with_index : {true, false})
            for (const Drive& d : drives_) {
                if (d.index.has_value() != with_index) continue;
                std::string name = (d.raw ? "raw:" : "") + d.file;
                if (d.media == "cdrom") {
                    if (d.index.value_or(2) != 2 || !cd.empty())
                        refuse(d.word, "the CD drive is index=2, and the only one");
                    cd = d.file.empty() ? "none" : name;
                    if (!d.file.empty()) put({"--cdrom", name});
                } else if (d.file.empty()) {
                    throw UsageError(fmt::format("{}: name its image by file=", d.word));
                } else {
                    d.interface == "floppy" ? place(floppies, d, name) : place(disks, d, name);
                }
            }
        for (std::size_t i = 0; i < 4; ++i)
            if (!disks[i].empty() && disks[i] != "taken") put({disk_options[i], disks[i]});
        for (std::size_t i = 0; i < 2; ++i)
            if (!floppies[i].empty()) put({floppy_options[i], floppies[i]});
    }

    // Disks that are no files.
    void disk(const std::string& word, const std::string& value) {
        for (std::string_view other :
             {"fat:", "nbd:", "http:", "https:", "ftp:", "ssh:", "iscsi:", "json:", "vvfat:", "rbd:"})
            if (value.starts_with(other)) refuse(word + " " + value, "only files that are raw images are read");
        put({word, value});
    }

    static constexpr std::string_view ours_with_value[] = {
        "engine",  "memory", "vga-bios",   "clock", "without", "code-cache", "kernel", "initrd",  "append", "bios",
        "control", "gdb",    "time-limit", "stats", "perf",    "screenshot", "save",   "restore", "log"};

    const Words& given_;
    std::size_t at_ = 0;
    Words out_;
    std::string help_;
    std::vector<Drive> drives_;
    std::map<std::string, Drive> none_;
    std::map<std::string, std::string> chardevs_;
    bool is_value_ = false, is_command_ = false, bare_disk_ = false;
};

const Translation::Row Translation::rows[] = {
    {"machine", &Translation::machine},   {"M", &Translation::machine},
    {"accel", &Translation::accel},       {"cpu", &Translation::cpu},
    {"smp", &Translation::smp},           {"vga", &Translation::vga},
    {"net", &Translation::net},           {"nic", &Translation::nic},
    {"monitor", &Translation::monitor},   {"parallel", &Translation::parallel},
    {"audiodev", &Translation::audiodev}, {"name", &Translation::name},
    {"k", &Translation::keyboard},        {"rtc", &Translation::rtc},
    {"msg", &Translation::msg},           {"sandbox", &Translation::sandbox},
    {"action", &Translation::action},     {"icount", &Translation::icount},
    {"m", &Translation::memory},          {"boot", &Translation::boot},
    {"display", &Translation::display},   {"serial", &Translation::serial},
    {"debugcon", &Translation::debugcon}, {"chardev", &Translation::chardev},
    {"device", &Translation::device},     {"drive", &Translation::drive},
    {"hda", &Translation::disk},          {"hdb", &Translation::disk},
    {"hdc", &Translation::disk},          {"hdd", &Translation::disk},
    {"cdrom", &Translation::disk},        {"fda", &Translation::disk},
    {"fdb", &Translation::disk},          {{}, nullptr},
};

}  // namespace

QemuWords from_qemu(const Words& words) { return Translation{words}(); }

}  // namespace vellum
