// The slow roads of fetching: first sight of a page, decoding, instructions across pages, code outside plain memory.
#include "cpu/fetch.hpp"

#include <algorithm>
#include <cstring>

#include "cpu/interpreter.hpp"
#include "cpu/specialise.hpp"

namespace vellum {

namespace {

constexpr u32 longest_instruction = 15;

Fault fault_of(DecodeStatus status) {
    return Fault::exception(status == DecodeStatus::Undefined ? vector::ud : vector::gp);
}

// Code may run from a device's memory too, byte by byte.
void read_physical(Cpu& cpu, Physical at, std::span<u8> bytes) {
    if (const u8* page = cpu.memory.read_pointer(page_of(at))) {
        std::memcpy(bytes.data(), page + offset_in_page(at), bytes.size());
        return;
    }
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<u8>(cpu.outside.read_mmio(at + i, 1));
}

}  // namespace

OrFault<Fetcher::CodePage*> Fetcher::code_page(u32 linear) {
    CodePage& code = code_pages_[linear >> page_shift & (code_page_count - 1)];
    u64 key = key_of(linear);
    if (code.key == key && code.generation == cpu_.mmu.generation()) return &code;
    auto physical = cpu_.mmu.translate(Linear{linear}, Access::Fetch, cpu_.privilege());
    if (!physical) return physical.fault();
    code.key = key;
    code.physical = page_of(*physical);
    bool plain = cpu_.memory.read_pointer(code.physical) != nullptr;
    code.page = plain ? cache_.page(code.physical, cpu_.state.code32()) : nullptr;
    code.generation = cpu_.mmu.generation();  // a page newly watched has just raised it
    return &code;
}

const Instruction* Fetcher::fetch_slowly(u32 eip, u32 linear, Fault& fault) {
    following_page_ = nullptr;  // pools are about to move or go
    if (stale_) cache_.drop_changed();
    stale_ = false;
    if (cache_.full()) {
        code_pages_ = {};
        cache_.drop_all();
    }
    const u32 limit = cpu_.state.segment(Seg::Cs).limit;
    if (eip > limit) return fault = Fault::exception(vector::gp), nullptr;
    auto code = code_page(linear);
    if (!code) return fault = code.fault(), nullptr;
    if (DecodeCache::Page* page = (*code)->page) {
        const Instruction* in = page->find(linear & page_offset_mask);
        if (in && u64{eip} + in->length - 1 <= limit) {
            bool unchanged = tail_unchanged(*in, linear, fault);
            if (fault) return nullptr;
            if (unchanged) return in;
        }
    }
    return decode(eip, linear, **code, fault);
}

// Compares the bytes of a known instruction that lie in the following page. Fetching them may fault.
bool Fetcher::tail_unchanged(const Instruction& in, u32 linear, Fault& fault) {
    u32 here = page_size - (linear & page_offset_mask);
    if (in.length <= here) return true;
    std::array<u8, longest_instruction> tail;
    auto physical = cpu_.mmu.translate(Linear{linear + here}, Access::Fetch, cpu_.privilege());
    if (!physical) return fault = physical.fault(), false;
    read_physical(cpu_, *physical, std::span{tail}.first(in.length - here));
    return std::memcmp(tail.data(), in.bytes.data() + here, in.length - here) == 0;
}

const Instruction* Fetcher::decode(u32 eip, u32 linear, CodePage& code, Fault& fault) {
    std::array<u8, longest_instruction> bytes;
    u32 offset = linear & page_offset_mask;
    u64 below_limit = u64{cpu_.state.segment(Seg::Cs).limit} - eip + 1;
    auto allowed = static_cast<u32>(std::min<u64>(below_limit, longest_instruction));
    u32 here = std::min(allowed, page_size - offset);
    bool code32 = cpu_.state.code32();
    DecodeCache::Page* page = code.page;
    read_physical(cpu_, code.physical + offset, std::span{bytes}.first(here));
    DecodeStatus status = decoder_.decode(std::span{bytes}.first(here), code32, scratch_);
    if (status == DecodeStatus::NeedMoreBytes && here < allowed) {
        // #PF of the second page only when its bytes are needed; CR2 is its beginning (SDM 3A 4.7).
        auto physical = cpu_.mmu.translate(Linear{linear + here}, Access::Fetch, cpu_.privilege());
        if (!physical) return fault = physical.fault(), nullptr;
        read_physical(cpu_, *physical, std::span{bytes}.subspan(here, allowed - here));
        status = decoder_.decode(std::span{bytes}.first(allowed), code32, scratch_);
    }
    if (status != DecodeStatus::Ok) return fault = fault_of(status), nullptr;
    scratch_.row = find_row(scratch_);
    if (!scratch_.row) return fault = Fault::exception(vector::ud), nullptr;
    scratch_.execute = specialised(scratch_);
    return page ? cache_.add(*page, offset, scratch_) : &scratch_;
}

}  // namespace vellum
