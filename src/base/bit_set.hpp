// A set of small numbers: one bit for each.
#pragma once

#include <array>
#include <bit>

#include "base/types.hpp"

namespace vellum {

template <u32 size>
class BitSet {
    static_assert(size % 64 == 0);

 public:
    static constexpr u32 capacity = size;

    bool has(u32 i) const { return words_[i >> 6] >> (i & 63) & 1; }
    void add(u32 i) { words_[i >> 6] |= u64{1} << (i & 63); }
    void remove(u32 i) { words_[i >> 6] &= ~(u64{1} << (i & 63)); }
    void assign(u32 i, bool in) { in ? add(i) : remove(i); }
    void clear() { words_ = {}; }
    bool empty() const {
        u64 any = 0;
        for (u64 word : words_) any |= word;
        return !any;
    }
    u32 count() const {
        u32 n = 0;
        for (u64 word : words_) n += static_cast<u32>(std::popcount(word));
        return n;
    }
    bool any(u32 from, u32 to) const {  // [from, to)
        for (u32 w = from >> 6; w < words_.size() && w * 64 < to; ++w) {
            u64 word = words_[w];
            if (w == from >> 6) word &= ~u64{0} << (from & 63);
            if (to < w * 64 + 64) word &= (u64{1} << (to & 63)) - 1;
            if (word) return true;
        }
        return false;
    }
    void assign_run(u32 from, u32 to, bool in) {  // [from, to)
        for (u32 i = from; i < to; ++i) assign(i, in);
    }
    BitSet without(const BitSet& other) const {
        BitSet result;
        for (u32 i = 0; i < words_.size(); ++i) result.words_[i] = words_[i] & ~other.words_[i];
        return result;
    }
    template <typename F>
    void for_each(F&& f) const {  // in rising order; f may change the set
        for (u32 w = 0; w < words_.size(); ++w)
            for (u64 rest = words_[w]; rest; rest &= rest - 1) f(w * 64 + static_cast<u32>(std::countr_zero(rest)));
    }
    // f(first) of each aligned row of `width` numbers of which the set has any, in rising order.
    template <u32 width, typename F>
    void for_each_row(F&& f) const {
        static_assert(64 % width == 0 && width < 64);
        constexpr u64 row = (u64{1} << width) - 1;
        for (u32 w = 0; w < words_.size(); ++w) {
            if (!words_[w]) continue;
            for (u32 from = 0; from < 64; from += width)
                if (words_[w] >> from & row) f(w * 64 + from);
        }
    }

 private:
    std::array<u64, size / 64> words_{};
};

}  // namespace vellum
