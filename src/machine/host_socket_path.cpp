// Socket names on Linux: flock of folders, probing connections.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "machine/socket_path.hpp"

namespace vellum {

std::string folder_of(const std::string& path) {
    auto slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

bool somebody_listens(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof address.sun_path - 1));
    Descriptor probe{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    // A listener whose queue is full is one too.
    return connect(probe.number(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 || errno == EAGAIN;
}

FolderLock::FolderLock(const std::string& folder) : folder_{open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)} {
    constexpr int tries = 200;
    for (int i = 0; folder_ && i < tries && !held_; ++i) {
        held_ = flock(folder_.number(), LOCK_EX | LOCK_NB) == 0;
        if (!held_) std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
}

void remove_socket(const std::string& path) {
    FolderLock lock{folder_of(path)};
    struct stat status;
    if (lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return;
    if (lock.held() && !somebody_listens(path)) unlink(path.c_str());
}

}  // namespace vellum
