// What a running machine wants opened in the host's file system, as a closed set of wishes. Two fulfil them: this
// process itself, and a child of it that holds the file system for a machine that may not open anything (sandbox.hpp).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/descriptor.hpp"
#include "base/types.hpp"
#include "machine/config.hpp"

namespace vellum {

enum class FileWish : u8 {
    Cd,              // an image to read
    Floppy,          // an image to read and write
    FloppyToRead,    // one whose writes are kept apart
    Overlay,         // a file without a name, for such writes; the path is empty
    Picture,         // a file to write anew
    Report,          // the same, for statistics
    Snapshot,        // a new file beside the path, which takes its place when it is committed; one at a time
    CommitSnapshot,  // what was begun last; the path is empty in these two
    AbandonSnapshot,
    FreeName,      // the path is an ending: the first name vellum-N.ENDING in the current folder that is not taken
    RemoveSocket,  // of a line, the control socket or the debugger
};

struct FileGrant {
    Descriptor file;   // where the wish is for one
    std::string name;  // FreeName
};

// Calls may come from any thread.
class FileAccess {
 public:
    virtual ~FileAccess() = default;
    // Throws UsageError or HostError, one line that names the path and says what to do.
    virtual FileGrant ask(FileWish wish, const std::string& path) = 0;
};

// This process opens what is wanted, whatever it is.
std::unique_ptr<FileAccess> make_direct_file_access();

// What the person has asked for on the command line, and so may be opened later.
struct FilePolicy {
    std::vector<std::pair<FileWish, std::string>> named;
    bool hot_keys = false;  // pictures and snapshots under free names
    bool control = false;   // the control socket's commands name images, pictures and snapshots

    bool permits(FileWish wish, const std::string& path) const;
};
FilePolicy file_policy(const RunConfig& config);

// Forks a child that opens what the policy permits, and ends when this process does. To be made before any other
// thread.
std::unique_ptr<FileAccess> make_file_broker(FilePolicy policy);

// Replaces the file's contents: Picture or Report. Throws HostError naming it.
void write_file(FileAccess& files, FileWish wish, const std::string& path, std::string_view bytes);

}  // namespace vellum
