// Output files on Linux.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "base/host_error.hpp"
#include "machine/output_file.hpp"

namespace vellum {

namespace {

[[noreturn]] void refuse(const std::string& path, const char* why) {
    throw HostError(fmt::format("{}: {}; name another file", path, why));
}

}  // namespace

Descriptor open_output_file(const std::string& path) {
    // Without O_NONBLOCK, a pipe that nobody reads would hold us here.
    Descriptor file{open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666)};
    if (!file) refuse(path, errno == ENXIO ? "nobody reads this pipe" : std::strerror(errno));
    struct stat status {};
    if (fstat(file.number(), &status) != 0) refuse(path, std::strerror(errno));
    if (S_ISBLK(status.st_mode)) refuse(path, "is a disk");
    if (!S_ISREG(status.st_mode)) return file;
    if (flock(file.number(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) refuse(path, "is in use by a machine");
    if (ftruncate(file.number(), 0) != 0) refuse(path, std::strerror(errno));
    return file;
}

}  // namespace vellum
