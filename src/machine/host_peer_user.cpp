// SO_PEERCRED for Unix sockets, /proc/net/tcp for the loopback interface.
#include "machine/peer_user.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

namespace vellum {

namespace {

template <typename T>
bool parse(std::string_view text, T& value) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size();
}

Descriptor open_to_read(const char* path) { return Descriptor{open(path, O_RDONLY | O_CLOEXEC)}; }

// As the tables write it: the address as a number of the host's byte order, the port as people do.
std::string in_table(const sockaddr_in& address) {
    return fmt::format("{:08X}:{:04X}", address.sin_addr.s_addr, ntohs(address.sin_port));
}
// A socket that could speak IPv6 too.
std::string in_table_v6(const std::string& v4) { return "0000000000000000FFFF0000" + v4; }

// Calls `row` with each, until it returns true: whether it has.
template <typename Row>
bool any_row(const Descriptor& table, Row row) {
    std::array<char, 16 * 1024> bytes;
    std::string text;
    off_t at = 0;
    for (ssize_t n; (n = pread(table.number(), bytes.data(), bytes.size(), at)) > 0; at += n) {
        text.append(bytes.data(), static_cast<std::size_t>(n));
        for (std::size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
            auto parsed = parse_socket_row(std::string_view{text}.substr(0, end));
            if (parsed && row(*parsed)) return true;
        }
    }
    return false;
}

}  // namespace

std::optional<SocketRow> parse_socket_row(std::string_view line) {
    // sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode ...
    std::array<std::string_view, 10> words;
    for (std::string_view& word : words) {
        line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
        word = line.substr(0, line.find(' '));
        line.remove_prefix(word.size());
    }
    SocketRow row{words[1], words[2], 0, 0};
    if (!words[0].ends_with(':') || !parse(words[7], row.user) || !parse(words[9], row.inode)) return std::nullopt;
    return row;
}

PeerUsers::PeerUsers(int listener) : user_{geteuid()} {
    sockaddr_in here{};
    socklen_t size = sizeof here;
    if (getsockname(listener, reinterpret_cast<sockaddr*>(&here), &size) != 0 || here.sin_family != AF_INET) return;
    table_ = open_to_read("/proc/net/tcp");
    table_v6_ = open_to_read("/proc/net/tcp6");
    tables_tell_ = owns_socket(table_, in_table(here), "00000000:0000");
}

bool PeerUsers::owns_socket(const Descriptor& table, std::string_view local, std::string_view remote) const {
    return table && any_row(table, [&](const SocketRow& row) {
               return row.local == local && row.remote == remote && row.inode != 0 && row.user == user_;
           });
}

bool PeerUsers::is_ours(int connection) const {
    sockaddr_in here{}, there{};
    socklen_t here_size = sizeof here, there_size = sizeof there;
    if (getsockname(connection, reinterpret_cast<sockaddr*>(&here), &here_size) != 0) return false;
    if (here.sin_family == AF_UNIX) {
        ucred peer{};
        socklen_t size = sizeof peer;
        return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == user_;
    }
    if (!tables_tell_) return true;
    if (getpeername(connection, reinterpret_cast<sockaddr*>(&there), &there_size) != 0) return false;
    std::string local = in_table(there), remote = in_table(here);  // as the other end sees it
    // The tables are read in pieces, between which rows may move.
    for (int i = 0; i < 3; ++i)
        if (owns_socket(table_, local, remote) || owns_socket(table_v6_, in_table_v6(local), in_table_v6(remote)))
            return true;
    return false;
}

}  // namespace vellum
