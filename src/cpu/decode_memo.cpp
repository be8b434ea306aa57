// A direct-mapped table. An instruction's bytes say where it ends, so equal bytes are the same instruction, whatever
// follows them.
#include "cpu/decode_memo.hpp"

#include <array>
#include <cstring>

namespace vellum {

namespace {

constexpr u32 longest = 15;

// The first `length` of 15 bytes as two words, which overlap in one byte.
struct Words {
    u64 low, high;
    bool operator==(const Words&) const = default;
};

constexpr auto masks = [] {
    std::array<Words, longest + 1> all{};
    for (u32 length = 0; length <= longest; ++length)
        for (u32 i = 0; i < length; ++i) {
            if (i < 8) all[length].low |= u64{0xFF} << 8 * i;
            if (i >= 7) all[length].high |= u64{0xFF} << 8 * (i - 7);
        }
    return all;
}();

Words words_of(const u8* bytes, u8 length) {
    Words words;
    std::memcpy(&words.low, bytes, 8);
    std::memcpy(&words.high, bytes + 7, 8);
    return {words.low & masks[length].low, words.high & masks[length].high};
}

u64 hash_of(const Words& words, bool code32) {
    return (words.low ^ words.high << 29 ^ words.high >> 35 ^ (code32 ? 0x55u : 0u)) * 0x9E3779B97F4A7C15ull;
}

}  // namespace

DecodeMemo::DecodeMemo(const HostFeatures& features)
    : decoder_{features}, entries_(1u << entries_log2), lengths_(1u << 16) {}

const Instruction* DecodeMemo::decode(std::span<const u8> bytes, bool code32, DecodeStatus& status) {
    status = DecodeStatus::Ok;
    if (bytes.size() < longest) {
        status = decoder_.decode(bytes, code32, scratch_);
        return status == DecodeStatus::Ok ? &scratch_ : nullptr;
    }
    auto entry_for = [&](const Words& words) -> Entry& {
        return entries_[hash_of(words, code32) >> (64 - entries_log2)];
    };
    u8& length = lengths_[bytes[0] | static_cast<u32>(bytes[1]) << 8];
    if (length != 0) {
        Words words = words_of(bytes.data(), length);
        const Entry& entry = entry_for(words);
        if (entry.in.length == length && entry.code32 == code32 && words_of(entry.in.bytes.data(), length) == words)
            return &entry.in;
    }
    status = decoder_.decode(bytes, code32, scratch_);
    if (status != DecodeStatus::Ok) return nullptr;
    length = scratch_.length;
    Entry& entry = entry_for(words_of(bytes.data(), length));
    entry = {scratch_, code32};
    return &entry.in;
}

}  // namespace vellum
