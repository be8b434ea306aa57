// QEMU's options (7.2 for i386) as far as they say nothing new, and those that have no equivalent.
#include "machine/qemu_facts.hpp"

#include <algorithm>
#include <iterator>

namespace vellum::qemu {

namespace {

// Words that say what this machine is, or what has no effect on it: PROPERTY and the values that are so, "" for any.
struct Harmless {
    std::string_view option, property;
    std::string_view values;  // between blanks
};
constexpr Harmless harmless[] = {
    {"machine", "type", " pc pc-i440fx-7.2 pc-i440fx-7.1 pc-i440fx-7.0 pc-i440fx-6.2 "},
    {"machine", "accel", " tcg "},
    {"machine", "usb", " off "},
    {"machine", "vmport", " off auto "},
    {"machine", "smm", " off auto "},
    {"machine", "acpi", " on "},
    {"machine", "hpet", " on "},
    {"machine", "graphics", " on "},
    {"machine", "kernel-irqchip", " off "},
    {"machine", "dump-guest-core", ""},
    {"machine", "mem-merge", ""},
    {"accel", "accel", " tcg "},
    {"accel", "thread", " single multi "},
    {"accel", "tb-size", ""},
    {"cpu", "model", " n270 n270-x86_64-cpu "},
    {"smp", "cpus", " 1 "},
    {"smp", "sockets", " 1 "},
    {"smp", "dies", " 1 "},
    {"smp", "cores", " 1 "},
    {"smp", "threads", " 1 "},
    {"smp", "maxcpus", " 1 "},
    {"vga", "type", " std "},
    {"net", "type", " none "},
    {"nic", "type", " none "},
    {"monitor", "where", " none null "},
    {"parallel", "where", " none null "},
    {"audiodev", "driver", " none "},
    {"audiodev", "id", ""},
    {"name", "guest", ""},
    {"name", "process", ""},
    {"name", "debug-threads", ""},
    {"k", "layout", ""},
    {"rtc", "base", " utc "},
    {"rtc", "clock", " host "},
    {"rtc", "driftfix", " none slew "},
    {"msg", "timestamp", ""},
    {"msg", "guest-name", ""},
    {"sandbox", "enable", " on "},
    {"action", "panic", ""},
    {"action", "watchdog", ""},
    {"action", "shutdown", " poweroff "},
    {"action", "reboot", " reset "},
    {"boot", "menu", " on "},
    {"boot", "strict", ""},
    {"display", "gl", " off "},
    {"display", "grab-mod", " lctrl-lalt "},
    {"display", "window-close", " on "},
    {"display", "show-tabs", " off "},
    {"display", "zoom-to-fit", ""},
    {"display", "show-menubar", ""},
    {"display", "charset", ""},
    {"drive", "cache", ""},
    {"drive", "aio", ""},
    {"drive", "discard", ""},
    {"drive", "detect-zeroes", ""},
    {"drive", "werror", ""},
    {"drive", "rerror", ""},
    {"drive", "serial", ""},
};

constexpr std::string_view without_effect[] = {"no-fd-bootchk", "no-user-config", "nodefaults"};

// What there is none of here, with what to do instead where there is something.
struct Refusal {
    std::string_view option, advice;
};
constexpr Refusal refusals[] = {
    {"acpitable", ""},
    {"add-fd", ""},
    {"alt-grab", ""},
    {"async-teardown", ""},
    {"audio", "there is no sound"},
    {"audio-help", "there is no sound"},
    {"balloon", ""},
    {"blockdev", "name disks by -drive or -hda"},
    {"chroot", ""},
    {"compat", ""},
    {"ctrl-grab", ""},
    {"D", "use --log, which writes to standard error"},
    {"d", "use --log TOPIC,..."},
    {"daemonize", "start it in the background: vellum ... &"},
    {"dfilter", ""},
    {"dtb", ""},
    {"dump-vmstate", ""},
    {"echr", ""},
    {"enable-kvm", "guest code is translated, not virtualized"},
    {"enable-sync-profile", ""},
    {"fsdev", "there are no shared folders"},
    {"full-screen", "Ctrl+Alt+F makes the window fill the screen"},
    {"fw_cfg", ""},
    {"global", ""},
    {"incoming", "use --restore FILE"},
    {"iscsi", ""},
    {"loadvm", "use --restore FILE"},
    {"localtime", "the clock is UTC's"},
    {"mem-path", ""},
    {"mem-prealloc", ""},
    {"mon", "use --control unix:PATH"},
    {"mtdblock", ""},
    {"netdev", "there is no network"},
    {"no-acpi", "this machine has ACPI"},
    {"no-hpet", "this machine has an HPET"},
    {"no-kvm", ""},
    {"no-quit", ""},
    {"no-shutdown", "the machine ends when the guest switches it off"},
    {"numa", ""},
    {"object", ""},
    {"only-migratable", ""},
    {"option-rom", ""},
    {"overcommit", ""},
    {"pflash", "firmware is named by --bios"},
    {"L", "firmware is named by --bios and --vga-bios"},
    {"pidfile", ""},
    {"plugin", ""},
    {"portrait", ""},
    {"preconfig", ""},
    {"qmp", "use --control unix:PATH"},
    {"qmp-pretty", "use --control unix:PATH"},
    {"readconfig", ""},
    {"rotate", ""},
    {"runas", ""},
    {"sd", ""},
    {"seed", ""},
    {"semihosting", ""},
    {"set", ""},
    {"show-cursor", ""},
    {"singlestep", ""},
    {"smbios", ""},
    {"soundhw", "there is no sound"},
    {"spice", ""},
    {"tb-size", "use --code-cache SIZE"},
    {"tpmdev", ""},
    {"trace", "use --log TOPIC,..."},
    {"usb", "there is no USB"},
    {"usbdevice", "there is no USB"},
    {"uuid", ""},
    {"virtfs", "there are no shared folders"},
    {"virtioconsole", ""},
    {"vnc", "use --display sdl, terminal or none"},
    {"watchdog", ""},
    {"watchdog-action", ""},
    {"win2k-hack", ""},
    {"writeconfig", ""},
    {"xen-attach", ""},
    {"xen-domid", ""},
    {"xen-domid-restrict", ""},
};

}  // namespace

bool is_harmless(std::string_view option, const std::string& property, const std::string& value) {
    return std::any_of(std::begin(harmless), std::end(harmless), [&](const Harmless& h) {
        return h.option == option && h.property == property &&
               (h.values.empty() || h.values.find(" " + value + " ") != std::string_view::npos);
    });
}

bool has_no_effect(std::string_view option) {
    return std::find(std::begin(without_effect), std::end(without_effect), option) != std::end(without_effect);
}

std::optional<std::string_view> advice_instead_of(std::string_view option) {
    auto refusal =
        std::find_if(std::begin(refusals), std::end(refusals), [&](const Refusal& r) { return r.option == option; });
    return refusal == std::end(refusals) ? std::nullopt : std::optional{refusal->advice};
}

}  // namespace vellum::qemu
