// Names of Unix sockets in the file system. Several machines may be started, or end, at the same moment: whoever takes
// or gives up a name holds the lock of its folder meanwhile, so that nobody takes away a name at which somebody
// listens.
#pragma once

#include <string>

#include "base/descriptor.hpp"

namespace vellum {

// "." for a name without a folder.
std::string folder_of(const std::string& path);

bool somebody_listens(const std::string& path);

class FolderLock {
 public:
    explicit FolderLock(const std::string& folder);  // waits for two seconds at most: it is held for moments only
    bool held() const { return held_; }

 private:
    Descriptor folder_;
    bool held_ = false;
};

// At the end, when its owner has stopped to listen. A socket at which somebody else listens by now stays.
void remove_socket(const std::string& path);

}  // namespace vellum
