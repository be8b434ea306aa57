// The control socket's clients that ask too much, read too little, or are too many.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/resource.h>

#include <deque>

#include "base/descriptor.hpp"
#include "machine/endpoints.hpp"
#include "machine/socket_client.hpp"
#include "machine/tiny_machine.hpp"

using namespace vellum;

namespace {

constexpr std::size_t far_too_much = 16 << 20, kernel_keeps = 2 << 20;

// Lines that wait for their answers.
class Asked {
 public:
    void add(std::string line, Reply reply) {
        std::lock_guard lock{mutex_};
        asked_.push_back({std::move(line), std::move(reply)});
        changed_.notify_all();
    }
    std::size_t count() {
        std::lock_guard lock{mutex_};
        return asked_.size();
    }
    // Waits for the next line and answers it.
    std::string answer(const std::string& text) {
        std::unique_lock lock{mutex_};
        changed_.wait_for(lock, std::chrono::seconds{20}, [this] { return !asked_.empty(); });
        if (asked_.empty()) return "nothing";
        auto [line, reply] = std::move(asked_.front());
        asked_.pop_front();
        lock.unlock();
        reply(text);
        return line;
    }

 private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::pair<std::string, Reply>> asked_;
};

struct Control {
    TemporaryFolder folder;
    std::string path = folder.file("control");
    std::unique_ptr<FileAccess> files = make_direct_file_access();
    ClientPace pace;
};

const std::string line = std::string(63, 'x') + "\n";

}  // namespace

TEST_CASE("control socket: a client that floods has one line under way, and is not read from meanwhile") {
    Control control;
    Asked asked;
    EventLoop loop;
    LineServer server{
        "--control",    control.path,
        loop,           control.pace,
        *control.files, [&](std::string text, Reply reply) { asked.add(std::move(text), std::move(reply)); }};
    Client client{control.path};
    CHECK(client.flood(line, far_too_much) < kernel_keeps);
    CHECK(asked.count() == 1);
    CHECK(asked.answer("ok\n") == line.substr(0, 63));
    CHECK(asked.answer("ok\n") == line.substr(0, 63));
    CHECK(client.hear(6) == "ok\nok\n");
}

TEST_CASE("control socket: a client that does not read its answers is asked no more, and finds them all later") {
    Control control;
    const std::string answer = std::string(4095, 'a') + "\n";
    std::atomic<std::size_t> answers = 0;
    EventLoop loop;
    LineServer server{"--control", control.path, loop, control.pace, *control.files, [&](std::string, Reply reply) {
                          ++answers;
                          reply(answer);
                      }};
    Client client{control.path};
    CHECK(client.flood("\n", far_too_much) < kernel_keeps);
    CHECK(answers * answer.size() < kernel_keeps);
    std::size_t lines = answers + 10;  // some that have waited until now
    std::string heard = client.hear(lines * answer.size());
    CHECK(heard.size() == lines * answer.size());
    CHECK(heard.substr(heard.size() - answer.size()) == answer);
}

TEST_CASE("control socket: a client that only reads on gets what it asked for before") {
    Control control;
    EventLoop loop;
    LineServer server{"--control",  control.path,   loop,
                      control.pace, *control.files, [](std::string text, Reply reply) { reply(text + "\n"); }};
    Client client{control.path};
    client.say("one\ntwo\nthree\n");
    client.says_no_more();
    CHECK(client.hear_all() == "one\ntwo\nthree\n");
}

TEST_CASE("control socket: clients have their turns one after the other, and quit needs no turn") {
    Control control;
    Asked asked, overtaken;
    EventLoop loop;
    LineServer server{"--control",
                      control.path,
                      loop,
                      control.pace,
                      *control.files,
                      [&](std::string text, Reply reply) {
                          (text == "quit" ? overtaken : asked).add(std::move(text), std::move(reply));
                      },
                      [](const std::string& text) { return text == "quit"; }};
    Client flood{control.path}, other{control.path}, last{control.path};
    flood.say("a\nb\nc\n");
    other.say("d\n");
    last.say("quit\n");
    CHECK(overtaken.answer("bye\n") == "quit");  // although nothing was answered yet
    CHECK(last.hear(4) == "bye\n");
    std::string order;
    for (int i = 0; i < 4; ++i) order += asked.answer("ok\n");
    CHECK(order == "adbc");
}

TEST_CASE("control socket: quit waits for what its own client asked before, and for nobody else") {
    Control control;
    Asked asked, overtaken;
    EventLoop loop;
    LineServer server{"--control",
                      control.path,
                      loop,
                      control.pace,
                      *control.files,
                      [&](std::string text, Reply reply) {
                          (text == "quit" ? overtaken : asked).add(std::move(text), std::move(reply));
                      },
                      [](const std::string& text) { return text == "quit"; }};
    Client first{control.path}, other{control.path}, fence{control.path};
    first.say("save x\nquit\n");
    other.say("stats\n");
    fence.say("quit\n");
    CHECK(overtaken.answer("bye\n") == "quit");  // the fence's: all lines have been seen
    CHECK(overtaken.count() == 0);
    CHECK(asked.answer("ok\n") == "save x");
    CHECK(overtaken.answer("bye\n") == "quit");
    CHECK(first.hear(7) == "ok\nbye\n");
    CHECK(asked.answer("ok\n") == "stats");
}

TEST_CASE("control socket: the ninth client is told that there are enough, and one that goes makes room") {
    Control control;
    EventLoop loop;
    LineServer server{"--control",  control.path,   loop,
                      control.pace, *control.files, [](std::string, Reply reply) { reply("ok\n"); }};
    auto greeted = [&] {
        auto client = std::make_unique<Client>(control.path);
        client->say("\n");
        REQUIRE(client->hear(3) == "ok\n");
        return client;
    };
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 8; ++i) clients.push_back(greeted());
    CHECK(Client{control.path}.hear_all() == "error: too many connections\n");
    clients[3]->says_no_more();
    CHECK(clients[3]->hear_all().empty());
    CHECK(greeted());
}

TEST_CASE("control socket: listening survives a time without descriptors") {
    Control control;
    EventLoop loop;
    LineServer server{"--control",  control.path,   loop,
                      control.pace, *control.files, [](std::string text, Reply reply) { reply(text + "\n"); }};
    Client first{control.path};
    first.say("one\n");
    REQUIRE(first.hear(4) == "one\n");
    rlimit before{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
    std::unique_ptr<Client> second;
    {
        std::vector<Descriptor> fill;
        rlimit low{256, before.rlim_max};
        REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
        for (int n; (n = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) fill.emplace_back(n);
        fill.pop_back();
        second = std::make_unique<Client>(control.path);  // with the last descriptor there is
        CHECK(second->connected);
        second->say("two\n");
        first.say("three\n");
        CHECK(first.hear(6) == "three\n");  // letting `second` in has been tried by then
    }
    setrlimit(RLIMIT_NOFILE, &before);
    CHECK(second->hear(4) == "two\n");
}
