// Bytes in, instruction out. Pure: never touches guest memory. Zydis decodes; only what our CPUID model offers passes.
#pragma once

#include <span>

#include "cpu/host_features.hpp"
#include "cpu/instruction.hpp"

namespace vellum {

enum class DecodeStatus : u8 {
    Ok,
    NeedMoreBytes,  // the bytes given end before the instruction does
    Undefined,      // #UD
    TooLong,        // more than 15 bytes: #GP(0)
};

class Decoder {
 public:
    explicit Decoder(const HostFeatures& features);
    // Fills everything but `execute` and `row`. `code32` is the D bit of CS.
    DecodeStatus decode(std::span<const u8> bytes, bool code32, Instruction& out) const;

 private:
    u8 offered_;  // kinds of instruction sets (decoder.cpp)
    alignas(8) std::array<std::byte, 64> storage_[2];
};

}  // namespace vellum
