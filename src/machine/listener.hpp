// A socket that listens for clients, at a path of the file system or at a port of this host. It goes on listening
// whatever happens: when the process has no descriptors left, it looks again a little later.
#pragma once

#include <atomic>
#include <string>

#include "base/descriptor.hpp"
#include "base/types.hpp"
#include "machine/event_loop.hpp"
#include "machine/file_access.hpp"

namespace vellum {

class Listener {
 public:
    // A stale socket file (nobody answers) is replaced. Throws UsageError naming `option`.
    Listener(const std::string& option, const std::string& path);
    // Only for this host.
    explicit Listener(u16 port);  // throws UsageError naming --gdb

    int number() const { return listening_.number(); }
    Interest interest() const;  // a client that waits, if it may be let in now
    Descriptor accept();        // none: nobody is there, or it cannot be done now

    // Any thread, once: lets nobody in any more, has `files` remove the path, and ends its watch.
    void close(FileAccess& files);
    bool closed() const { return closed_; }

 private:
    static constexpr Nanoseconds pause = 100 * millisecond;

    Descriptor listening_;
    std::string path_;  // to be removed; empty: a port
    std::atomic<bool> closed_ = false;
    Nanoseconds not_before_ = 0;  // after trouble; the loop's thread only
};

}  // namespace vellum
