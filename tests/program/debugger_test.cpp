// The distribution's own GDB at a running Vellum, if it is installed.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <chrono>
#include <filesystem>
#include <thread>
#include <utility>

#include "program/host_program.hpp"
#include "program/tiny_firmware.hpp"

using namespace vellum::test;
using Catch::Matchers::Contains;

namespace {

constexpr const char* gdb = "/usr/bin/gdb";

// xor ax,ax; mov ds,ax; loop: inc word [500h]; jmp loop
TinyFirmware counting() { return TinyFirmware{}.bytes({0x31, 0xC0, 0x8E, 0xD8, 0xFF, 0x06, 0x00, 0x05, 0xEB, 0xFA}); }

bool comes_into_being(const std::string& path) {
    for (int tries = 0; tries < 3000; ++tries) {
        if (std::filesystem::exists(path)) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    return false;
}

// A port of 127.0.0.1 on which the test itself listens.
class TakenPort {
 public:
    TakenPort() : listener_{socket(AF_INET, SOCK_STREAM, 0)} {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(listen(listener_, 1) == 0);
        socklen_t size = sizeof address;
        REQUIRE(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        number_ = ntohs(address.sin_port);
    }
    ~TakenPort() { free(); }
    void free() {
        if (listener_ >= 0) close(listener_);
        listener_ = -1;
    }
    TakenPort(const TakenPort&) = delete;
    TakenPort& operator=(const TakenPort&) = delete;
    int number() const { return number_; }

 private:
    int listener_, number_ = 0;
};

// Says that to the port, which may be opened only now; what is answered until it is silent for a second, or closed.
std::string answer_at(int port, const std::string& text) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int connection = -1;
    for (int tries = 0; tries < 3000 && connection < 0; ++tries) {
        connection = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) break;
        close(std::exchange(connection, -1));
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    timeval silence{1, 0};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence);
    send(connection, text.data(), text.size(), MSG_NOSIGNAL);
    std::string answer;
    char bytes[256];
    for (ssize_t n; (n = recv(connection, bytes, sizeof bytes, 0)) > 0;) answer.append(bytes, static_cast<size_t>(n));
    close(connection);
    return answer;
}

// The same as that user, in a process of its own: the exit status is how much was answered.
size_t answer_to_user(uid_t user, int port, const std::string& text) {
    pid_t child = fork();
    if (child == 0) _exit(setuid(user) != 0 ? 100 : static_cast<int>(answer_at(port, text).size()));
    int status = 0;
    waitpid(child, &status, 0);
    return static_cast<size_t>(WEXITSTATUS(status));
}

}  // namespace

TEST_CASE("debugger: GDB sees registers and memory, steps, breaks, watches, detaches, comes back and kills") {
    if (!std::filesystem::exists(gdb)) {
        WARN("no GDB here: not tested");
        return;
    }
    std::string engine = GENERATE(as<std::string>{}, VELLUM_TEST_ENGINES);
    INFO(engine);
    Scratch scratch;
    scratch.write("bios", counting().image());
    scratch.write("script",
                  "set pagination off\n"
                  "set confirm off\n"
                  "set architecture i386\n"
                  "target remote door\n"
                  "info registers\n"
                  "x/3i 0xf0000\n"
                  "stepi\n"
                  "printf \"stepped to %x:%x\\n\", $cs, $pc\n"
                  "hbreak *0xf0004\n"
                  "continue\n"
                  "printf \"broke at %x with %d\\n\", $pc, *(short*)0x500\n"
                  "continue\n"
                  "printf \"broke at %x with %d\\n\", $pc, *(short*)0x500\n"
                  "delete\n"
                  "watch *(short*)0x500\n"
                  "continue\n"
                  "continue\n"
                  "delete\n"
                  "set var $xmm1.v4_int32[2] = 1234567\n"
                  "set var *(short*)0x500 = 30000\n"
                  "set var $bx = 0x1234\n"
                  "info registers bx\n"
                  "print $xmm1.v4_int32\n"
                  "watch *(short*)0x500\n"
                  "continue\n"
                  "monitor info registers\n"
                  "detach\n"
                  "target remote door\n"
                  "kill\n");
    Process vellum{scratch,
                   vellum_words({"run", "--engine", engine, "--bios", "bios", "-m", "1", "--display", "none", "--gdb",
                                 "unix:door", "-S", "--time-limit", "100"}),
                   {}};
    REQUIRE(comes_into_being(scratch.file("door")));
    Ended debugger = Process{scratch, {gdb, "-nx", "-batch", "-x", "script"}, {}}.wait();
    INFO(debugger.err);
    CHECK_THAT(debugger.out, Contains("eip            0xfff0"));
    CHECK_THAT(debugger.out, Contains("stepped to f000:0"));
    CHECK_THAT(debugger.out, Contains("broke at 4 with 0") && Contains("broke at 4 with 1"));
    CHECK_THAT(debugger.out, Contains("Old value = 1\nNew value = 2") && Contains("Old value = 2\nNew value = 3"));
    CHECK_THAT(debugger.out, Contains("0x1234") && Contains("{0, 0, 1234567, 0}"));
    CHECK_THAT(debugger.out, Contains("Old value = 30000\nNew value = 30001"));
    CHECK_THAT(debugger.out + debugger.err, Contains("idtr base"));
    CHECK(debugger.status == 0);
    CHECK(vellum.wait().status == 0);
}

TEST_CASE("debugger: a port that somebody else has is refused") {
    Scratch scratch;
    scratch.write("bios", TinyFirmware{}.spin().image());
    TakenPort taken;
    Ended ended = run_vellum(scratch, {"run", "--bios", "bios", "-m", "1", "--display", "none", "--gdb",
                                       std::to_string(taken.number()), "--time-limit", "10"});
    CHECK(ended.status == 2);
    CHECK_THAT(ended.err, Contains("--gdb " + std::to_string(taken.number())));
}

TEST_CASE("debugger: what a browser or another user sends to the port is not answered, and writes nothing") {
    Scratch scratch;
    scratch.write("bios", TinyFirmware{}.spin().image());
    TakenPort place;
    int port = place.number();
    place.free();
    Process vellum{scratch,
                   vellum_words({"run", "--bios", "bios", "-m", "1", "--display", "none", "--gdb", std::to_string(port),
                                 "--time-limit", "100"}),
                   {}};
    const std::string write = "$M600,2:4142#46", read = "$m600,2#61", kill = "$k#6b";
    CHECK(answer_at(port, "POST / HTTP/1.1\r\nHost: localhost\r\n\r\n" + write).empty());
    constexpr uid_t nobody = 65534;
    if (am_root()) CHECK(answer_to_user(nobody, port, write) == 0);
    CHECK(answer_at(port, read) == "+$0000#c0");
    answer_at(port, kill);
    CHECK(vellum.wait().status == 0);
}
