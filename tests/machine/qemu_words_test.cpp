// Command lines from tutorials for QEMU.
#include "machine/qemu_words.hpp"

#include <catch2/catch.hpp>

#include "base/host_error.hpp"

using namespace vellum;

namespace {

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t blank = std::min(text.find(' ', at), text.size());
        words.emplace_back(text.substr(at, blank - at));
        at = blank + 1;
    }
    return words;
}

// What a line becomes, or its refusal.
std::string meaning_of(std::string_view line) {
    try {
        QemuWords made = from_qemu(split(line));
        if (!made.help.empty()) return "help: " + made.help;
        std::string text;
        for (const std::string& word : made.words) text += (text.empty() ? "" : " ") + word;
        return text;
    } catch (const UsageError& refusal) {
        return std::string{"refused: "} + refusal.what();
    }
}

struct Line {
    std::string_view typed, meaning;
};

constexpr Line meanings[] = {
    // --- what this machine is or does anyway
    {"-machine pc", ""},
    {"-M pc,accel=tcg", ""},
    {"-machine accel=tcg,usb=off", ""},
    {"-accel tcg,thread=single", ""},
    {"-smp 1", ""},
    {"-smp cpus=1,cores=1,threads=1", ""},
    {"-cpu n270", ""},
    {"-vga std", ""},
    {"-net none -nic none", ""},
    {"-monitor none -parallel none", ""},
    {"-name test,process=p", ""},
    {"-k de -no-fd-bootchk -no-user-config -nodefaults", ""},
    {"-rtc base=utc,clock=host", ""},
    {"-boot menu=on", ""},
    {"-sandbox on", ""},
    {"-device VGA -device piix3-ide,id=ide", ""},
    // --- equivalents
    {"-m size=256M", "--memory 256M"},
    {"-m 2G", "-m 2G"},
    {"-boot order=d,menu=on", "--boot d"},
    {"-boot d", "-boot d"},
    {"-curses", "--display terminal"},
    {"-display gtk,gl=off", "-display sdl"},
    {"-display curses", "-display terminal"},
    {"-serial mon:stdio", "--serial stdio"},
    {"-serial unix:s.sock,server,nowait", "--serial unix:s.sock"},
    {"-serial unix:s.sock,server=on,wait=off", "--serial unix:s.sock"},
    {"-serial none", "--serial null"},
    {"-chardev stdio,id=c0 -device isa-debugcon,chardev=c0", "--debugcon stdio"},
    {"-chardev file,id=f,path=a,,b -serial chardev:f", "--serial file:a,b"},
    {"-chardev socket,id=s,path=p,server=on,wait=off -device isa-serial,chardev=s", "--serial unix:p"},
    {"-device isa-debug-exit,iobase=0xf4,iosize=0x04", "--debug-exit"},
    {"-drive file=a.img,format=raw", "--hda raw:a.img"},
    {"-drive file=a.img", "--hda a.img"},
    {"-drive format=raw,file=f.img,if=floppy,index=1", "--fdb raw:f.img"},
    {"-drive file=a,,b.img,index=3,media=disk,cache=none", "--hdd a,b.img"},
    {"-drive file=b.img -drive file=a.img,index=0", "--hda a.img --hdb b.img"},
    {"-hda a.img -drive file=b.img", "-hda a.img --hdb b.img"},
    {"-drive file=c.iso,media=cdrom,readonly=on", "--cdrom c.iso"},
    {"-drive file=d.img,if=none,id=x -device ide-hd,drive=x,bus=ide.1,unit=1", "--hdd d.img"},
    {"-drive file=c.iso,if=none,id=x -device ide-cd,drive=x", "--cdrom c.iso"},
    {"hdd.img", "--hda hdd.img"},
    {"-m 64 images/hdd", "-m 64 --hda images/hdd"},
    {"-action reboot=shutdown", "--no-reboot"},
    {"-icount shift=0", "--clock instructions"},
    {"-sandbox off", "--no-sandbox"},
    {"-version", "--version"},
    {"-h", "--help"},
    {"-machine help", "help: pc    a PC with the 440FX and PIIX3 chips: the only machine\n"},
    // --- values of options before them, and our own words
    {"--kernel k.elf --append -enable-kvm", "--kernel k.elf --append -enable-kvm"},
    {"--stats -d", "--stats -d"},
    {"watch a/b.sock", "watch a/b.sock"},
    {"run --no-reboot", "run --no-reboot"},
};

// What is refused, by the name that must stand in the message.
constexpr Line refusals[] = {
    {"-machine q35", "q35"},
    {"-cpu host", "-cpu host"},
    {"-cpu 486", "486"},
    {"-smp 2", "-smp 2"},
    {"-smp cores=2", "cores=2"},
    {"-enable-kvm", "-enable-kvm"},
    {"-accel kvm", "kvm"},
    {"-vga cirrus", "cirrus"},
    {"-net nic,model=ne2k_pci", "-net nic"},
    {"-netdev user,id=n0", "-netdev"},
    {"-device rtl8139,netdev=n0", "rtl8139"},
    {"-device isa-debug-exit", "iobase"},
    {"-device isa-debugcon,chardev=none", "chardev:none"},
    {"-usb", "USB"},
    {"-soundhw sb16", "-soundhw"},
    {"-audiodev pa,id=a", "-audiodev"},
    {"-monitor stdio", "-monitor stdio"},
    {"-qmp unix:x,server", "-qmp"},
    {"-serial pty", "-serial pty"},
    {"-serial tcp::4444,server,nowait", "tcp::4444"},
    {"-serial unix:s.sock,server", "unix:s.sock,server"},
    {"-display vnc=:0", "vnc"},
    {"-vnc :0", "-vnc"},
    {"-full-screen", "-full-screen"},
    {"-rtc base=localtime", "localtime"},
    {"-no-acpi", "-no-acpi"},
    {"-no-shutdown", "-no-shutdown"},
    {"-boot once=d", "once=d"},
    {"-boot n", "network"},
    {"-drive file=d.qcow2,format=qcow2", "qcow2"},
    {"-drive file=d.img,if=virtio", "if=virtio"},
    {"-drive file=d.img,index=7", "index=7"},
    {"-drive file=a.img,index=0 -drive file=b.img,index=0", "b.img"},
    {"-drive media=disk", "file="},
    {"-hda fat:rw:folder", "fat:rw:folder"},
    {"-icount shift=auto", "-icount"},
    {"-d int", "-d"},
    {"-daemonize", "-daemonize"},
    {"-global ide-cd.x=1", "-global"},
    {"-m 256M,slots=2", "slots=2"},
};

}  // namespace

TEST_CASE("qemu words: what changes nothing is left out, and what has an equivalent becomes it") {
    for (const Line& line : meanings) {
        CAPTURE(line.typed);
        CHECK(meaning_of(line.typed) == line.meaning);
    }
}

TEST_CASE("qemu words: what is not here is refused by its own name") {
    for (const Line& line : refusals) {
        CAPTURE(line.typed);
        std::string answer = meaning_of(line.typed);
        CHECK_THAT(answer, Catch::StartsWith("refused: "));
        CHECK_THAT(answer, Catch::Contains(std::string{line.meaning}));
    }
}
