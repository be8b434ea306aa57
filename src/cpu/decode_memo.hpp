// Decoded instructions by their bytes alone, wherever they are. Programs say the same few instructions over and over
// (push ebp; mov ebp,esp), blocks overlap, and patched code comes back: four of five need not be decoded again. Nobody
// has to tell it of changed memory, because it is asked with the bytes that are there now.
#pragma once

#include <vector>

#include "cpu/decoder.hpp"

namespace vellum {

class DecodeMemo {
 public:
    explicit DecodeMemo(const HostFeatures& features);
    // As Decoder::decode. What is given back stays as it is until the next call. Null: see `status`.
    const Instruction* decode(std::span<const u8> bytes, bool code32, DecodeStatus& status);

 private:
    static constexpr u32 entries_log2 = 14;  // two megabytes: with a quarter of that half as many again are decoded
    struct Entry {
        Instruction in;  // length 0: nothing is known
        bool code32 = false;
    };

    Decoder decoder_;
    std::vector<Entry> entries_;
    // How many bytes the last instruction with these first two had: a guess, which tells what to look for.
    std::vector<u8> lengths_;
    Instruction scratch_;
};

}  // namespace vellum
