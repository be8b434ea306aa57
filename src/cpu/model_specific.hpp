// Model-specific registers: a table of those that exist. Others are #GP(0), which kernels expect (SDM 4).
#pragma once

#include "cpu/cpu.hpp"

namespace vellum {

// Privilege is the caller's business.
OrFault<u64> read_msr(Cpu& cpu, u32 index);
Fault write_msr(Cpu& cpu, u32 index, u64 value);

}  // namespace vellum
