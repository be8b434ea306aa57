// Every unusable input: status 2, one line that names it and says what to do, and nothing changed.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <functional>

#include "program/host_program.hpp"
#include "program/tiny_firmware.hpp"

using namespace vellum::test;
using Catch::Matchers::Contains;

namespace {

// Made-up kernels. The offsets are those of the boot protocol: 1F1h set-up sectors, 1F4h length in paragraphs, 202h
// magic, 206h version, 211h load flags, 22Ch highest initrd address, 238h longest command line, 260h memory needed.
struct Kernel {
    std::string bytes = std::string(1024 + 4096, '\0');
    Kernel() {
        set(0x1F1, 1, 1)
            .set(0x1F4, 256, 4)
            .set(0x202, 0x53726448, 4)
            .set(0x206, 0x20F, 2)
            .set(0x211, 1, 1)
            .set(0x22C, 0x7FFFFFFF, 4)
            .set(0x238, 255, 4)
            .set(0x260, 0x100000, 4);
    }
    Kernel& set(std::size_t at, unsigned value, int size) {
        for (int i = 0; i < size; ++i) bytes[at + static_cast<std::size_t>(i)] = static_cast<char>(value >> (8 * i));
        return *this;
    }
};

struct BadInput {
    const char* name;
    std::function<void(const Scratch&)> prepare;
    Words words;
    Words parts;
    bool only_as_other_user = false;  // root may do it
};

void sparse(const Scratch& scratch, const std::string& name, unsigned long size) {
    scratch.write(name, "");
    std::filesystem::resize_file(scratch.file(name), size);
}

const std::function<void(const Scratch&)> nothing = [](const Scratch&) {};

const BadInput inputs[] = {
    {"missing snapshot", nothing, {"--restore", "nowhere"}, {"--restore nowhere", "no such file", "check the name"}},
    {"snapshot is a folder", nothing, {"--restore", "."}, {"--restore .", "is no file"}},
    {"snapshot is a text",
     [](const Scratch& s) { s.write("s", "a letter\n"); },
     {"--restore", "s"},
     {"--restore s", "is not a snapshot"}},
    {"snapshot is cut off",
     [](const Scratch& s) { s.write("s", "Vellum snapshot\n\1"); },
     {"--restore", "s"},
     {"--restore s", "is cut off"}},
    {"snapshot into a folder that is missing", nothing, {"--save", "missing/s"}, {"--save missing/s", "name another"}},
    {"snapshot in place of a disk",
     [](const Scratch& s) { s.write("disk", std::string(512, 'x')); },
     {"--hda", "disk", "--save", "disk"},
     {"--save disk", "is no snapshot", "name another"}},
    {"missing kernel", nothing, {"--kernel", "nowhere"}, {"--kernel nowhere", "No such file", "name a readable file"}},
    {"kernel is a folder", nothing, {"--kernel", "."}, {"--kernel .", "is a directory", "name a file"}},
    {"kernel is a device", nothing, {"--kernel", "/dev/zero"}, {"--kernel /dev/zero", "regular file"}},
    {"kernel is a pipe",
     [](const Scratch& s) { mkfifo(s.file("pipe").c_str(), 0600); },
     {"--kernel", "pipe"},
     {"--kernel pipe", "regular file"}},
    {"kernel nobody may read",
     [](const Scratch& s) { chmod(s.write("secret", Kernel{}.bytes).c_str(), 0); },
     {"--kernel", "secret"},
     {"--kernel secret", "Permission denied", "name a readable file"},
     true},
    {"empty kernel", [](const Scratch& s) { s.write("k", ""); }, {"--kernel", "k"}, {"--kernel k", "neither"}},
    {"kernel is a text",
     [](const Scratch& s) { s.write("k", std::string(5000, 'k')); },
     {"--kernel", "k"},
     {"--kernel k", "neither a Linux bzImage nor a Multiboot kernel"}},
    {"truncated kernel",
     [](const Scratch& s) { s.write("k", Kernel{}.bytes.substr(0, 3000)); },
     {"--kernel", "k"},
     {"--kernel k", "truncated", "3000"}},
    {"kernel cut in its header",
     [](const Scratch& s) { s.write("k", Kernel{}.bytes.substr(0, 0x210)); },
     {"--kernel", "k"},
     {"--kernel k", "neither"}},
    {"kernel of an old protocol",
     [](const Scratch& s) { s.write("k", Kernel{}.set(0x206, 0x203, 2).bytes); },
     {"--kernel", "k"},
     {"--kernel k", "2.03 is too old"}},
    {"kernel that wants more memory",
     [](const Scratch& s) { s.write("k", Kernel{}.set(0x260, 0x10000000, 4).bytes); },
     {"--kernel", "k", "-m", "64"},
     {"--kernel k", "needs 258 MiB", "-m"}},
    {"kernel larger than memory",
     [](const Scratch& s) { sparse(s, "k", 1ul << 40); },
     {"--kernel", "k"},
     {"--kernel k", "name a smaller file"}},
    {"command line too long",
     [](const Scratch& s) { s.write("k", Kernel{}.bytes); },
     {"--kernel", "k", "--append", std::string(256, 'a')},
     {"--append", "256 characters", "takes 255"}},
    {"missing initrd",
     [](const Scratch& s) { s.write("k", Kernel{}.bytes); },
     {"--kernel", "k", "--initrd", "nowhere"},
     {"--initrd nowhere", "No such file"}},
    {"empty initrd",
     [](const Scratch& s) { s.write("k", Kernel{}.bytes), s.write("i", ""); },
     {"--kernel", "k", "--initrd", "i"},
     {"--initrd i", "empty"}},
    {"initrd that does not fit",
     [](const Scratch& s) { s.write("k", Kernel{}.bytes), sparse(s, "i", 63u << 20); },
     {"--kernel", "k", "--initrd", "i", "-m", "64"},
     {"--initrd", "do not fit", "-m"}},
    {"initrd larger than memory",
     [](const Scratch& s) { s.write("k", Kernel{}.bytes), sparse(s, "i", 1ul << 40); },
     {"--kernel", "k", "--initrd", "i"},
     {"--initrd i", "do not fit"}},
    {"missing disk", nothing, {"--hda", "nowhere"}, {"--hda nowhere", "No such file", "check the name"}},
    {"disk is a folder", nothing, {"--hdb", "."}, {"--hdb .", "irectory"}},
    {"disk is a device", nothing, {"--hdc", "/dev/null"}, {"--hdc /dev/null", "not a file"}},
    {"disk is a pipe",
     [](const Scratch& s) { mkfifo(s.file("pipe").c_str(), 0600); },
     {"--hda", "pipe", "--snapshot"},
     {"--hda pipe", "not a file"}},
    {"disk of odd size",
     [](const Scratch& s) { s.write("d", std::string(1000, 'd')); },
     {"--hdd", "d"},
     {"--hdd d", "1000 bytes", "multiple of 512"}},
    {"disk of odd size with --snapshot",
     [](const Scratch& s) { s.write("d", std::string(513, 'd')); },
     {"--hda", "d", "--snapshot"},
     {"--hda d", "513 bytes", "multiple of 512"}},
    {"empty disk", [](const Scratch& s) { s.write("d", ""); }, {"--hda", "d"}, {"--hda d", "empty"}},
    {"read-only disk",
     [](const Scratch& s) { chmod(s.write("d", std::string(1024, 'd')).c_str(), 0444); },
     {"--hda", "d"},
     {"--hda d", "make it writable, or use --snapshot"}},
    {"disk in a place that cannot be written",
     nothing,
     {"--hda", "/proc/version"},
     {"--hda /proc/version", "make it writable, or use --snapshot"}},
    {"one disk twice",
     [](const Scratch& s) { s.write("d", std::string(1024, 'd')); },
     {"--hda", "d", "--hdb", "d"},
     {"--hdb d", "in use"}},
    {"disk in a format of its own",
     [](const Scratch& s) { s.write("d", "QFI\xFB" + std::string(8188, '\0')); },
     {"--hda", "d"},
     {"--hda d", "qcow2", "raw:d"}},
    {"fixed VHD with --snapshot",
     [](const Scratch& s) { s.write("d", std::string(8192, '\0') + "conectix" + std::string(504, '\0')); },
     {"--hda", "d", "--snapshot"},
     {"--hda d", "VHD", "raw:d"}},
    {"CD of whole sectors",
     [](const Scratch& s) {
         std::string sync = '\0' + std::string(10, '\xFF') + '\0';
         s.write("c", sync + std::string(2352 * 256 - sync.size(), '\0'));
     },
     {"--cdrom", "c"},
     {"--cdrom c", "2352"}},
    {"missing CD", nothing, {"--cdrom", "nowhere"}, {"--cdrom nowhere", "No such file"}},
    {"CD of odd size",
     [](const Scratch& s) { s.write("c", std::string(3000, 'c')); },
     {"--cdrom", "c"},
     {"--cdrom c", "multiple of 2048"}},
    {"missing floppy", nothing, {"--fda", "nowhere"}, {"--fda nowhere", "No such file"}},
    {"floppy that is too large",
     [](const Scratch& s) { s.write("f", std::string(4 << 20, 'f')); },
     {"--fda", "f"},
     {"--fda f", "floppy"}},
    {"missing firmware", nothing, {"--bios", "nowhere"}, {"--bios nowhere", "No such file"}},
    {"firmware of odd size",
     [](const Scratch& s) { s.write("b", std::string(1000, 'b')); },
     {"--bios", "b"},
     {"--bios b", "1000 bytes", "64 KiB"}},
    {"firmware that is too large",
     [](const Scratch& s) { sparse(s, "b", 4u << 20); },
     {"--bios", "b"},
     {"--bios b", "name a smaller file"}},
    {"missing video firmware", nothing, {"--vga-bios", "nowhere"}, {"--vga-bios nowhere", "No such file"}},
    {"video firmware that is too large",
     [](const Scratch& s) { sparse(s, "v", 100'000); },
     {"--vga-bios", "v"},
     {"--vga-bios v", "64 KiB"}},
    {"too little memory", nothing, {"-m", "0"}, {"--memory 0", "1M to 3G"}},
    {"too much memory", nothing, {"-m", "4G"}, {"--memory 4G", "1M to 3G"}},
    {"unknown option", nothing, {"--frobnicate"}, {"--frobnicate", "vellum --help"}},
    {"missing disk, named by a word alone", nothing, {"disk.img"}, {"--hda disk.img", "No such file"}},
    {"unknown word", nothing, {"frobnicate"}, {"frobnicate", "vellum --help"}},
    {"no display", nothing, {"--display", "sdl"}, {"--display sdl", "--display terminal or --display none"}},
    {"no terminal", nothing, {"--display", "terminal"}, {"--display terminal", "--display none"}},
    {"terminal twice",
     nothing,
     {"--display", "terminal", "--serial", "stdio"},
     {"--serial stdio", "--display terminal"}},
    {"serial file in a folder that is not there",
     nothing,
     {"--serial", "file:nowhere/s"},
     {"--serial file:nowhere/s", "No such file", "name a file that can be written"}},
    {"serial file is a folder", nothing, {"--serial", "file:."}, {"--serial file:.", "directory"}},
    {"debug console in a folder that is not there",
     nothing,
     {"--debugcon", "file:nowhere/s"},
     {"--debugcon file:nowhere/s", "No such file"}},
    {"jitdump in a folder that is not there",
     nothing,
     {"--perf", "jitdump:nowhere"},
     {"--perf jitdump:nowhere: nowhere/jit-", ".dump: No such file", "name a folder"}},
    {"jitdump in a folder that is a file",
     [](const Scratch& s) { s.write("file", ""); },
     {"--perf", "jitdump:file"},
     {"--perf jitdump:file", "Not a directory", "name a folder"}},
    {"jitdump in a folder where no files can be made",
     nothing,
     {"--perf", "jitdump:/proc"},
     {"--perf jitdump:/proc: /proc/jit-", "name a folder"}},
    {"names of code that is not translated",
     nothing,
     {"--perf", "map", "--engine", "interp"},
     {"--perf", "--engine interp", "use --engine bt"}},
    {"control socket in a folder that is not there",
     nothing,
     {"--control", "unix:nowhere/s"},
     {"--control unix:nowhere/s", "No such file"}},
    {"control socket where a file is",
     [](const Scratch& s) { s.write("precious", "text"); },
     {"--control", "unix:precious"},
     {"--control unix:precious", "no socket"}},
    {"serial socket with too long a path",
     nothing,
     {"--serial", "unix:" + std::string(200, 'p')},
     {"--serial unix:ppp", "too long"}},
};

// Options whose files appear when a run begins or ends: after a refusal none may be there.
Words with_outputs(const BadInput& input) {
    Words words = {"run"};
    auto names = [&input](const char* option) {
        return std::find(input.words.begin(), input.words.end(), option) != input.words.end();
    };
    if (!names("--display")) words.insert(words.end(), {"--display", "none"});
    if (!names("--control")) words.insert(words.end(), {"--control", "unix:control"});
    if (!names("--debugcon")) words.insert(words.end(), {"--debugcon", "file:old-debug"});
    words.insert(words.end(), {"--serial", "file:old-serial", "--stats", "stats", "--screenshot", "picture.png"});
    words.insert(words.end(), input.words.begin(), input.words.end());
    return words;
}

}  // namespace

TEST_CASE("bad input: is refused with status 2 and one line, and nothing changes", "[program]") {
    for (const BadInput& input : inputs) {
        if (input.only_as_other_user && am_root()) continue;
        INFO(input.name);
        Scratch scratch;
        scratch.write("old-serial", "from an earlier run");
        scratch.write("old-debug", "from an earlier run");
        input.prepare(scratch);
        std::string before = contents_of(scratch.path());
        Ended ended = run_vellum(scratch, with_outputs(input));
        CHECK(ended.status == 2);
        CHECK(ended.out.empty());
        CHECK(std::count(ended.err.begin(), ended.err.end(), '\n') == 1);
        CHECK_THAT(ended.err, Catch::Matchers::StartsWith("vellum: "));
        for (const std::string& part : input.parts) CHECK_THAT(ended.err, Contains(part));
        CHECK(contents_of(scratch.path()) == before);
    }
}

TEST_CASE("bad input: a socket that somebody listens on is not taken away", "[program]") {
    Scratch scratch;
    scratch.write("bios", TinyFirmware{}.stand_still().image());
    const Words words = {"run",  "--engine",  "interp", "-m",        "1",           "--bios",
                         "bios", "--display", "none",   "--control", "unix:control"};
    Process first{scratch, vellum_words(words), {}};
    CHECK(control(scratch.file("control"), "pause") == "ok\n");
    Scratch second;
    second.write("bios", TinyFirmware{}.stand_still().image());
    Words again = words;
    again.back() = "unix:" + scratch.file("control");
    Ended ended = run_vellum(second, again);
    CHECK(ended.status == 2);
    CHECK_THAT(ended.err, Contains("somebody else listens there"));
    CHECK(control(scratch.file("control"), "quit") == "ok\n");
    CHECK(first.wait().status == 0);
}

TEST_CASE("bad input: a socket left behind by a run that was killed is replaced", "[program]") {
    Scratch scratch;
    scratch.write("bios", TinyFirmware{}.stand_still().image());
    const Words words = {"run",  "--engine",  "interp", "-m",        "1",           "--bios",
                         "bios", "--display", "none",   "--control", "unix:control"};
    {
        Process killed{scratch, vellum_words(words), {}};
        CHECK(control(scratch.file("control"), "continue") == "ok\n");
    }
    REQUIRE(std::filesystem::exists(scratch.file("control")));
    Process next{scratch, vellum_words(words), {}};
    CHECK(control(scratch.file("control"), "quit") == "ok\n");
    CHECK(next.wait().status == 0);
}
