// Listening with Unix sockets and on the loopback interface.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "base/host_error.hpp"
#include "machine/endpoints.hpp"
#include "machine/host_process.hpp"
#include "machine/listener.hpp"
#include "machine/socket_path.hpp"

namespace vellum {

namespace {

constexpr int backlog = 4;

Descriptor listen_at_path(const std::string& option, const std::string& path) {
    check_endpoint(option, {Endpoint::Kind::Unix, path});
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof address.sun_path - 1));
    Descriptor listener{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    FolderLock lock{folder_of(path)};  // until somebody who probes the name finds us
    if (somebody_listens(path))
        throw UsageError(fmt::format("{} unix:{}: somebody else listens there; use another path", option, path));
    struct stat info;
    if (lock.held() && stat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) unlink(path.c_str());
    mode_t before = umask(0077);
    bool bound = listener && bind(listener.number(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    umask(before);
    if (!bound || listen(listener.number(), backlog) != 0)
        throw UsageError(
            fmt::format("{} unix:{}: {}; name a path where a socket can be made", option, path, std::strerror(errno)));
    return listener;
}

// Whoever reaches the port rules the guest.
Descriptor listen_at_port(u16 port) {
    Descriptor listener{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    int on = 1;
    setsockopt(listener.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(listener.number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // connections inherit it
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener.number(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
        listen(listener.number(), backlog) == 0)
        return listener;
    throw UsageError(fmt::format("--gdb {}: {}; use another port, or unix:PATH", port, std::strerror(errno)));
}

}  // namespace

Listener::Listener(const std::string& option, const std::string& path)
    : listening_{listen_at_path(option, path)}, path_{path} {}

Listener::Listener(u16 port) : listening_{listen_at_port(port)} {}

Interest Listener::interest() const {
    Interest interest;
    if (closed_) interest.at = 0;
    if (not_before_ == 0) return interest;
    interest.input = false;
    interest.at = not_before_;
    return interest;
}

Descriptor Listener::accept() {
    if (not_before_ > host_monotonic_time()) return {};
    not_before_ = 0;
    Descriptor client{accept4(number(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (client || errno == EINTR || errno == EAGAIN || errno == ECONNABORTED) return client;
    // No descriptors or no memory: the client stays in the queue, so that waiting for it would not wait at all.
    not_before_ = host_monotonic_time() + pause;
    return {};
}

void Listener::close(FileAccess& files) {
    closed_ = true;
    shutdown(number(), SHUT_RDWR);  // the descriptor goes with its watch
    if (path_.empty()) return;
    try {
        files.ask(FileWish::RemoveSocket, path_);
    } catch (const std::exception&) {
        // Whoever holds the file system is gone, and nobody can be told of trouble any more.
    }
}

}  // namespace vellum
