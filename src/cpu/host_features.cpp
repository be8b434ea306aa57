// The host's CPUID (SDM 2, CPUID, leaves 0, 1 and 7).
#include "cpu/host_features.hpp"

#include <cpuid.h>

namespace vellum {

namespace {

HostFeatures ask_host() {
    HostFeatures features;
    u32 eax = 0, ebx = 0, ecx = 0, edx = 0;
    if (__get_cpuid(1, &eax, &ebx, &ecx, &edx)) {
        features.pclmulqdq = ecx >> 1 & 1;
        features.aes = ecx >> 25 & 1;
    }
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) features.sha = ebx >> 29 & 1;
    return features;
}

bool ask_for_amds() {
    u32 highest = 0, ebx = 0, ecx = 0, edx = 0;
    __get_cpuid(0, &highest, &ebx, &ecx, &edx);
    constexpr u32 hygon = 0x6F677948;  // "Hygo" of "HygonGenuine"
    return ebx == signature_AMD_ebx || ebx == hygon;
}

bool ask_for_bmi2() {
    u32 eax = 0, ebx = 0, ecx = 0, edx = 0;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx >> 8 & 1);
}

}  // namespace

HostFeatures host_features() {
    static const HostFeatures features = ask_host();  // once: CPUID leaves a virtual host, for tens of microseconds
    return features;
}

bool host_has_bmi2() {
    static const bool has = ask_for_bmi2();
    return has;
}

bool host_is_amds() {
    static const bool amds = ask_for_amds();
    return amds;
}

}  // namespace vellum
