// FileReplacement on Linux: mkostemp, fsync, rename.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/host_error.hpp"
#include "machine/file_replacement.hpp"

namespace vellum {

namespace {

// Where a symbolic link leads; the path itself when there is nothing yet.
std::string resolve(const std::string& path) {
    std::error_code trouble;
    auto status = std::filesystem::status(path, trouble);
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
        throw HostError(fmt::format("{}: is there and is no file; name another", path));
    auto resolved = std::filesystem::canonical(path, trouble);
    return trouble ? path : resolved.string();
}

bool put_all(int descriptor, std::span<const u8> bytes, off_t at) {
    while (!bytes.empty()) {
        ssize_t put = pwrite(descriptor, bytes.data(), bytes.size(), at);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return false;
        at += put;
        bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
    return true;
}

void sync_folder_of(const std::string& path) {
    auto folder = std::filesystem::path{path}.parent_path();
    int descriptor = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return;
    fsync(descriptor);
    close(descriptor);
}

}  // namespace

FileReplacement::FileReplacement(const std::string& path)
    : path_{path}, target_{resolve(path)}, temporary_{target_ + ".XXXXXX"} {
    descriptor_ = mkostemp(temporary_.data(), O_CLOEXEC);
    if (descriptor_ < 0) fail();
}

FileReplacement::~FileReplacement() {
    if (descriptor_ < 0) return;
    close(descriptor_);
    unlink(temporary_.c_str());
}

void FileReplacement::fail() const {
    throw HostError(fmt::format("{}: {}; name another file", path_, std::strerror(errno)));
}

void FileReplacement::append(std::span<const u8> bytes) {
    if (!put_all(descriptor_, bytes, lseek(descriptor_, 0, SEEK_END))) fail();
}

void FileReplacement::overwrite_start(std::span<const u8> bytes) {
    if (!put_all(descriptor_, bytes, 0)) fail();
}

void FileReplacement::commit() {
    if (fsync(descriptor_) != 0 || rename(temporary_.c_str(), target_.c_str()) != 0) fail();
    close(descriptor_);
    descriptor_ = -1;
    sync_folder_of(target_);
}

}  // namespace vellum
