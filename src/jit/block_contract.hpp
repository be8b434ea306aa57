// What a block of this translator may do beyond the rules of the verifier: the stubs that it may leave for, and the
// words of CpuState and JitContext that it may read and write.
#pragma once

#include "jit/emitter.hpp"
#include "jit/verifier.hpp"

namespace vellum {

// `bytes` are the block's, to be run at host address `address`. Refers to `runtime`.
EmittedCode block_contract(std::span<const u8> bytes, u64 address, const Block& block, const Runtime& runtime);

}  // namespace vellum
