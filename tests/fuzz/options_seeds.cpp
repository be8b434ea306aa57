// Seeds of the fuzz target `options`, as text: the letter says to whom (options_fuzz.cpp), a line is a word, a command
// or a packet.
#include "target.hpp"

namespace vellum::fuzz {

namespace {

struct Text {
    const char *name, *reason, *text;
};

constexpr Text texts[] = {
    {"words", "every option with a good value",
     "crun\n--engine\nbt\n-m\n64M\n--bios\na\n--vga-bios\nb\n--clock\nhost\n--no-reboot\n--debug-exit\n--kernel\nk\n"
     "--initrd\ni\n--append\na "
     "b\n--hda\na\n--hdb\nb\n--hdd\nd\n--cdrom\nc\n--fda\nf\n--fdb\ng\n--boot\nadc\n--snapshot\n"
     "--display\nnone\n--serial\nstdio\n--serial\nunix:s\n--debugcon\nfile:d\n--control\nunix:c\n--gdb\n1234\n-S\n"
     "--time-limit\n1.5\n--count\n--stats\n-\n--screenshot\ns.png\n--save\nx\n--log\nall\n"},
    {"qemu", "QEMU's habits",
     "c-nographic\n-kernel\nk\n-append\nc\n-serial\nstdio\n-m\n1G\n-hda=x\n-s\n-gdb\ntcp::1234\n"},
    {"lockstep", "options that need or exclude others", "c--engine\nlockstep\n--clock\ninstructions\n--restore\nr\n"},
    {"help", "help ends the parsing", "c--help\n"},
    {"version", "so does the version", "c--version\n"},
    {"bad-words", "values that are refused",
     "c--memory\n99T\n--boot\nxyz\n--time-limit\n-1\n--log\ncpu,none\n--engine=\n"},
    {"commands", "all commands of the control socket",
     "dkey a\nkey ctrl-alt-delete\ntype hello\\n\nmouse 1 -2 1 7\nscreenshot s.png\nsave s\nstats\nchange-cd none\n"
     "change-floppy b none\nreset\npowerdown\npause\ncontinue\nquit\n"},
    {"bad-commands", "commands that are refused",
     "dkey nonsense\nmouse 1\nmouse 99999999999 1\nscreenshot\nchange-cd nowhere\nchange-floppy a nowhere\nfoo\n"},
    {"debugger", "what GDB says first",
     "eqSupported:swbreak+;hwbreak+\nQStartNoAckMode\n?\nqXfer:features:read:target.xml:0,"
     "ffb\nqfThreadInfo\nqsThreadInfo\n"
     "Hg0\ng\np8\nP0=01020304\nm0,40\nM500,2:0102\nvCont?\nqC\nqAttached\n"},
    {"points", "breakpoints, watchpoints, steps",
     "eZ0,f0000,1\nZ1,f0008,1\nZ2,500,4\nZ3,500,1\nZ4,8000,1000\nvCont;c:1\nvCont;s:1;c\ns\nc\nz0,f0000,1\nz2,500,"
     "4\nS05\nC05;f0000\nD\n"},
    {"binary", "X packets, escapes, monitor commands, odd numbers",
     "eX500,3:ab}\nX0,0:\nqRcmd,68656c70\nqRcmd,7265676973746572730a\nmffffffffffffffff,ffffffff\nG00\nvKill;1\nk\n"},
    {"framing", "good and bad checksums, run lengths, the interrupt byte",
     "f+$qC#b4+\x03$m0,4#fd-$?#3f$bad#00$}\x03#7d++--$g#67\n$#00\n"},
};

}  // namespace

std::vector<Seed> seeds() {
    std::vector<Seed> all;
    for (const Text& text : texts) {
        std::string bytes = text.text;
        all.push_back({text.name, text.reason, {bytes.begin(), bytes.end()}});
    }
    return all;
}

}  // namespace vellum::fuzz
