// A file that appears complete or not at all: written under another name in the same folder, then renamed.
#pragma once

#include <span>
#include <string>

#include "base/types.hpp"
#include "machine/file_access.hpp"

namespace vellum {

// What was at `path` before stays until commit(), and for ever when that is not reached. The new file can be read by
// its owner only. All failures are HostErrors that name the path.
class FileReplacement {
 public:
    FileReplacement(FileAccess& files, const std::string& path);
    ~FileReplacement();
    FileReplacement(const FileReplacement&) = delete;
    FileReplacement& operator=(const FileReplacement&) = delete;

    void append(std::span<const u8> bytes);
    void overwrite_start(std::span<const u8> bytes);  // bytes that were appended before
    void commit();                                    // on the host's disk when it returns

 private:
    [[noreturn]] void fail() const;

    FileAccess& files_;
    std::string path_;
    Descriptor file_;
    bool committed_ = false;
};

}  // namespace vellum
