// The blocks that live, by key. Each is chained to the next of its bucket through itself.
#pragma once

#include <vector>

#include "jit/block.hpp"

namespace vellum {

struct BlockKeyHash {
    std::size_t operator()(const BlockKey& k) const {
        u64 h = raw(k.physical) * 0x9E3779B97F4A7C15ull ^ raw(k.linear) * 0xC2B2AE3D27D4EB4Full ^
                k.mode * 0x165667B19E3779F9ull;
        return static_cast<std::size_t>(h ^ h >> 29);
    }
};

class BlockTable {
 public:
    BlockTable() : buckets_(1 << 10) {}

    Block* find(const BlockKey& key) const {
        Block* block = bucket(key);
        while (block && !(block->key == key)) block = block->next_in_table;
        return block;
    }
    void add(Block& block) {
        if (size_ >= buckets_.size()) grow();
        chain(block);
        ++size_;
    }
    void remove(Block& block) {
        Block** at = &bucket(block.key);
        while (*at && *at != &block) at = &(*at)->next_in_table;
        if (!*at) return;
        *at = block.next_in_table;
        --size_;
    }
    void clear() {
        buckets_.assign(buckets_.size(), nullptr);
        size_ = 0;
    }
    std::size_t size() const { return size_; }
    void for_each(auto&& visit) const {
        for (Block* first : buckets_)
            for (Block* block = first; block; block = block->next_in_table) visit(*block);
    }

 private:
    Block*& bucket(const BlockKey& key) { return buckets_[BlockKeyHash{}(key) & (buckets_.size() - 1)]; }
    Block* bucket(const BlockKey& key) const { return buckets_[BlockKeyHash{}(key) & (buckets_.size() - 1)]; }
    void chain(Block& block) {
        Block*& first = bucket(block.key);
        block.next_in_table = first;
        first = &block;
    }
    void grow() {
        std::vector<Block*> old(buckets_.size() * 2);
        old.swap(buckets_);
        for (Block* block : old)
            while (block) {
                Block* next = block->next_in_table;
                chain(*block);
                block = next;
            }
    }

    std::vector<Block*> buckets_;  // a power of two
    std::size_t size_ = 0;
};

}  // namespace vellum
