// FileAccess by this process itself.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/host_error.hpp"
#include "devices/block_backend.hpp"
#include "machine/file_access.hpp"
#include "machine/output_file.hpp"
#include "machine/snapshot_file.hpp"
#include "machine/socket_path.hpp"

namespace vellum {

namespace {

[[noreturn]] void fail(const std::string& path) {
    throw HostError(fmt::format("{}: {}; name another file", path, std::strerror(errno)));
}

// Whoever reads a pipe has this long for it.
bool takes_more(const Descriptor& pipe) {
    constexpr int patience = 2000;  // ms
    pollfd output{pipe.number(), POLLOUT, 0};
    return poll(&output, 1, patience) > 0;
}

std::string free_name(const std::string& ending) {
    for (u32 number = 1;; ++number) {
        std::string name = fmt::format("vellum-{}.{}", number, ending);
        if (access(name.c_str(), F_OK) != 0) return name;
    }
}

// Where a symbolic link leads; the path itself when there is nothing yet.
std::string resolve(const std::string& path) {
    std::error_code trouble;
    auto status = std::filesystem::status(path, trouble);
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
        throw HostError(fmt::format("{}: is there and is no file; name another", path));
    auto resolved = std::filesystem::canonical(path, trouble);
    return trouble ? path : resolved.string();
}

void sync_folder_of(const std::string& path) {
    auto folder = std::filesystem::path{path}.parent_path();
    Descriptor opened{open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (opened) fsync(opened.number());
}

// A file under another name in the same folder, which is then renamed.
class Replacement {
 public:
    Replacement() = default;
    Replacement(const Replacement&) = delete;
    Replacement& operator=(const Replacement&) = delete;
    ~Replacement() { abandon(); }

    Descriptor begin(const std::string& path) {
        abandon();
        path_ = path;
        target_ = resolve(path);
        std::string name = target_ + ".XXXXXX";
        Descriptor file{mkostemp(name.data(), O_CLOEXEC)};
        if (!file) fail(path);
        temporary_ = name;
        return file;
    }
    void commit() {
        if (temporary_.empty()) throw HostError("there is no snapshot to be committed");
        if (rename(temporary_.c_str(), target_.c_str()) != 0) fail(path_);
        temporary_.clear();
        sync_folder_of(target_);
    }
    void abandon() {
        if (!temporary_.empty()) unlink(temporary_.c_str());
        temporary_.clear();
    }

 private:
    std::string path_, target_, temporary_;  // no temporary: none is under way
};

class DirectFileAccess final : public FileAccess {
 public:
    FileGrant ask(FileWish wish, const std::string& path) override {
        switch (wish) {
            case FileWish::Cd:
            case FileWish::FloppyToRead: return {open_image_file(path, ImageAccess::ReadOnly), {}};
            case FileWish::Floppy: return {open_image_file(path, ImageAccess::ReadWrite), {}};
            case FileWish::Overlay: return {open_overlay_file(), {}};
            case FileWish::Picture:
            case FileWish::Report: return {open_output_file(path), {}};
            case FileWish::Snapshot: check_replaceable(path); return {replacement_.begin(path), {}};
            case FileWish::CommitSnapshot: replacement_.commit(); return {};
            case FileWish::AbandonSnapshot: replacement_.abandon(); return {};
            case FileWish::FreeName: return {{}, free_name(path)};
            case FileWish::RemoveSocket: remove_socket(path); return {};
        }
        return {};
    }

 private:
    Replacement replacement_;
};

}  // namespace

std::unique_ptr<FileAccess> make_direct_file_access() { return std::make_unique<DirectFileAccess>(); }

void write_file(FileAccess& files, FileWish wish, const std::string& path, std::string_view bytes) {
    Descriptor file = files.ask(wish, path).file;
    while (!bytes.empty()) {
        ssize_t put = write(file.number(), bytes.data(), bytes.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0 && errno == EAGAIN && takes_more(file)) continue;
        if (put <= 0) fail(path);
        bytes.remove_prefix(static_cast<std::size_t>(put));
    }
}

}  // namespace vellum
