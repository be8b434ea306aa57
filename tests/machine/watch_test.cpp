// `vellum watch` at sockets that answer as no machine does.
#include "machine/watch.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <cstring>
#include <thread>

#include "base/host_error.hpp"
#include "machine/tiny_machine.hpp"

using namespace vellum;
using Catch::Matchers::Contains;

namespace {

// Sends the text over and over to who connects, until that one has gone or has taken far too much.
class Stranger {
 public:
    Stranger(const std::string& path, std::string text) : listener_{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.data(), path.size());
        REQUIRE(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(listen(listener_, 1) == 0);
        thread_ = std::thread{[this, text = std::move(text)] {
            int connection = accept(listener_, nullptr, nullptr);
            for (std::size_t sent = 0; sent < far_too_much; sent += text.size())
                if (send(connection, text.data(), text.size(), MSG_NOSIGNAL) < 0) break;
            close(connection);
        }};
    }
    ~Stranger() {
        thread_.join();
        close(listener_);
    }

 private:
    static constexpr std::size_t far_too_much = 4 << 20;
    int listener_;
    std::thread thread_;
};

}  // namespace

TEST_CASE("watch: an answer without an end is given up") {
    TemporaryFolder folder;
    std::string text = GENERATE(std::string(1000, 'x') + "\n", std::string("error: ") + std::string(1000, 'x'));
    Stranger stranger{folder.file("socket"), text};
    CHECK_THROWS_AS(watch_times(folder.file("socket")), UsageError);
}

TEST_CASE("watch: what a terminal would obey is not shown") {
    TemporaryFolder folder;
    Stranger stranger{folder.file("socket"), "error: \x1B[2J\x9B\x07\n"};
    CHECK_THROWS_WITH(watch_times(folder.file("socket")), Contains("error: ?[2J??"));
}
