// From physical pages (or frames) to the places that show them. Entries are never taken out one by one: whoever reads
// one checks that it still holds, and when stale ones pile up the owner builds the map anew.
#pragma once

#include <vector>

#include "base/shared_memory.hpp"
#include "base/types.hpp"

namespace vellum {

class ReverseMap {
 public:
    explicit ReverseMap(u32 keys) : heads_{(u64{keys} * sizeof(u32) + page_size - 1) & ~u64{page_size - 1}} {}

    void add(u32 key, u32 value) {
        u32& head = heads()[key];
        nodes_.push_back({key, value, head});
        head = static_cast<u32>(nodes_.size());  // 1-based: 0 ends a chain
    }
    template <typename F>
    void for_each(u32 key, F&& f) const {  // newest first; f must not add
        for (u32 n = heads()[key]; n; n = nodes_[n - 1].next) f(nodes_[n - 1].value);
    }
    std::size_t size() const { return nodes_.size(); }
    void clear() {
        for (const Node& node : nodes_) heads()[node.key] = 0;
        nodes_.clear();
    }

 private:
    struct Node {
        u32 key, value, next;
    };
    u32* heads() const { return reinterpret_cast<u32*>(heads_.bytes().data()); }

    SharedMemory heads_;  // zero-filled, and only what is touched takes memory
    std::vector<Node> nodes_;
};

}  // namespace vellum
