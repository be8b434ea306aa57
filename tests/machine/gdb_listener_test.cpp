// Who may be the debugger, and how much of what he says is taken when.
#include <catch2/catch.hpp>

#include <netinet/in.h>
#include <sys/wait.h>

#include <atomic>

#include "machine/endpoints.hpp"
#include "machine/gdb_packet.hpp"
#include "machine/listener.hpp"
#include "machine/peer_user.hpp"
#include "machine/socket_client.hpp"
#include "machine/tiny_machine.hpp"

using namespace vellum;

namespace {

constexpr std::size_t far_too_much = 16 << 20, kernel_keeps = 4 << 20;
constexpr std::string_view packet = "$g#67";

// A listener whose machine answers each packet with `answer`, or keeps all turns to itself.
struct Door {
    explicit Door(std::string text = "+$OK#9a", bool takes_turns = true) : answer{std::move(text)} {
        listener.serve(loop, pace,
                       {[this] { events.add("C"); },
                        [this, takes_turns](GdbListener::Turn turn) {
                            ++turns;
                            if (takes_turns) turn([this](auto bytes) { return take(bytes); });
                        },
                        [this] { events.add("D"); }});
    }
    std::size_t take(std::span<const u8> bytes) {
        for (std::size_t i = 0; i < bytes.size(); ++i)
            if (auto event = reader.take(bytes[i])) {
                if (event->kind != GdbEvent::Kind::Packet) return i + 1;
                ++packets;
                listener.send(answer);
                return i + 1;
            }
        return bytes.size();
    }

    std::string answer;
    TemporaryFolder folder;
    std::string path = folder.file("door");
    std::unique_ptr<FileAccess> files = make_direct_file_access();
    Heard events;  // C: connected, D: disconnected
    GdbReader reader;
    std::atomic<std::size_t> turns = 0, packets = 0;
    GdbListener listener{{0, path}, *files};
    ClientPace pace;
    EventLoop loop;  // goes first
};

// A port that was free a moment ago.
u16 free_port() {
    int probe = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(bind(probe, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    close(probe);
    return ntohs(address.sin_port);
}

// A process of that user that sends a packet to the port: how many bytes it is answered with.
int answer_to_user(uid_t user, u16 port) {
    pid_t child = fork();
    if (child == 0) {
        int connection = socket(AF_INET, SOCK_STREAM, 0);
        close(connection);
        if (setuid(user) != 0) _exit(100);
        connection = socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) _exit(101);
        send(connection, packet.data(), packet.size(), MSG_NOSIGNAL);
        char bytes[64];
        ssize_t n = recv(connection, bytes, sizeof bytes, 0);
        _exit(n > 0 ? static_cast<int>(n) : 0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("gdb listener: a browser's request is closed and nothing of it reaches the machine") {
    Door door;
    for (const char* first : {"POST / HTTP/1.1\r\nHost: localhost:1234\r\n\r\n$M500,1:41#c6", "GET / HTTP/1.1\r\n\r\n",
                              "\x16\x03\x01", "\n$g#67", "#$g#67"}) {
        Client browser{door.path};
        browser.say(first);
        CHECK(browser.hear_all().empty());
    }
    CHECK(door.turns == 0);
    CHECK(door.events.wait_for(0).empty());
}

TEST_CASE("gdb listener: a debugger may begin with an acknowledgement, a packet or the interrupt") {
    Door door;
    for (std::string first : {"+", "-", "$", "\x03"}) {
        Client debugger{door.path};
        debugger.say(first == "$" ? std::string{packet} : first + std::string{packet});
        CHECK(debugger.hear(7) == "+$OK#9a");
        debugger.says_no_more();
        CHECK(debugger.hear_all().empty());
    }
    CHECK(door.events.wait_for(8) == "CDCDCDCD");
}

TEST_CASE("gdb listener: who says nothing stops no machine and keeps no debugger out") {
    Door door;
    Client silent{door.path};
    Client debugger{door.path};
    debugger.say(packet);
    CHECK(debugger.hear(7) == "+$OK#9a");
    CHECK(silent.hear_all().empty());
    CHECK(door.events.wait_for(1) == "C");
}

TEST_CASE("gdb listener: a second debugger is turned away while the first one is there") {
    Door door;
    Client first{door.path};
    first.say(packet);
    CHECK(first.hear(7) == "+$OK#9a");
    Client second{door.path};
    second.say(packet);
    CHECK(second.hear_all().empty());
    first.say(packet);
    CHECK(first.hear(7) == "+$OK#9a");
    CHECK(door.packets == 2);
}

TEST_CASE("gdb listener: a debugger that floods has one turn under way, and is not read from meanwhile") {
    Door door{"", false};
    Client debugger{door.path};
    CHECK(debugger.flood("$g#67$g#67$g#67$g#67$g#67$g#67$g#67", far_too_much) < kernel_keeps);
    CHECK(door.turns == 1);
}

TEST_CASE("gdb listener: a debugger that does not read its answers is asked no more, and finds them all later") {
    Door door{std::string(4096, 'a')};
    Client debugger{door.path};
    CHECK(debugger.flood("$g#67$g#67$g#67$g#67$g#67$g#67$g#67", far_too_much) < kernel_keeps);
    CHECK(door.packets * 4096 < kernel_keeps);
    std::size_t answers = door.packets + 10;
    CHECK(debugger.hear(answers * 4096) == std::string(answers * 4096, 'a'));
}

TEST_CASE("gdb listener: what another user sends to the port is not heard") {
    if (getuid() != 0) {
        WARN("not root, who alone can become another user: not tested");
        return;
    }
    std::atomic<int> heard = 0;
    u16 port = free_port();
    auto files = make_direct_file_access();
    GdbListener listener{{port, ""}, *files};
    ClientPace pace;
    EventLoop loop;
    listener.serve(
        loop, pace,
        {[&] { ++heard; },
         [&](GdbListener::Turn turn) { turn([&](auto bytes) { return listener.send("+"), bytes.size(); }); }, [] {}});
    constexpr uid_t nobody = 65534;
    CHECK(answer_to_user(nobody, port) == 0);
    CHECK(heard == 0);
    CHECK(answer_to_user(0, port) == 1);
    CHECK(heard == 1);
}

TEST_CASE("gdb listener: rows of the host's table of sockets are read, and nothing else") {
    auto row = parse_socket_row(
        "   2: 0100007F:AD3F 0100007F:C872 01 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 20 0 0 "
        "10");
    REQUIRE(row);
    CHECK(row->local == "0100007F:AD3F");
    CHECK(row->remote == "0100007F:C872");
    CHECK(row->user == 1000);
    CHECK(row->inode == 4711);
    CHECK_FALSE(parse_socket_row(
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"));
    CHECK_FALSE(parse_socket_row("   2: 0100007F:AD3F 0100007F:C872 01 00000000:00000000"));
    CHECK_FALSE(parse_socket_row(""));
}

TEST_CASE("gdb listener: a connection that ends in itself is ours, on this host as it is") {
    u16 port = free_port();
    auto files = make_direct_file_access();
    Listener listener{port};
    PeerUsers users{listener.number()};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    Descriptor accepted = listener.accept();
    REQUIRE(accepted);
    CHECK(users.is_ours(accepted.number()));
    linger reset{1, 0};  // a peer that is gone at once leaves no row, but maybe bytes
    setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(client);
    CHECK_FALSE(users.is_ours(accepted.number()));
}
