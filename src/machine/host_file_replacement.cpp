// FileReplacement on Linux: pwrite, fsync.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/host_error.hpp"
#include "machine/file_replacement.hpp"

namespace vellum {

namespace {

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

}  // namespace

FileReplacement::FileReplacement(FileAccess& files, const std::string& path)
    : files_{files}, path_{path}, file_{files.ask(FileWish::Snapshot, path).file} {}

FileReplacement::~FileReplacement() {
    if (committed_) return;
    try {
        files_.ask(FileWish::AbandonSnapshot, {});
    } catch (const std::exception&) {
        // Whoever holds the file system is gone, and has tidied up.
    }
}

void FileReplacement::fail() const {
    throw HostError(fmt::format("{}: {}; name another file", path_, std::strerror(errno)));
}

void FileReplacement::append(std::span<const u8> bytes) {
    if (!put_all(file_.number(), bytes, lseek(file_.number(), 0, SEEK_END))) fail();
}

void FileReplacement::overwrite_start(std::span<const u8> bytes) {
    if (!put_all(file_.number(), bytes, 0)) fail();
}

void FileReplacement::commit() {
    if (fsync(file_.number()) != 0) fail();
    files_.ask(FileWish::CommitSnapshot, {});
    committed_ = true;
}

}  // namespace vellum
