// Memory that is given out piece by piece and taken back as a whole: for what a block needs as long as its code is
// there.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <vector>

#include "base/check.hpp"

namespace vellum {

class Arena {
 public:
    struct Mark {
        std::size_t chunk = 0, at = 0;
    };

    // Nobody destroys what is made here.
    template <typename T>
    T* make(const T& value = {}) {
        static_assert(std::is_trivially_destructible_v<T>);
        return new (take(sizeof(T), alignof(T))) T(value);
    }
    template <typename T>
    std::span<T> copy(const std::vector<T>& from) {
        static_assert(std::is_trivially_copyable_v<T>);
        if (from.empty()) return {};
        void* to = take(from.size() * sizeof(T), alignof(T));
        std::memcpy(to, from.data(), from.size() * sizeof(T));
        return {static_cast<T*>(to), from.size()};
    }

    Mark mark() const { return used_; }
    // What was given out since ceases. The memory is kept, to be given out again.
    void rewind(Mark mark) { used_ = mark; }

 private:
    static constexpr std::size_t chunk_bytes = 64 << 10;

    void* take(std::size_t bytes, std::size_t alignment) {
        check(bytes <= chunk_bytes, "no table of a block is larger than a chunk of the arena");
        std::size_t at = (used_.at + alignment - 1) & ~(alignment - 1);
        if (chunks_.empty() || at + bytes > chunk_bytes) {
            if (!chunks_.empty()) ++used_.chunk;
            if (used_.chunk == chunks_.size())
                chunks_.push_back(std::make_unique_for_overwrite<std::byte[]>(chunk_bytes));
            at = 0;
        }
        used_.at = at + bytes;
        return chunks_[used_.chunk].get() + at;
    }

    std::vector<std::unique_ptr<std::byte[]>> chunks_;
    Mark used_;
};

}  // namespace vellum
