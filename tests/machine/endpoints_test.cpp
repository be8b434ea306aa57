// Files and sockets behind serial lines, and the control socket's lines.
#include "machine/endpoints.hpp"

#include <catch2/catch.hpp>

#include <thread>

#include "base/host_error.hpp"
#include "machine/socket_client.hpp"
#include "machine/tiny_machine.hpp"

using namespace vellum;

namespace {

std::span<const u8> bytes_of(std::string_view text) { return {reinterpret_cast<const u8*>(text.data()), text.size()}; }

}  // namespace

TEST_CASE("endpoints: a file takes what is sent, from its begin") {
    TemporaryFolder folder;
    folder.write("out", "something older and longer");
    auto files = make_direct_file_access();
    EventLoop loop;
    open_endpoint("--serial", {Endpoint::Kind::File, folder.file("out")}, loop, *files, {})->put(bytes_of("hello"));
    CHECK(folder.read("out") == "hello");
}

TEST_CASE("endpoints: checking makes nothing and tells what opening would") {
    TemporaryFolder folder;
    check_endpoint("--serial", {Endpoint::Kind::File, folder.file("new")});
    check_endpoint("--serial", {Endpoint::Kind::Unix, folder.file("new")});
    check_endpoint("--serial", {Endpoint::Kind::Stdio, {}});
    CHECK_FALSE(std::filesystem::exists(folder.file("new")));
    CHECK_THROWS_AS(check_endpoint("--serial", {Endpoint::Kind::File, folder.file("a/b")}), UsageError);
    CHECK_THROWS_AS(check_endpoint("--serial", {Endpoint::Kind::File, folder.file("")}), UsageError);
    CHECK_THROWS_AS(check_endpoint("--serial", {Endpoint::Kind::Unix, folder.file("a/b")}), UsageError);
    CHECK_THROWS_AS(check_endpoint("--serial", {Endpoint::Kind::Unix, folder.file(std::string(120, 'x'))}), UsageError);
}

TEST_CASE("endpoints: a socket carries bytes both ways, to one peer after the other") {
    TemporaryFolder folder;
    auto files = make_direct_file_access();
    Heard heard;
    EventLoop loop;
    std::string path = folder.file("line");
    {
        auto sink =
            open_endpoint("--serial", {Endpoint::Kind::Unix, path}, loop, *files, [&heard](std::span<const u8> bytes) {
                heard.add({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
            });
        sink->put(bytes_of("nobody hears this"));
        for (const char* name : {"first", "other"}) {
            Client client{path};
            REQUIRE(client.connected);
            std::size_t before = heard.wait_for(0).size();
            client.say(name);
            CHECK(heard.wait_for(before + 5).substr(before) == name);  // from here on the sink knows the peer
            sink->put(bytes_of("hello"));
            CHECK(client.hear(5) == "hello");
        }
        CHECK_THROWS_AS(open_endpoint("--serial", {Endpoint::Kind::Unix, path}, loop, *files, {}), UsageError);
    }
    CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("endpoints: input that is not wanted stays outside until it is") {
    TemporaryFolder folder;
    auto files = make_direct_file_access();
    Heard heard;
    std::atomic<bool> wanted = true;
    EventLoop loop;  // the last: its thread asks the others
    auto sink = open_endpoint(
        "--serial", {Endpoint::Kind::Unix, folder.file("line")}, loop, *files,
        [&](std::span<const u8> bytes) {
            wanted = false;
            heard.add({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
        },
        [&wanted] { return wanted.load(); });
    Client client{folder.file("line")};
    client.say(std::string(512, 'a'));
    CHECK(heard.wait_for(512).size() == 512);
    client.say("b");
    loop.look_again();
    CHECK(heard.wait_for(0).size() == 512);
    wanted = true;
    loop.look_again();
    CHECK(heard.wait_for(513).size() == 513);
}

TEST_CASE("endpoints: control lines arrive one by one and are answered to who sent them") {
    TemporaryFolder folder;
    auto files = make_direct_file_access();
    ClientPace pace;
    EventLoop loop;
    LineServer server{"--control", folder.file("control"),
                      loop,        pace,
                      *files,      [](std::string line, Reply reply) { reply("<" + line + ">\n"); }};
    Client first{folder.file("control")}, second{folder.file("control")};
    first.say("one\ntw");
    CHECK(first.hear(6) == "<one>\n");
    second.say("2\r\n");
    CHECK(second.hear(4) == "<2>\n");
    first.say("o\n\n");
    CHECK(first.hear(9) == "<two>\n<>\n");
    Client flood{folder.file("control")};
    flood.say(std::string(10'000, 'x'));
    CHECK(flood.hear(1).empty());  // a line without an end: the connection is closed
}

TEST_CASE("endpoints: peers that come while no input is wanted leave no descriptors behind") {
    TemporaryFolder folder;
    auto files = make_direct_file_access();
    EventLoop loop;
    auto sink = open_endpoint(
        "--serial", {Endpoint::Kind::Unix, folder.file("line")}, loop, *files, [](std::span<const u8>) {},
        [] { return false; });
    auto open_files = [] {
        std::filesystem::directory_iterator all{"/proc/self/fd"};
        return std::distance(begin(all), end(all));
    };
    Client first{folder.file("line")};
    auto before = open_files();
    std::unique_ptr<Client> last;
    for (int i = 0; i < 20; ++i) {
        auto next = std::make_unique<Client>(folder.file("line"));
        if (last) CHECK(last->hear(1).empty());  // the next one has the line
        last = std::move(next);
    }
    for (int i = 0; i < 2000 && open_files() > before + 2; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    CHECK(open_files() <= before + 2);  // both ends of `last`, or one more
}

TEST_CASE("endpoints: whoever speaks to an end that takes no input is not heard") {
    TemporaryFolder folder;
    auto files = make_direct_file_access();
    EventLoop loop;
    auto sink = open_endpoint("--serial", {Endpoint::Kind::Unix, folder.file("line")}, loop, *files, {});
    Client client{folder.file("line")};
    client.say("anything");
    client.says_no_more();
    CHECK(client.hear(1).empty());  // it was read to its end
}

TEST_CASE("endpoints: a reader who does not read is not waited for when the machine is to end") {
    TemporaryFolder folder;
    auto files = make_direct_file_access();
    std::atomic<bool> connected = false;
    int asked = 0;
    EventLoop loop;
    auto sink = open_endpoint(
        "--serial", {Endpoint::Kind::Unix, folder.file("line")}, loop, *files,
        [&](std::span<const u8>) { connected = true; }, {}, [&asked] { return ++asked > 0; });
    Client client{folder.file("line")};
    client.say("x");
    while (!connected) std::this_thread::yield();
    std::vector<u8> much(16 << 20);
    sink->put(much);
    CHECK(asked == 1);
    sink->put(much);
    CHECK(asked <= 2);
}
