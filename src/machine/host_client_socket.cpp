// Sends and receives that never wait.
#include <sys/socket.h>

#include <cerrno>

#include "machine/client_socket.hpp"

namespace vellum {

void ClientSocket::send(std::string_view bytes) {
    std::lock_guard lock{mutex_};
    if (gone_) return;
    waiting_ += bytes;
    send_waiting();
}

void ClientSocket::flush() {
    std::lock_guard lock{mutex_};
    send_waiting();
}

void ClientSocket::send_waiting() {
    std::size_t sent = 0;
    while (sent < waiting_.size()) {
        ssize_t n = ::send(number(), waiting_.data() + sent, waiting_.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM) {
            gone_ = true;  // there is nobody left who could hear it
            sent = waiting_.size();
        }
        if (n <= 0) break;
        sent += static_cast<std::size_t>(n);
    }
    waiting_.erase(0, sent);
    if (waiting_.empty()) waiting_.shrink_to_fit();
    unsent_ = waiting_.size();
}

ClientSocket::Came ClientSocket::receive(std::span<u8>& bytes) {
    ssize_t n;
    do n = recv(number(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == ENOMEM)) return Came::Nothing;
    if (n <= 0) return Came::End;
    bytes = bytes.first(static_cast<std::size_t>(n));
    return Came::Bytes;
}

Interest ClientSocket::interest(bool wants_input) const {
    Interest interest{wants_input};
    interest.output = unsent_ > 0;
    return interest;
}

}  // namespace vellum
