// Which bytes of a page are code: one bit each.
#pragma once

#include <algorithm>
#include <array>

#include "base/types.hpp"

namespace vellum {

class CodeBytes {
 public:
    void mark(u32 first, u32 end) {  // offsets in the page
        for_words(first, end, [this](u32 word, u64 bits) { words_[word] |= bits; });
    }
    bool any(u32 first, u32 end) const {
        u64 found = 0;
        for_words(first, end, [&](u32 word, u64 bits) { found |= words_[word] & bits; });
        return found != 0;
    }
    void clear() { words_ = {}; }

 private:
    template <typename Visit>
    static void for_words(u32 first, u32 end, Visit visit) {
        while (first < end) {
            u32 next = std::min(end, (first | 63) + 1), count = next - first;
            visit(first / 64, (~u64{0} >> (64 - count)) << (first % 64));
            first = next;
        }
    }
    std::array<u64, page_size / 64> words_{};
};

}  // namespace vellum
