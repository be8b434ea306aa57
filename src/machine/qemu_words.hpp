// Command lines as people type them for QEMU: words that mean nothing here are left out, those that have an equivalent
// become it, and the rest is refused by its own name. What would give another machine than was asked for is refused.
#pragma once

#include <string>
#include <vector>

namespace vellum {

struct QemuWords {
    std::vector<std::string> words;  // in our own terms, one dash or two
    std::string help;                // not empty: that was all that was asked for
};

// Leaves all words alone that are not QEMU's. Throws UsageError naming the word.
QemuWords from_qemu(const std::vector<std::string>& words);

}  // namespace vellum
