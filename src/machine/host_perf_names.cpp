// The files of --perf on Linux: where perf looks for them, and how it hears of them.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>

#include "base/host_error.hpp"
#include "base/one_line.hpp"
#include "machine/host_process.hpp"
#include "machine/jitdump.hpp"
#include "machine/perf_map.hpp"
#include "machine/perf_names.hpp"

namespace vellum {

namespace {

class PerfFile final : public ByteSink {
 public:
    // A process of the same number may have left one, or somebody a link to elsewhere.
    explicit PerfFile(std::string path) : path_{std::move(path)} {
        unlink(path_.c_str());
        file_ = Descriptor{open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644)};
    }
    ~PerfFile() override {
        if (shown_ != MAP_FAILED) munmap(shown_, page_size);
    }

    explicit operator bool() const { return static_cast<bool>(file_); }
    // Among what perf records are mappings of executable memory, with the names of their files: by that it knows of a
    // jitdump. Nobody executes or reads it. False: the host does not map files of that folder so.
    bool show() {
        shown_ = mmap(nullptr, page_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, file_.number(), 0);
        return shown_ != MAP_FAILED;
    }

    void put(std::span<const u8> bytes) override {
        while (!bytes.empty() && !broken_) {
            ssize_t n = write(file_.number(), bytes.data(), bytes.size());
            if (n > 0) bytes = bytes.subspan(static_cast<std::size_t>(n));
            if (n < 0 && errno != EINTR) give_up();
        }
    }

 private:
    void give_up() {
        broken_ = true;
        std::fputs(fmt::format("vellum: --perf: {}: {}; it ends here\n", one_line(path_), std::strerror(errno)).c_str(),
                   stderr);
    }

    std::string path_;
    Descriptor file_;
    void* shown_ = MAP_FAILED;
    bool broken_ = false;
};

[[noreturn]] void refuse(const std::string& option, const std::string& path, const char* advice) {
    throw UsageError(fmt::format("{}: {}: {}; {}", option, path, std::strerror(errno), advice));
}

std::unique_ptr<CodeObserver> open_map() {
    std::string path = fmt::format("/tmp/perf-{}.map", getpid());
    auto file = std::make_unique<PerfFile>(path);
    if (!*file)
        refuse("--perf map", path, "perf looks there and nowhere else: make room for it, or use jitdump:FOLDER");
    return std::make_unique<PerfMap>(std::move(file), host_monotonic_time);
}

std::unique_ptr<CodeObserver> open_jitdump(const std::string& folder) {
    std::string option = folder.empty() ? "--perf jitdump" : "--perf jitdump:" + folder;
    std::string path = fmt::format("{}/jit-{}.dump", folder.empty() ? "." : folder, getpid());
    auto file = std::make_unique<PerfFile>(path);
    if (!*file) refuse(option, path, "name a folder where files can be made, as jitdump:FOLDER");
    if (!file->show()) {
        int error = errno;
        unlink(path.c_str());
        errno = error;
        refuse(option, path, "name a folder whose file system is not mounted noexec, as jitdump:FOLDER");
    }
    auto thread = [] { return static_cast<u32>(gettid()); };
    return std::make_unique<Jitdump>(std::move(file),
                                     JitdumpHost{static_cast<u32>(getpid()), thread, host_monotonic_time});
}

}  // namespace

std::unique_ptr<CodeObserver> open_perf_names(const PerfNames& names) {
    return names.kind == PerfNames::Kind::Map ? open_map() : open_jitdump(names.folder);
}

}  // namespace vellum
