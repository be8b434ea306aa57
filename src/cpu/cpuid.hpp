// What CPUID answers: a table, and the few features that depend on the host. It names exactly what works.
#pragma once

#include "cpu/host_features.hpp"

namespace vellum {

struct CpuidAnswer {
    u32 eax = 0, ebx = 0, ecx = 0, edx = 0;
    bool operator==(const CpuidAnswer&) const = default;
};

constexpr u32 cpuid_apic = 1u << 9;  // leaf 1, EDX: shown while the local APIC is enabled

// Leaves beyond the highest one answer as the highest basic one does (SDM 2 CPUID).
CpuidAnswer cpuid_answer(u32 leaf, u32 subleaf, const HostFeatures& features);

}  // namespace vellum
