// CR0, CR3, CR4 and EFER: what a write checks, what it loads and what it flushes (SDM 3A 2.5, 4.4.1, 4.10.4).
#pragma once

#include "cpu/cpu.hpp"

namespace vellum {

// Privilege is the caller's business. #GP(0) leaves all as it was.
Fault write_cr0(Cpu& cpu, u32 value);
Fault write_cr3(Cpu& cpu, u32 value);
Fault write_cr4(Cpu& cpu, u32 value);
Fault write_efer(Cpu& cpu, u64 value);

}  // namespace vellum
