// Which of the host's users is at the other end of a connection from this host. A port of the loopback interface is
// open to all of them.
#pragma once

#include <optional>
#include <string_view>

#include "base/descriptor.hpp"
#include "base/types.hpp"

namespace vellum {

// A row of Linux's tables of TCP sockets, /proc/net/tcp and tcp6 (proc(5)).
struct SocketRow {
    std::string_view local, remote;  // as they stand there
    u32 user;
    u64 inode;  // 0: no process has it any more, and the user means nothing
};
std::optional<SocketRow> parse_socket_row(std::string_view line);

class PeerUsers {
 public:
    // Opens the tables: a running machine may open no files. They are believed if `listener` is in them as ours.
    explicit PeerUsers(int listener);

    // False: another user is at the other end of `connection`, or nobody any more. True also where the host does not
    // tell.
    bool is_ours(int connection) const;

 private:
    bool owns_socket(const Descriptor& table, std::string_view local, std::string_view remote) const;

    Descriptor table_, table_v6_;
    u32 user_;
    bool tables_tell_ = false;
};

}  // namespace vellum
