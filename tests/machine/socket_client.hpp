// The far ends of sockets, as tests play them.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <string>
#include <string_view>

#include "base/types.hpp"

namespace vellum {

class Client {
 public:
    explicit Client(const std::string& path) : descriptor_{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
        timeval patience{20, 0};
        setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.data(), path.size());
        connected = connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    }
    ~Client() { close(descriptor_); }
    void say(std::string_view text) { send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL); }
    std::string hear(std::size_t count) {
        std::string text(count, '\0');
        ssize_t n = recv(descriptor_, text.data(), count, MSG_WAITALL);
        text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
        return text;
    }
    // Says it again and again until nobody takes it any more (or so much is taken that nothing bounds it): the bytes.
    std::size_t flood(std::string_view text, std::size_t most) {
        std::size_t taken = 0;
        for (pollfd output{descriptor_, POLLOUT, 0}; taken < most && poll(&output, 1, 200) == 1;) {
            ssize_t n = send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n < 0 && errno != EAGAIN) break;
            taken += n > 0 ? static_cast<std::size_t>(n) : 0;
        }
        return taken;
    }
    void says_no_more() { shutdown(descriptor_, SHUT_WR); }
    // All that is said until the connection ends.
    std::string hear_all() {
        std::string all, part;
        while (!(part = hear(4096)).empty()) all += part;
        return all;
    }
    bool connected = false;

 private:
    int descriptor_;
};

// What came in, for the test to wait for.
class Heard {
 public:
    void add(std::string_view text) {
        std::lock_guard lock{mutex_};
        text_ += text;
        changed_.notify_all();
    }
    std::string wait_for(std::size_t count) {
        std::unique_lock lock{mutex_};
        changed_.wait_for(lock, std::chrono::seconds{20}, [&] { return text_.size() >= count; });
        return text_;
    }

 private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string text_;
};

}  // namespace vellum
