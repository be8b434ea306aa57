// Instruction sets that the guest is offered where the host has them, because the guest's instructions run on the
// host's own (docs/decisions/host-instructions-for-simd.md) and x86-64-v2 does not promise these.
#pragma once

#include "base/types.hpp"

namespace vellum {

struct HostFeatures {
    bool aes = false;        // AESENC, AESENCLAST, AESDEC, AESDECLAST, AESIMC, AESKEYGENASSIST
    bool pclmulqdq = false;  // PCLMULQDQ
    bool sha = false;        // SHA1*, SHA256*
    bool operator==(const HostFeatures&) const = default;
};

struct HostFeatureName {
    const char* name;  // as in the SDM
    bool HostFeatures::*offered;
};
constexpr HostFeatureName host_feature_names[] = {
    {"AES", &HostFeatures::aes},
    {"PCLMULQDQ", &HostFeatures::pclmulqdq},
    {"SHA", &HostFeatures::sha},
};

// Those of the processor that this runs on.
HostFeatures host_features();

// Where the manual leaves room, does the host do as AMD's processors (and Hygon's), not as Intel's? Translated code
// shows it, so that one of the engines must heed it (docs/decisions/hosts-of-two-makers.md).
bool host_is_amds();

// Has it BMI2? The guest is not offered it: translated code needs shifts that leave the flags alone.
bool host_has_bmi2();

}  // namespace vellum
