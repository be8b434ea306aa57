// Endpoints on Linux: terminals, files and Unix sockets.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <optional>
#include <utility>

#include "base/host_error.hpp"
#include "base/one_line.hpp"
#include "machine/endpoints.hpp"
#include "machine/listener.hpp"
#include "machine/output_file.hpp"
#include "machine/socket_path.hpp"

namespace vellum {

namespace {

// Writes to somebody who may not read. Who has let us wait too long once is not waited for again until there is room:
// a machine must stay alive, and must be able to end, when nobody is waited for at all.
class PatientWriter {
 public:
    PatientWriter(std::chrono::milliseconds patience, Ending ending)
        : patience_{patience}, ending_{std::move(ending)} {}

    // False: an error of the host, in errno.
    bool write(int descriptor, std::span<const u8> bytes) {
        while (!bytes.empty()) {
            stuck_ = !has_room(descriptor);
            if (stuck_) return true;
            // A pipe that can be written has room for this much; sockets and terminals take less when they must.
            ssize_t n = ::write(descriptor, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
            if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
            if (n < 0 && errno != EPIPE && errno != ECONNRESET) return false;
            if (n <= 0) return true;  // the reader went away: as with an unplugged cable, the bytes are lost
            bytes = bytes.subspan(static_cast<std::size_t>(n));
        }
        return true;
    }

 private:
    bool has_room(int descriptor) const {
        constexpr std::chrono::milliseconds look_up{100};
        for (auto left = stuck_ ? std::chrono::milliseconds{0} : patience_;;) {
            auto piece = std::min(left, look_up);
            pollfd output{descriptor, POLLOUT, 0};
            int ready = poll(&output, 1, static_cast<int>(piece.count()));
            if (ready < 0 && errno == EINTR) continue;
            left -= piece;
            if (ready != 0) return ready > 0;
            if (left.count() == 0 || (ending_ && ending_())) return false;
        }
    }

    std::chrono::milliseconds patience_;
    Ending ending_;
    bool stuck_ = false;
};

constexpr std::chrono::milliseconds patience_with_people{10'000}, patience_with_programs{2'000};

class NullSink final : public ByteSink {
 public:
    void put(std::span<const u8>) override {}
};

class FileSink final : public ByteSink {
 public:
    FileSink(const std::string& option, const std::string& path, Ending ending)
        : name_{fmt::format("{} file:{}", option, path)}, writer_{patience_with_programs, std::move(ending)} {
        try {
            descriptor_ = open_output_file(path);
        } catch (const HostError& trouble) {
            throw UsageError(fmt::format("{} file:{}", option, trouble.what()));
        }
    }
    void put(std::span<const u8> bytes) override {
        if (writer_.write(descriptor_.number(), bytes) || told_) return;
        told_ = true;
        std::fputs(fmt::format("vellum: {}: {}; output is lost\n", one_line(name_), std::strerror(errno)).c_str(),
                   stderr);
    }

 private:
    std::string name_;
    Descriptor descriptor_;
    PatientWriter writer_;  // it may be a pipe with a name
    bool told_ = false;
};

class StdioSink final : public ByteSink {
 public:
    explicit StdioSink(Ending ending) : writer_{patience_with_people, std::move(ending)} {
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
    PatientWriter writer_;
};

// One peer at a time; who comes later takes the line over.
class SocketSink final : public ByteSink {
 public:
    using OnInput = std::function<void(std::span<const u8>)>;

    SocketSink(const std::string& option, const std::string& path, EventLoop& loop, FileAccess& files, OnInput on_input,
               std::function<bool()> wants_input, Ending ending)
        : files_{files},
          shared_{
              std::make_shared<Shared>(option, path, std::move(on_input), std::move(wants_input), std::move(ending))} {
        loop.watch(
            shared_->listener.number(), [shared = shared_, &loop] { return shared->look(loop, shared); },
            [shared = shared_] { return shared->listener.interest(); });
    }
    ~SocketSink() override { shared_->listener.close(files_); }
    void put(std::span<const u8> bytes) override {
        if (auto peer = shared_->current()) peer->writer.write(peer->connection.number(), bytes);
    }

 private:
    struct Peer {
        Peer(Descriptor accepted, PatientWriter patient)
            : connection{std::move(accepted)}, writer{std::move(patient)} {}

        Descriptor connection;
        PatientWriter writer;  // the vCPU thread's
        bool left = false;     // the loop's thread's
    };
    struct Shared {
        Shared(const std::string& option, const std::string& path, OnInput input, std::function<bool()> wants,
               Ending is_ending)
            : listener{option, path},
              on_input{std::move(input)},
              wants_input{std::move(wants)},
              ending{std::move(is_ending)} {}

        Listener listener;
        OnInput on_input;
        std::function<bool()> wants_input;
        Ending ending;
        std::mutex mutex;  // of the pointer: nobody waits for a reader while he has it
        std::shared_ptr<Peer> peer;

        std::shared_ptr<Peer> current() {
            std::lock_guard lock{mutex};
            return peer;
        }
        std::shared_ptr<Peer> exchange(std::shared_ptr<Peer> other) {
            std::lock_guard lock{mutex};
            return std::exchange(peer, std::move(other));
        }
        bool look(EventLoop& loop, const std::shared_ptr<Shared>& self) {
            if (listener.closed()) return false;
            Descriptor connection = listener.accept();
            if (!connection) return true;
            auto newcomer =
                std::make_shared<Peer>(std::move(connection), PatientWriter{patience_with_programs, ending});
            if (auto before = exchange(newcomer)) {
                before->left = true;
                shutdown(before->connection.number(), SHUT_RDWR);
            }
            loop.watch(
                newcomer->connection.number(), [self, newcomer] { return self->read_some(newcomer); },
                [self, newcomer] { return self->interest_in(*newcomer); });
            return true;
        }
        Interest interest_in(const Peer& from) const {
            Interest interest{!wants_input || wants_input()};
            if (from.left) interest.at = 0;
            return interest;
        }
        bool read_some(const std::shared_ptr<Peer>& from) {
            u8 bytes[512];
            ssize_t n = from->left ? 0 : read(from->connection.number(), bytes, sizeof bytes);
            if (n < 0 && (errno == EINTR || errno == EAGAIN)) return true;
            if (n > 0 && on_input) on_input({bytes, static_cast<std::size_t>(n)});
            if (n > 0) return true;
            std::lock_guard lock{mutex};
            if (peer == from) peer = nullptr;
            return false;
        }
    };
    FileAccess& files_;
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
                                        std::function<bool()> wants_input, Ending ending) {
    switch (endpoint.kind) {
        case Endpoint::Kind::Null: return std::make_unique<NullSink>();
        case Endpoint::Kind::File: return std::make_unique<FileSink>(option, endpoint.path, std::move(ending));
        case Endpoint::Kind::Unix:
            return std::make_unique<SocketSink>(option, endpoint.path, loop, files, std::move(on_input),
                                                std::move(wants_input), std::move(ending));
        case Endpoint::Kind::Stdio: break;
    }
    auto sink = std::make_unique<StdioSink>(std::move(ending));
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

}  // namespace vellum
