// Decoded instructions by the physical page of their first byte and the code size.
//
// A page that holds decoded instructions is watched: writes to it, whoever makes them, drop exactly the instructions
// whose bytes in that page they touch. The part of an instruction that lies in the next page is not watched: whoever
// executes it compares those bytes again (the next linear page may have become another physical one anyway).
#pragma once

#include <array>
#include <bit>
#include <memory>
#include <unordered_map>
#include <vector>

#include "cpu/guest_memory.hpp"
#include "cpu/instruction.hpp"

namespace vellum {

class DecodeCache final : private PageWatcher {
 public:
    // One physical page seen as code of one size.
    struct Page {
        std::array<u16, page_size> slots{};        // by offset of the first byte: index in `pool` + 1; 0: not decoded
        std::array<u64, page_size / 64> starts{};  // a bit for each slot that is not 0, for whoever looks at many
        std::vector<Instruction> pool;
        std::vector<u16> unused;  // indices in `pool`
        Physical physical{};
        bool watched = false;

        const Instruction* find(u32 offset) const { return slots[offset] ? &pool[slots[offset] - 1u] : nullptr; }
        // Offsets from `first` to `last` at which an instruction is; it may be dropped by `visit`.
        void for_each(u32 first, u32 last, auto&& visit) {
            for (u32 word = first / 64; word <= last / 64; ++word)
                for (u64 bits = starts[word]; bits; bits &= bits - 1) {
                    u32 offset = word * 64 + static_cast<u32>(std::countr_zero(bits));
                    if (offset >= first && offset <= last) visit(offset);
                }
        }
    };

    explicit DecodeCache(GuestMemory& memory);
    ~DecodeCache();
    DecodeCache(const DecodeCache&) = delete;
    DecodeCache& operator=(const DecodeCache&) = delete;

    // The page, made when there is none. Stays valid until `drop_all`. The memory must be plain (have a read pointer).
    Page* page(Physical address, bool code32);
    // The stored instruction stays where it is until the next `add` to the same page or the next `drop_all`.
    const Instruction* add(Page& page, u32 offset, const Instruction& instruction);
    void drop(Page& page, u32 offset);
    // Drops every instruction of a physical page and watches it no longer (until one is added again).
    void forget(Physical page);
    void drop_all();
    // For changes that nobody was told of: compares everything with memory again. A DOS that toggles A20 keeps its
    // code.
    void drop_changed();
    // More instructions are held than it should be: time for `drop_all`.
    bool full() const { return instructions_ > most_instructions; }

 private:
    static constexpr u64 most_instructions = 400'000;  // about 50 MB

    void page_will_change(Physical page, u32 first_offset, u32 last_offset) override;
    static u64 key(Physical address, bool code32) { return raw(address) >> page_shift << 1 | (code32 ? 1 : 0); }

    GuestMemory& memory_;
    std::unordered_map<u64, std::unique_ptr<Page>> pages_;
    u64 instructions_ = 0;
};

}  // namespace vellum
