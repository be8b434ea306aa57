// FileAccess by a child process. One request and one answer at a time, over a pair of sockets that keep messages whole:
//   request: the wish (1 byte), the path
//   answer:  how it ended (1 byte), text: the name, or the trouble; an open file comes along as SCM_RIGHTS
#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "base/host_error.hpp"
#include "machine/file_access.hpp"

namespace vellum {

namespace {

enum class Outcome : u8 { Granted, UsageTrouble, HostTrouble };
constexpr std::size_t longest_message = 8192;  // a path has at most 4096 bytes

struct Message {
    u8 kind = 0;
    std::string text;
    Descriptor file;
};

bool send_message(int socket, const Message& message) {
    iovec parts[] = {{const_cast<u8*>(&message.kind), 1},
                     {const_cast<char*>(message.text.data()), std::min(message.text.size(), longest_message - 1)}};
    alignas(cmsghdr) std::array<u8, CMSG_SPACE(sizeof(int))> control{};
    msghdr header{};
    header.msg_iov = parts;
    header.msg_iovlen = std::size(parts);
    if (message.file) {
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        cmsghdr* rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        int number = message.file.number();
        std::memcpy(CMSG_DATA(rights), &number, sizeof number);
    }
    ssize_t sent;
    do sent = sendmsg(socket, &header, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent > 0;
}

// False: the other end is gone.
bool receive_message(int socket, Message& message) {
    std::array<char, longest_message> bytes;
    iovec part{bytes.data(), bytes.size()};
    alignas(cmsghdr) std::array<u8, CMSG_SPACE(sizeof(int))> control{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    ssize_t got;
    do got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got <= 0) return false;
    message.kind = static_cast<u8>(bytes[0]);
    message.text.assign(bytes.data() + 1, static_cast<std::size_t>(got) - 1);
    const cmsghdr* rights = CMSG_FIRSTHDR(&header);
    if (!rights || rights->cmsg_type != SCM_RIGHTS) return true;
    int number;
    std::memcpy(&number, CMSG_DATA(rights), sizeof number);
    message.file = Descriptor{number};
    return true;
}

Message answer_to(const Message& request, FileAccess& files, const FilePolicy& policy) {
    auto wish = static_cast<FileWish>(request.kind);
    if (!policy.permits(wish, request.text))
        return {static_cast<u8>(Outcome::HostTrouble),
                fmt::format("{}: is none of the files that the command line makes possible", request.text),
                {}};
    try {
        FileGrant grant = files.ask(wish, request.text);
        return {static_cast<u8>(Outcome::Granted), std::move(grant.name), std::move(grant.file)};
    } catch (const UsageError& trouble) {
        return {static_cast<u8>(Outcome::UsageTrouble), trouble.what(), {}};
    } catch (const std::exception& trouble) {
        return {static_cast<u8>(Outcome::HostTrouble), trouble.what(), {}};
    }
}

// The child's life. Signals from the keyboard are for the machine, which may still have something to save then.
[[noreturn]] void serve(int socket, const FilePolicy& policy) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    prctl(PR_SET_NAME, "vellum files");
    // A reader of our output must not wait for this process.
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(nothing, standard);
    {
        auto files = make_direct_file_access();
        Message request;
        while (receive_message(socket, request)) {
            if (!send_message(socket, answer_to(request, *files, policy))) break;
        }
    }
    _exit(0);
}

class FileBroker final : public FileAccess {
 public:
    explicit FileBroker(const FilePolicy& policy) {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) fail();
        child_ = fork();
        if (child_ == 0) {
            close(ends[0]);
            serve(ends[1], policy);
        }
        socket_ = Descriptor{ends[0]};
        close(ends[1]);
        if (child_ < 0) fail();
    }
    ~FileBroker() override {
        socket_ = {};
        waitpid(child_, nullptr, 0);
    }

    FileGrant ask(FileWish wish, const std::string& path) override {
        std::lock_guard lock{mutex_};
        Message answer;
        if (path.size() >= longest_message / 2) throw UsageError(fmt::format("{}: the path is too long", path));
        bool answered = send_message(socket_.number(), {static_cast<u8>(wish), path, {}}) &&
                        receive_message(socket_.number(), answer);
        if (!answered) throw HostError(fmt::format("{}: the process that opens files is gone", path));
        if (answer.kind == static_cast<u8>(Outcome::UsageTrouble)) throw UsageError(answer.text);
        if (answer.kind != static_cast<u8>(Outcome::Granted)) throw HostError(answer.text);
        return {std::move(answer.file), std::move(answer.text)};
    }

 private:
    [[noreturn]] static void fail() {
        throw HostError(fmt::format("cannot start the process that opens files: {}", std::strerror(errno)));
    }

    std::mutex mutex_;
    Descriptor socket_;
    pid_t child_ = -1;
};

}  // namespace

std::unique_ptr<FileAccess> make_file_broker(FilePolicy policy) { return std::make_unique<FileBroker>(policy); }

}  // namespace vellum
