// From CS:EIP to a decoded instruction: limit of CS, translation for fetching, the cache of decoded instructions.
#pragma once

#include <array>

#include "cpu/cpu.hpp"
#include "cpu/decode_cache.hpp"
#include "cpu/decoder.hpp"

namespace vellum {

class Fetcher {
 public:
    Fetcher(Cpu& cpu, const Decoder& decoder) : cpu_{cpu}, decoder_{decoder}, cache_{cpu.memory} {}

    // The instruction at CS:EIP; null: `fault` is what fetching or decoding it raises. It stays valid until the next
    // call, whatever happens to memory meanwhile.
    const Instruction* fetch(Fault& fault) {
        const CpuState& state = cpu_.state;
        const Segment& cs = state.segment(Seg::Cs);
        auto eip = static_cast<u32>(state.eip), linear = static_cast<u32>(cs.base + eip);
        const CodePage& code = code_pages_[linear >> page_shift & (code_page_count - 1)];
        if (code.key == key_of(linear) && code.generation == cpu_.mmu.generation() && code.page) [[likely]] {
            u32 offset = linear & page_offset_mask;
            u16 slot = code.page->slots[offset];
            const Instruction* in = following_;
            if (slot != following_slot_ || code.page != following_page_) {
                if (!slot) return fetch_slowly(eip, linear, fault);
                in = &code.page->pool[slot - 1u];
            }
            // Found by adding 1, so that a processor that predicts the branch above need not wait for `slot`, which
            // depends on EIP, which depends on the length of the instruction before: 8.3 to 6.0 ns an instruction.
            asm("" : "+r"(in));
            following_ = in + 1;
            following_slot_ = static_cast<u16>(slot + 1);
            following_page_ = code.page;
            if (u64{eip} + in->length - 1 <= cs.limit && offset + in->length <= page_size) [[likely]]
                return in;
        }
        return fetch_slowly(eip, linear, fault);
    }

    // Decoded instructions of a physical page are wanted no longer; the page is watched no longer.
    void forget_page(Physical page) { cache_.forget(page); }

    // Memory or its map changed unseen: trust nothing without looking again, from the next fetch on. May be called
    // while an instruction is being executed.
    void forget() {
        code_pages_ = {};
        following_page_ = nullptr;
        stale_ = true;
    }

 private:
    // What translating a linear page for fetching gave; holds while the TLB is not flushed.
    struct CodePage {
        u64 key = ~u64{0};
        u64 generation = 0;
        DecodeCache::Page* page = nullptr;  // null: not plain memory
        Physical physical{};
    };
    static constexpr u32 code_page_count = 256;

    u64 key_of(u32 linear) const {
        return u64{linear >> page_shift} << 2 | (cpu_.state.cpl == 3 ? 2u : 0u) | (cpu_.state.code32() ? 1u : 0u);
    }
    [[gnu::noinline]] const Instruction* fetch_slowly(u32 eip, u32 linear, Fault& fault);
    OrFault<CodePage*> code_page(u32 linear);
    bool tail_unchanged(const Instruction& in, u32 linear, Fault& fault);
    const Instruction* decode(u32 eip, u32 linear, CodePage& code, Fault& fault);

    Cpu& cpu_;
    const Decoder& decoder_;
    DecodeCache cache_;
    std::array<CodePage, code_page_count> code_pages_{};
    Instruction scratch_;
    // Instructions are decoded in the order of execution, so the next one is likely to be the next of the pool. Slot 0
    // (nothing decoded) is never expected.
    const Instruction* following_ = nullptr;
    const DecodeCache::Page* following_page_ = nullptr;
    u16 following_slot_ = 0;
    bool stale_ = false;
};

}  // namespace vellum
