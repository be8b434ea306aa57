// The default processor model: an in-order family 6 processor, which kernels list as free of speculation.
#include "cpu/cpuid.hpp"

#include <string_view>

#include "cpu/mmu.hpp"

namespace vellum {

namespace {

constexpr std::string_view vendor = "GenuineIntel";
constexpr std::string_view brand = "Vellum virtual CPU";

constexpr u32 family = 6, model = 28, stepping = 10;
constexpr u32 signature = (model >> 4) << 16 | family << 8 | (model & 0xF) << 4 | stepping;
constexpr u32 clflush_bytes = 64;

constexpr u32 bits(std::initializer_list<u32> numbers) {
    u32 value = 0;
    for (u32 number : numbers) value |= 1u << number;
    return value;
}

// Leaf 1. EDX: FPU DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT CLFSH MMX FXSR SSE SSE2.
constexpr u32 features_edx = bits({0, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 19, 23, 24, 25, 26});
// ECX: SSE3 SSSE3 SSE4.1 SSE4.2 POPCNT.
constexpr u32 features_ecx = bits({0, 9, 19, 20, 23});
// What the host may add: in leaf 1, ECX, and in leaf 7, subleaf 0, EBX.
constexpr u32 ecx_pclmulqdq = bits({1}), ecx_aes = bits({25}), ebx_sha = bits({29});
// Leaf 7, EBX: the x87 operand pointer is of instructions that raised an exception which is not masked, and of no other.
constexpr u32 ebx_fdp_of_exceptions_only = bits({6});
constexpr u32 extended_edx = bits({20});  // NX

constexpr u32 four(std::string_view text, std::size_t at) {
    u32 value = 0;
    for (std::size_t i = 0; i < 4; ++i)
        if (at + i < text.size()) value |= static_cast<u32>(static_cast<u8>(text[at + i])) << (8 * i);
    return value;
}

constexpr CpuidAnswer brand_part(std::size_t at) {
    return {four(brand, at), four(brand, at + 4), four(brand, at + 8), four(brand, at + 12)};
}

// One cache of leaf 4. Type: 1 data, 2 instruction, 3 unified.
constexpr CpuidAnswer cache(u32 type, u32 level, u32 ways, u32 sets) {
    constexpr u32 self_initializing = 1u << 8, line_bytes = 64;
    return {type | level << 5 | self_initializing, (ways - 1) << 22 | (line_bytes - 1), sets - 1, 0};
}

struct Row {
    u32 leaf, subleaf;
    bool any_subleaf;
    CpuidAnswer answer;
};

constexpr u32 last_basic = 7, last_extended = 0x80000008;

// 32 KiB of each first-level cache and 1 MiB of second level, eight ways each; leaf 2 says the same in descriptors:
// 50h 5Bh TLBs, 30h 2Ch first level, 87h second level. Leaves without rows read zero: 3 (serial number), 5 (MONITOR)
// and 6 (thermal) because there is no such thing. Of 7, subleaf 0 is the last.
constexpr Row rows[] = {
    {0, 0, true, {last_basic, four(vendor, 0), four(vendor, 8), four(vendor, 4)}},
    {1, 0, true, {signature, 1u << 16 | (clflush_bytes / 8) << 8, features_ecx, features_edx}},
    {2, 0, true, {0x2C5B5001, 0, 0, 0x00003087}},
    {4, 0, false, cache(1, 1, 8, 64)},
    {4, 1, false, cache(2, 1, 8, 64)},
    {4, 2, false, cache(3, 2, 8, 2048)},
    {7, 0, false, {0, ebx_fdp_of_exceptions_only, 0, 0}},
    {0x80000000, 0, true, {last_extended, 0, 0, 0}},
    {0x80000001, 0, true, {0, 0, 0, extended_edx}},
    {0x80000002, 0, true, brand_part(0)},
    {0x80000003, 0, true, brand_part(16)},
    {0x80000004, 0, true, brand_part(32)},
    {0x80000006, 0, true, {0, 0, 1024u << 16 | 6u << 12 | 64, 0}},
    {0x80000008, 0, true, {32u << 8 | physical_address_bits, 0, 0, 0}},
};

CpuidAnswer table_answer(u32 leaf, u32 subleaf) {
    for (const Row& row : rows)
        if (row.leaf == leaf && (row.any_subleaf || row.subleaf == subleaf)) return row.answer;
    return {};
}

}  // namespace

CpuidAnswer cpuid_answer(u32 leaf, u32 subleaf, const HostFeatures& features) {
    bool extended = leaf >= 0x80000000;
    if ((extended && leaf > last_extended) || (!extended && leaf > last_basic)) leaf = last_basic;
    CpuidAnswer answer = table_answer(leaf, subleaf);
    if (leaf == 1) answer.ecx |= (features.pclmulqdq ? ecx_pclmulqdq : 0) | (features.aes ? ecx_aes : 0);
    if (leaf == 7 && subleaf == 0) answer.ebx |= features.sha ? ebx_sha : 0;
    return answer;
}

}  // namespace vellum
