// Endpoints on Linux: terminals, files and Unix sockets.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstring>
#include <mutex>
#include <optional>
#include <vector>

#include "base/host_error.hpp"
#include "machine/endpoints.hpp"

namespace vellum {

namespace {

constexpr std::size_t longest_line = 4096;

// Writes to somebody who may not read. Who has let us wait too long once is not waited for again until there is room:
// a machine must stay alive, and must be able to end.
class PatientWriter {
 public:
    explicit PatientWriter(std::chrono::milliseconds patience) : patience_{patience} {}

    void write(int descriptor, std::span<const u8> bytes) {
        while (!bytes.empty()) {
            pollfd output{descriptor, POLLOUT, 0};
            int ready = poll(&output, 1, stuck_ ? 0 : static_cast<int>(patience_.count()));
            if (ready < 0 && errno == EINTR) continue;
            stuck_ = ready <= 0;
            if (stuck_) return;
            // A pipe that can be written has room for this much; sockets and terminals take less when they must.
            ssize_t n = ::write(descriptor, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) return;  // the reader went away: as with an unplugged cable, the bytes are lost
            bytes = bytes.subspan(static_cast<std::size_t>(n));
        }
    }

 private:
    std::chrono::milliseconds patience_;
    bool stuck_ = false;
};

constexpr std::chrono::milliseconds patience_with_people{10'000}, patience_with_programs{2'000};

std::string folder_of(const std::string& path) {
    auto slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

class NullSink final : public ByteSink {
 public:
    void put(std::span<const u8>) override {}
};

class FileSink final : public ByteSink {
 public:
    FileSink(const std::string& option, const std::string& path)
        : descriptor_{open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)} {
        if (descriptor_ < 0)
            throw UsageError(
                fmt::format("{} file:{}: {}; name a file that can be written", option, path, std::strerror(errno)));
    }
    ~FileSink() override { close(descriptor_); }
    void put(std::span<const u8> bytes) override { writer_.write(descriptor_, bytes); }

 private:
    int descriptor_;
    PatientWriter writer_{patience_with_programs};  // it may be a pipe with a name
};

class StdioSink final : public ByteSink {
 public:
    StdioSink() {
        if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &before_) != 0) return;
        raw_mode_ = true;
        termios raw = before_;
        cfmakeraw(&raw);
        raw.c_oflag |= OPOST;  // the guest sends its own carriage returns, our messages do not
        raw.c_lflag |= ISIG;   // Ctrl-C ends Vellum
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    ~StdioSink() override {
        if (raw_mode_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    }
    void put(std::span<const u8> bytes) override { writer_.write(STDOUT_FILENO, bytes); }

 private:
    termios before_{};
    bool raw_mode_ = false;
    PatientWriter writer_{patience_with_people};
};

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof address.sun_path - 1));
    return address;
}

bool somebody_listens(const std::string& path) {
    sockaddr_un address = address_of(path);
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool alive = connect(probe, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    close(probe);
    return alive;
}

// At the end, when nobody can be told of trouble any more.
void remove_socket(FileAccess& files, const std::string& path) {
    try {
        files.ask(FileWish::RemoveSocket, path);
    } catch (const std::exception&) {
        // Whoever holds the file system is gone.
    }
}

// A listening socket; the path is removed again. A stale socket file (nobody answers) is replaced.
int listen_at(const std::string& option, const std::string& path) {
    check_endpoint(option, {Endpoint::Kind::Unix, path});
    sockaddr_un address = address_of(path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat info;
    if (stat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) unlink(path.c_str());
    mode_t before = umask(0077);
    bool bound = listener >= 0 && bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    umask(before);
    if (!bound || listen(listener, 4) != 0) {
        int error = errno;
        if (listener >= 0) close(listener);
        throw UsageError(
            fmt::format("{} unix:{}: {}; name a path where a socket can be made", option, path, std::strerror(error)));
    }
    return listener;
}

class SocketSink final : public ByteSink {
 public:
    SocketSink(const std::string& option, const std::string& path, EventLoop& loop, FileAccess& files,
               std::function<void(std::span<const u8>)> on_input, std::function<bool()> wants_input)
        : files_{files}, path_{path}, shared_{std::make_shared<Shared>()} {
        shared_->listener = listen_at(option, path);
        loop.watch(shared_->listener, [shared = shared_, &loop, on_input, wants_input] {
            return shared->accept_one(loop, on_input, wants_input, shared);
        });
    }
    ~SocketSink() override {
        shared_->closed = true;
        close(shared_->listener);
        remove_socket(files_, path_);
    }
    void put(std::span<const u8> bytes) override {
        std::lock_guard lock{shared_->mutex};
        if (shared_->connection >= 0) shared_->writer.write(shared_->connection, bytes);
    }

 private:
    struct Shared {
        int listener = -1;
        std::atomic<bool> closed = false;
        std::mutex mutex;
        int connection = -1;
        PatientWriter writer{patience_with_programs};

        bool accept_one(EventLoop& loop, const std::function<void(std::span<const u8>)>& on_input,
                        const std::function<bool()>& wants_input, const std::shared_ptr<Shared>& self) {
            if (closed) return false;
            int accepted = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
            if (accepted < 0) return errno == EINTR || errno == ECONNABORTED;
            std::lock_guard lock{mutex};
            if (connection >= 0) shutdown(connection, SHUT_RDWR);  // its own watch closes it
            connection = accepted;
            loop.watch(
                accepted, [self, accepted, on_input] { return self->read_some(accepted, on_input); }, wants_input);
            return true;
        }
        bool read_some(int from, const std::function<void(std::span<const u8>)>& on_input) {
            u8 bytes[512];
            ssize_t n = read(from, bytes, sizeof bytes);
            if (n > 0) {
                on_input({bytes, static_cast<std::size_t>(n)});
                return true;
            }
            std::lock_guard lock{mutex};
            if (connection == from) connection = -1;
            close(from);
            return false;
        }
    };
    FileAccess& files_;
    std::string path_;
    std::shared_ptr<Shared> shared_;
};

}  // namespace

void check_endpoint(const std::string& option, const Endpoint& endpoint) {
    auto refuse = [&](const char* kind, const char* why, const char* advice) {
        throw UsageError(fmt::format("{} {}:{}: {}; {}", option, kind, endpoint.path, why, advice));
    };
    const std::string& path = endpoint.path;
    struct stat info;
    bool exists = stat(path.c_str(), &info) == 0;
    if (endpoint.kind == Endpoint::Kind::File) {
        constexpr const char* advice = "name a file that can be written";
        if (exists && S_ISDIR(info.st_mode)) refuse("file", "is a directory", advice);
        if (access(exists ? path.c_str() : folder_of(path).c_str(), W_OK) != 0)
            refuse("file", std::strerror(errno), advice);
    } else if (endpoint.kind == Endpoint::Kind::Unix) {
        constexpr const char* advice = "name a path where a socket can be made";
        if (path.size() >= sizeof sockaddr_un{}.sun_path) refuse("unix", "the path is too long", "use a shorter one");
        if (exists && !S_ISSOCK(info.st_mode)) refuse("unix", "is there already and no socket", advice);
        if (access(folder_of(path).c_str(), W_OK) != 0) refuse("unix", std::strerror(errno), advice);
        if (exists && somebody_listens(path)) refuse("unix", "somebody else listens there", "use another path");
    }
}

std::unique_ptr<ByteSink> open_endpoint(const std::string& option, const Endpoint& endpoint, EventLoop& loop,
                                        FileAccess& files, std::function<void(std::span<const u8>)> on_input,
                                        std::function<bool()> wants_input) {
    switch (endpoint.kind) {
        case Endpoint::Kind::Null: return std::make_unique<NullSink>();
        case Endpoint::Kind::File: return std::make_unique<FileSink>(option, endpoint.path);
        case Endpoint::Kind::Unix:
            return std::make_unique<SocketSink>(option, endpoint.path, loop, files, std::move(on_input),
                                                std::move(wants_input));
        case Endpoint::Kind::Stdio: break;
    }
    auto sink = std::make_unique<StdioSink>();
    if (on_input)
        loop.watch(
            STDIN_FILENO,
            [on_input = std::move(on_input)] {
                u8 bytes[512];
                ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
                if (n > 0) on_input({bytes, static_cast<std::size_t>(n)});
                return n > 0 || (n < 0 && errno == EINTR);
            },
            std::move(wants_input));
    return sink;
}

struct LineServer::Impl {
    Impl(FileAccess& file_access, const std::string& at) : files{file_access}, path{at} {}

    FileAccess& files;
    std::string path;
    int listener = -1;
    std::atomic<bool> closed = false;
    std::function<void(std::string, Reply)> on_line;

    struct Connection {
        int descriptor;
        std::string text;
        std::mutex mutex;
        PatientWriter writer{patience_with_programs};
        ~Connection() { close(descriptor); }
        void answer(const std::string& line) {
            std::lock_guard lock{mutex};
            writer.write(descriptor, {reinterpret_cast<const u8*>(line.data()), line.size()});
        }
    };

    bool accept_one(EventLoop& loop, const std::shared_ptr<Impl>& self) {
        if (closed) return false;
        int accepted = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (accepted < 0) return errno == EINTR || errno == ECONNABORTED;
        auto connection = std::make_shared<Connection>();
        connection->descriptor = accepted;
        loop.watch(accepted, [self, connection] { return self->read_lines(connection); });
        return true;
    }

    bool read_lines(const std::shared_ptr<Connection>& connection) {
        char bytes[512];
        ssize_t n = read(connection->descriptor, bytes, sizeof bytes);
        if (n <= 0) return n < 0 && errno == EINTR;
        connection->text.append(bytes, static_cast<std::size_t>(n));
        for (std::size_t end; (end = connection->text.find('\n')) != std::string::npos;) {
            std::string line = connection->text.substr(0, end);
            connection->text.erase(0, end + 1);
            if (!line.empty() && line.back() == '\r') line.pop_back();
            on_line(std::move(line), [connection](const std::string& reply) { connection->answer(reply); });
        }
        return connection->text.size() <= longest_line;
    }
};

LineServer::LineServer(const std::string& option, const std::string& path, EventLoop& loop, FileAccess& files,
                       std::function<void(std::string line, Reply reply)> on_line)
    : impl_{std::make_shared<Impl>(files, path)} {
    impl_->listener = listen_at(option, path);
    impl_->on_line = std::move(on_line);
    loop.watch(impl_->listener, [impl = impl_, &loop] { return impl->accept_one(loop, impl); });
}

LineServer::~LineServer() {
    impl_->closed = true;
    close(impl_->listener);
    remove_socket(impl_->files, impl_->path);
}

struct GdbListener::Impl {
    explicit Impl(FileAccess& file_access) : files{file_access} {}

    FileAccess& files;
    std::string path;  // to be removed; empty: a port
    int listener = -1;
    std::atomic<bool> closed = false;
    Events events;
    std::mutex mutex;
    int connection = -1;
    PatientWriter writer{patience_with_programs};

    bool accept_one(EventLoop& loop, const std::shared_ptr<Impl>& self) {
        if (closed) return false;
        if (left()) return true;  // GDB comes back at once: its old connection goes first, in this round
        int accepted = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (accepted < 0) return errno == EINTR || errno == ECONNABORTED;
        {
            std::lock_guard lock{mutex};
            if (connection >= 0) {
                close(accepted);
                return true;
            }
            connection = accepted;
            writer = PatientWriter{patience_with_programs};
        }
        events.connected();
        loop.watch(accepted, [self] { return self->read_some(); });
        return true;
    }
    bool left() {
        u8 byte;
        return connection >= 0 && recv(connection, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
    }
    bool read_some() {
        std::vector<u8> bytes(4096);
        ssize_t n = read(connection, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) return true;
        if (n > 0) {
            bytes.resize(static_cast<std::size_t>(n));
            events.received(std::move(bytes));
            return true;
        }
        std::lock_guard lock{mutex};
        close(connection);
        connection = -1;
        events.disconnected();
        return false;
    }
};

namespace {

// Only for this host: whoever reaches the port rules the guest.
int listen_at_port(u16 port) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // connections inherit it
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && listen(listener, 4) == 0)
        return listener;
    int error = errno;
    if (listener >= 0) close(listener);
    throw UsageError(fmt::format("--gdb {}: {}; use another port, or unix:PATH", port, std::strerror(error)));
}

}  // namespace

GdbListener::GdbListener(const GdbPlace& place, FileAccess& files) : impl_{std::make_shared<Impl>(files)} {
    impl_->path = place.path;
    impl_->listener = place.port ? listen_at_port(place.port) : listen_at("--gdb", place.path);
}

GdbListener::~GdbListener() {
    impl_->closed = true;
    close(impl_->listener);
    if (!impl_->path.empty()) remove_socket(impl_->files, impl_->path);
}

void GdbListener::serve(EventLoop& loop, Events events) {
    impl_->events = std::move(events);
    loop.watch(impl_->listener, [impl = impl_, &loop] { return impl->accept_one(loop, impl); });
}

void GdbListener::send(std::string_view bytes) {
    std::lock_guard lock{impl_->mutex};
    if (impl_->connection < 0) return;
    impl_->writer.write(impl_->connection, {reinterpret_cast<const u8*>(bytes.data()), bytes.size()});
}

}  // namespace vellum
