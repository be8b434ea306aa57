// Raw disk images as files of the host: whole, or under an overlay that forgets (Snapshot).
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "base/host_error.hpp"
#include "devices/block_backend.hpp"

namespace vellum {

namespace {

// Reading and writing at offsets, to the end.
class OpenImage {
 public:
    explicit OpenImage(Descriptor file, std::string path = {}) : file_{std::move(file)}, path_{std::move(path)} {}
    int number() const { return file_.number(); }
    ImageIdentity identity() const {
        struct stat status {};
        if (::fstat(number(), &status) != 0) return {path_, 0};
        return {path_, i64{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
    }

    bool read(u64 offset, std::span<u8> bytes) const {
        while (!bytes.empty()) {
            ssize_t got = ::pread(number(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) return false;  // an error, or someone has made the file shorter
            offset += static_cast<u64>(got);
            bytes = bytes.subspan(static_cast<std::size_t>(got));
        }
        return true;
    }

    bool write(u64 offset, std::span<const u8> bytes) const {
        while (!bytes.empty()) {
            ssize_t put = ::pwrite(number(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
            if (put < 0 && errno == EINTR) continue;
            if (put <= 0) return false;
            offset += static_cast<u64>(put);
            bytes = bytes.subspan(static_cast<std::size_t>(put));
        }
        return true;
    }

 private:
    Descriptor file_;
    std::string path_;
};

class ImageFile final : public BlockBackend {
 public:
    ImageFile(OpenImage file, u64 size, bool read_only) : file_{std::move(file)}, size_{size}, read_only_{read_only} {}
    ~ImageFile() override { flush(); }

    u64 size() const override { return size_; }
    bool read_only() const override { return read_only_; }
    bool read(u64 offset, std::span<u8> bytes) override { return file_.read(offset, bytes); }
    bool write(u64 offset, std::span<const u8> bytes) override {
        if (read_only_) return false;
        dirty_ = true;
        return file_.write(offset, bytes);
    }
    bool flush() override {
        if (failed_) return false;
        if (!dirty_) return true;
        // The host forgets what it could not write: a later call would claim success for bytes that are lost.
        failed_ = ::fdatasync(file_.number()) != 0;
        dirty_ = false;
        return !failed_;
    }
    int descriptor() const override { return read_only_ ? -1 : file_.number(); }
    ImageIdentity identity() const override { return file_.identity(); }

 private:
    OpenImage file_;
    u64 size_;
    bool read_only_;
    bool dirty_ = false, failed_ = false;
};

// Blocks that were written live in a file without a name, at the same offsets; all others come from the image.
class SnapshotImage final : public BlockBackend {
 public:
    SnapshotImage(OpenImage image, OpenImage overlay, u64 size)
        : image_{std::move(image)},
          overlay_{std::move(overlay)},
          size_{size},
          written_((size + block_size - 1) / block_size) {}

    u64 size() const override { return size_; }
    bool read_only() const override { return false; }
    bool flush() override { return true; }
    ImageIdentity identity() const override { return image_.identity(); }
    bool keeps_writes_apart() const override { return true; }
    std::vector<u64> blocks_kept_apart() const override {
        std::vector<u64> offsets;
        for (u64 block = 0; block < written_.size(); ++block)
            if (written_[block]) offsets.push_back(block * block_size);
        return offsets;
    }

    bool read(u64 offset, std::span<u8> bytes) override {
        while (!bytes.empty()) {
            // As long a run as lies on one side.
            bool ours = written_[offset / block_size];
            u64 end = (offset / block_size + 1) * block_size;
            while (end < offset + bytes.size() && written_[end / block_size] == ours) end += block_size;
            auto run = bytes.first(std::min<u64>(end - offset, bytes.size()));
            if (!(ours ? overlay_ : image_).read(offset, run)) return false;
            offset += run.size();
            bytes = bytes.subspan(run.size());
        }
        return true;
    }

    bool write(u64 offset, std::span<const u8> bytes) override {
        if (bytes.empty()) return true;
        u64 first = offset / block_size, last = (offset + bytes.size() - 1) / block_size;
        bool partial_first = offset % block_size != 0, partial_last = (offset + bytes.size()) % block_size != 0;
        if (partial_first && !copy_up(first)) return false;
        if (partial_last && !copy_up(last)) return false;
        if (!overlay_.write(offset, bytes)) return false;
        for (u64 block = first; block <= last; ++block) written_[block] = true;
        return true;
    }

 private:
    static constexpr u64 block_size = kept_block;

    bool copy_up(u64 block) {
        if (written_[block]) return true;
        std::array<u8, block_size> bytes;
        std::span<u8> used{bytes.data(), std::min(block_size, size_ - block * block_size)};
        if (!image_.read(block * block_size, used) || !overlay_.write(block * block_size, used)) return false;
        written_[block] = true;
        return true;
    }

    OpenImage image_, overlay_;
    u64 size_;
    std::vector<bool> written_;
};

void refuse_formats(const Descriptor& file, const std::string& path, u64 size) {
    std::array<u8, format_head> head{};
    std::array<u8, format_tail> tail{};
    std::span<u8> first{head.data(), std::min<u64>(head.size(), size)},
        last{tail.data(), std::min<u64>(tail.size(), size)};
    auto read = [&file](u64 offset, std::span<u8> bytes) {
        return ::pread(file.number(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
               static_cast<ssize_t>(bytes.size());
    };
    if (!read(0, first) || !read(size - last.size(), last)) return;  // the guest will meet the error
    if (auto format = recognised_format(first, last))
        throw UsageError(
            fmt::format("{}: is {}; make a raw image of it (disks: qemu-img convert -O raw), or write "
                        "raw:{} if it is one that a guest made look so",
                        path, *format, path));
}

}  // namespace

// Not in /tmp by choice: it is often memory, and a snapshot may become as large as the disk.
Descriptor open_overlay_file() {
    const char* chosen = std::getenv("TMPDIR");
    for (std::string folder : {chosen ? chosen : "/var/tmp", "/var/tmp", "/tmp"}) {
        if (Descriptor file{::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)}) return file;
        std::string name = folder + "/vellum-snapshot-XXXXXX";
        Descriptor file{::mkostemp(name.data(), O_CLOEXEC)};
        if (!file) continue;
        ::unlink(name.c_str());
        return file;
    }
    throw HostError("no temporary file for --snapshot: set TMPDIR to a folder that can be written");
}

void flush_descriptor(int descriptor) { ::fdatasync(descriptor); }

Descriptor open_image_file(const std::string& path, ImageAccess access) {
    bool writes = access == ImageAccess::ReadWrite;
    // Without O_NONBLOCK, a pipe would hold us here.
    Descriptor file{::open(path.c_str(), (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK)};
    if (file) return file;
    bool forbidden = errno == EACCES || errno == EROFS || errno == EPERM;
    const char* advice = !forbidden ? "check the name"
                         : writes   ? "make it writable, or use --snapshot"
                                    : "make it readable";
    throw UsageError(fmt::format("{}: {}: {}", path, std::strerror(errno), advice));
}

std::unique_ptr<BlockBackend> make_image(Descriptor file, Descriptor overlay, const ImageName& name, ImageAccess access,
                                         u32 granularity) {
    const std::string& path = name.path;
    bool writes = access == ImageAccess::ReadWrite;
    struct stat status {};
    bool usable = ::fstat(file.number(), &status) == 0 && (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode));
    if (!usable) throw UsageError(fmt::format("{}: not a file: give a raw disk image", path));
    // Root may write all the same, but who takes away every permission to write means it.
    if (writes && S_ISREG(status.st_mode) && (status.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH)) == 0)
        throw UsageError(fmt::format("{}: is read-only: make it writable, or use --snapshot", path));
    off_t end = ::lseek(file.number(), 0, SEEK_END);
    if (end <= 0) throw UsageError(fmt::format("{}: the image is empty: give one with contents", path));
    u64 size = static_cast<u64>(end);
    if (!name.raw) refuse_formats(file, path, size);
    if (size % granularity != 0)
        throw UsageError(
            fmt::format("{}: its size of {} bytes is not a multiple of {}: it is not a raw image, or cut off", path,
                        size, granularity));
    if (::flock(file.number(), (writes ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        throw UsageError(
            fmt::format("{}: in use already, twice here or by another Vellum: end that one, or work on a copy", path));
    OpenImage image{std::move(file), path};
    if (access == ImageAccess::Snapshot)
        return std::make_unique<SnapshotImage>(std::move(image), OpenImage{std::move(overlay)}, size);
    return std::make_unique<ImageFile>(std::move(image), size, !writes);
}

std::unique_ptr<BlockBackend> open_image(const ImageName& name, ImageAccess access, u32 granularity) {
    Descriptor file = open_image_file(name.path, access);
    Descriptor overlay = access == ImageAccess::Snapshot ? open_overlay_file() : Descriptor{};
    return make_image(std::move(file), std::move(overlay), name, access, granularity);
}

}  // namespace vellum
