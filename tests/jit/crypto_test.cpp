// AES, PCLMULQDQ and SHA on both engines: programs of the guest give what FIPS 197 and FIPS 180-4 say, and whoever is
// not offered the instructions does not have them. What the host lacks is not tested here, and said.
#include <catch2/catch.hpp>

#include <algorithm>

#include "cpu/cpuid.hpp"
#include "jit/engine_pair.hpp"
#include "jit/guest_program.hpp"

using namespace vellum;
using namespace vellum::test;
using namespace asmjit::x86;

namespace {

constexpr u32 code = FlatMachine::code_at, data = FlatMachine::data_at;

using Block = std::array<u8, 16>;
using Program = std::function<void(Assembler&)>;
using Change = std::function<void(FlatMachine&)>;

bool host_has(bool HostFeatures::*feature, const char* name) {
    if (host_features().*feature) return true;
    WARN("left out: this host has no " << name);
    return false;
}

// Both engines, ready for SSE, with the same features.
struct CryptoPair {
    explicit CryptoPair(const HostFeatures& features)
        : interp{1u << 20, make_interpreter, features}, bt{1u << 20, make_counting_translator, features} {
        for (FlatMachine* m : {&interp, &bt}) {
            m->state.cr4 |= cr4::osfxsr;
            m->state.reg(vellum::Reg::Ebx) = data;
        }
    }

    template <typename T>
    void poke(u32 address, const T& value) {
        for (FlatMachine* m : {&interp, &bt}) m->poke_value(address, value);
    }

    // What they differ in at the end; the program goes on into a HLT.
    std::string run(std::span<const u8> bytes) {
        for (FlatMachine* m : {&interp, &bt}) {
            m->poke(code, bytes);
            m->poke(code + bytes.size(), {0xF4});
            m->run_from(code);
        }
        return differences(interp.state, bt.state);
    }
    std::string run(const Program& program) { return run(assemble(code, program)); }

    FlatMachine interp, bt;
};

// --- AES (FIPS 197). Round keys are made by the guest, and the text is deciphered again.

constexpr u32 key_at = 0, text_at = 32, round_keys_at = 64, enciphered_at = 512, deciphered_at = 528;  // from EBX

Block counting(u8 step) {
    Block block;
    for (u8 i = 0; i < 16; ++i) block[i] = static_cast<u8>(i * step);
    return block;
}

Mem round_key(u32 number) { return ptr(ebx, static_cast<i32>(round_keys_at + 16 * number)); }

// FIPS 197, 5.2: each word is the word before, added to the one of a key length before. Three times x + (x << 32) is
// x + (x << 32) + (x << 64) + (x << 96), where + is exclusive or.
void expand_key(Assembler& a, u32 key_blocks, u32 rounds) {
    for (u32 i = 0; i < key_blocks; ++i) {
        a.movdqa(xmm1, ptr(ebx, static_cast<i32>(key_at + 16 * i)));
        a.movdqa(round_key(i), xmm1);
    }
    u32 round_constant = 1;
    for (u32 i = key_blocks; i <= rounds; ++i) {
        bool first_of_key = i % key_blocks == 0;  // its word is rotated and has the constant; others are substituted
        a.movdqa(xmm1, round_key(i - key_blocks));
        a.aeskeygenassist(xmm2, round_key(i - 1), round_constant);
        a.pshufd(xmm2, xmm2, first_of_key ? 0xFF : 0xAA);
        for (int n = 0; n < 3; ++n) {
            a.movdqa(xmm3, xmm1);
            a.pslldq(xmm3, 4);
            a.pxor(xmm1, xmm3);
        }
        a.pxor(xmm1, xmm2);
        a.movdqa(round_key(i), xmm1);
        if (first_of_key) round_constant = round_constant << 1 ^ (round_constant & 0x80 ? 0x11B : 0);
    }
}

void encipher(Assembler& a, u32 rounds) {
    a.movdqa(xmm0, ptr(ebx, text_at));
    a.pxor(xmm0, round_key(0));
    for (u32 i = 1; i < rounds; ++i) a.aesenc(xmm0, round_key(i));
    a.movdqa(xmm7, round_key(rounds));
    a.aesenclast(xmm0, xmm7);
    a.movdqa(ptr(ebx, enciphered_at), xmm0);
}

void decipher(Assembler& a, u32 rounds) {
    a.pxor(xmm0, round_key(rounds));
    for (u32 i = rounds - 1; i > 0; --i) {
        a.aesimc(xmm6, round_key(i));
        a.aesdec(xmm0, xmm6);
    }
    a.aesdeclast(xmm0, round_key(0));
    a.movdqa(ptr(ebx, deciphered_at), xmm0);
}

// --- SHA (FIPS 180-4)

// "abc" as a padded block of sixteen words.
constexpr std::array<u32, 16> padded_abc = {0x61626380, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 24};

// The largest number whose power is not above `of`.
u64 integer_root(unsigned __int128 of, int power) {
    u64 root = 0;
    for (u64 bit = u64{1} << 36; bit; bit >>= 1) {
        unsigned __int128 raised = 1;
        for (int i = 0; i < power; ++i) raised *= root | bit;
        if (raised <= of) root |= bit;
    }
    return root;
}

// FIPS 180-4, 4.2.2 and 5.3.3: the first 32 bits of the fractional parts of the primes' roots.
template <std::size_t count>
std::array<u32, count> fractions_of_prime_roots(int power) {
    std::array<u32, count> fractions;
    u32 found = 0;
    for (u32 n = 2; found < count; ++n) {
        bool prime = true;
        for (u32 d = 2; d * d <= n; ++d) prime &= n % d != 0;
        if (prime)
            fractions[found++] = static_cast<u32>(integer_root(static_cast<unsigned __int128>(n) << 32 * power, power));
    }
    return fractions;
}

constexpr u32 message_at = 0, constants_at = 64, state_at = 512, result_at = 544;  // from EBX

Mem block_of(u32 at, u32 number = 0) { return ptr(ebx, static_cast<i32>(at + 16 * number)); }

// ABEF and CDGH in xmm1 and xmm2, the last sixteen words of the schedule in xmm3 to xmm6, the words of two rounds in
// xmm0.
void sha256_block(Assembler& a) {
    constexpr Xmm words[] = {xmm3, xmm4, xmm5, xmm6};
    a.movdqa(xmm1, block_of(state_at, 0));
    a.movdqa(xmm2, block_of(state_at, 1));
    for (u32 i = 0; i < 4; ++i) a.movdqa(words[i], block_of(message_at, i));
    for (u32 i = 0; i < 16; ++i) {
        a.movdqa(xmm0, words[i % 4]);
        a.paddd(xmm0, block_of(constants_at, i));
        a.sha256rnds2(xmm2, xmm1);
        a.pshufd(xmm0, xmm0, 0x0E);
        a.sha256rnds2(xmm1, xmm2);
        if (i >= 12) continue;
        a.sha256msg1(words[i % 4], words[(i + 1) % 4]);
        a.movdqa(xmm7, words[(i + 3) % 4]);
        a.palignr(xmm7, words[(i + 2) % 4], 4);
        a.paddd(words[i % 4], xmm7);
        a.sha256msg2(words[i % 4], words[(i + 3) % 4]);
    }
    a.paddd(xmm1, block_of(state_at, 0));
    a.paddd(xmm2, block_of(state_at, 1));
    a.movdqa(block_of(result_at, 0), xmm1);
    a.movdqa(block_of(result_at, 1), xmm2);
}

// ABCD in xmm0, E and the words to come in xmm1 and xmm6 by turns, the schedule in xmm2 to xmm5.
void sha1_block(Assembler& a) {
    constexpr Xmm words[] = {xmm2, xmm3, xmm4, xmm5}, turns[] = {xmm1, xmm6};
    a.movdqa(xmm0, block_of(state_at, 0));
    a.movdqa(xmm1, block_of(state_at, 1));
    for (u32 i = 0; i < 4; ++i) a.movdqa(words[i], block_of(message_at, i));
    for (u32 i = 0; i < 20; ++i) {
        if (i == 0)
            a.paddd(turns[0], words[0]);
        else
            a.sha1nexte(turns[i % 2], words[i % 4]);
        a.movdqa(turns[(i + 1) % 2], xmm0);
        a.sha1rnds4(xmm0, turns[i % 2], i / 5);
        if (i >= 16) continue;
        a.sha1msg1(words[i % 4], words[(i + 1) % 4]);
        a.pxor(words[i % 4], words[(i + 2) % 4]);
        a.sha1msg2(words[i % 4], words[(i + 3) % 4]);
    }
    a.sha1nexte(turns[0], block_of(state_at, 1));
    a.paddd(xmm0, block_of(state_at, 0));
    a.movdqa(block_of(result_at, 0), xmm0);
    a.movdqa(block_of(result_at, 1), turns[0]);
}

// --- all instructions

struct CryptoForm {
    bool HostFeatures::*feature;
    std::vector<u8> opening;
    bool immediate = false;

    // With XMM0 and XMM1, or with XMM0 and [EBX].
    std::vector<u8> bytes(bool memory) const {
        std::vector<u8> all = opening;
        all.push_back(memory ? 0x03 : 0xC1);
        if (immediate) all.push_back(1);
        return all;
    }
};

const CryptoForm forms[] = {
    {&HostFeatures::aes, {0x66, 0x0F, 0x38, 0xDB}},              // aesimc
    {&HostFeatures::aes, {0x66, 0x0F, 0x38, 0xDC}},              // aesenc
    {&HostFeatures::aes, {0x66, 0x0F, 0x38, 0xDD}},              // aesenclast
    {&HostFeatures::aes, {0x66, 0x0F, 0x38, 0xDE}},              // aesdec
    {&HostFeatures::aes, {0x66, 0x0F, 0x38, 0xDF}},              // aesdeclast
    {&HostFeatures::aes, {0x66, 0x0F, 0x3A, 0xDF}, true},        // aeskeygenassist
    {&HostFeatures::pclmulqdq, {0x66, 0x0F, 0x3A, 0x44}, true},  // pclmulqdq
    {&HostFeatures::sha, {0x0F, 0x38, 0xC8}},                    // sha1nexte
    {&HostFeatures::sha, {0x0F, 0x38, 0xC9}},                    // sha1msg1
    {&HostFeatures::sha, {0x0F, 0x38, 0xCA}},                    // sha1msg2
    {&HostFeatures::sha, {0x0F, 0x38, 0xCB}},                    // sha256rnds2
    {&HostFeatures::sha, {0x0F, 0x38, 0xCC}},                    // sha256msg1
    {&HostFeatures::sha, {0x0F, 0x38, 0xCD}},                    // sha256msg2
    {&HostFeatures::sha, {0x0F, 0x3A, 0xCC}, true},              // sha1rnds4
};

// The vector of the exception that both engines raise; -1: none.
int vector_of(const HostFeatures& features, const CryptoForm& form, bool memory, const Change& change = {}) {
    CryptoPair pair{features};
    if (change)
        for (FlatMachine* m : {&pair.interp, &pair.bt}) change(*m);
    CHECK(pair.run(form.bytes(memory)) == "");
    CHECK(pair.interp.halted_by() == pair.bt.halted_by());
    return pair.bt.halted_by();
}

// Those of the host, said when it lacks some.
std::vector<CryptoForm> forms_of_host() {
    std::vector<CryptoForm> found;
    for (const HostFeatureName& feature : host_feature_names)
        if (host_has(feature.offered, feature.name))
            std::copy_if(std::begin(forms), std::end(forms), std::back_inserter(found),
                         [&](const CryptoForm& form) { return form.feature == feature.offered; });
    return found;
}

CpuidAnswer cpuid_of(FlatMachine& m, u32 leaf, u32 subleaf) {
    m.set_reg(vellum::Reg::Eax, leaf);
    m.set_reg(vellum::Reg::Ecx, subleaf);
    m.run({0x0F, 0xA2});
    return {m.reg(vellum::Reg::Eax), m.reg(vellum::Reg::Ebx), m.reg(vellum::Reg::Ecx), m.reg(vellum::Reg::Edx)};
}

}  // namespace

TEST_CASE("crypto: AES gives the vectors of FIPS 197, C.1 and C.3, and back") {
    if (!host_has(&HostFeatures::aes, "AES")) return;
    struct Vector {
        u32 key_blocks, rounds;
        Block enciphered;
    };
    constexpr Vector vectors[] = {
        {1, 10, {0x69, 0xC4, 0xE0, 0xD8, 0x6A, 0x7B, 0x04, 0x30, 0xD8, 0xCD, 0xB7, 0x80, 0x70, 0xB4, 0xC5, 0x5A}},
        {2, 14, {0x8E, 0xA2, 0xB7, 0xCA, 0x51, 0x67, 0x45, 0xBF, 0xEA, 0xFC, 0x49, 0x90, 0x4B, 0x49, 0x60, 0x89}}};
    const Block text = counting(0x11);
    for (const Vector& vector : vectors) {
        INFO(vector.rounds << " rounds");
        CryptoPair pair{host_features()};
        for (u8 i = 0; i < 32; ++i) pair.poke(data + key_at + i, i);
        pair.poke(data + text_at, text);
        CHECK(pair.run([&](Assembler& a) {
            expand_key(a, vector.key_blocks, vector.rounds);
            encipher(a, vector.rounds);
            decipher(a, vector.rounds);
        }) == "");
        for (FlatMachine* m : {&pair.interp, &pair.bt}) {
            CHECK(m->peek<Block>(data + enciphered_at) == vector.enciphered);
            CHECK(m->peek<Block>(data + deciphered_at) == text);
        }
    }
}

TEST_CASE("crypto: SHA-256 of \"abc\" is that of FIPS 180-4") {
    if (!host_has(&HostFeatures::sha, "SHA")) return;
    CryptoPair pair{host_features()};
    auto h = fractions_of_prime_roots<8>(2);
    std::array<u32, 8> state = {h[5], h[4], h[1], h[0], h[7], h[6], h[3], h[2]};  // F E B A, H G D C
    pair.poke(data + message_at, padded_abc);
    pair.poke(data + constants_at, fractions_of_prime_roots<64>(3));
    pair.poke(data + state_at, state);
    CHECK(pair.run(sha256_block) == "");
    for (FlatMachine* m : {&pair.interp, &pair.bt})
        CHECK(m->peek<std::array<u32, 8>>(data + result_at) == std::array<u32, 8>{0x96177A9C, 0xB00361A3, 0x8F01CFEA,
                                                                                  0xBA7816BF, 0xF20015AD, 0xB410FF61,
                                                                                  0x5DAE2223, 0x414140DE});
}

TEST_CASE("crypto: SHA-1 of \"abc\" is that of FIPS 180-4") {
    if (!host_has(&HostFeatures::sha, "SHA")) return;
    CryptoPair pair{host_features()};
    std::array<u32, 16> reversed = padded_abc;  // the first word of four is the upper one
    for (auto at = reversed.begin(); at != reversed.end(); at += 4) std::reverse(at, at + 4);
    constexpr std::array<u32, 8> state = {0x10325476, 0x98BADCFE, 0xEFCDAB89, 0x67452301, 0, 0, 0, 0xC3D2E1F0};
    pair.poke(data + message_at, reversed);
    pair.poke(data + state_at, state);
    CHECK(pair.run(sha1_block) == "");
    for (FlatMachine* m : {&pair.interp, &pair.bt})
        CHECK(m->peek<std::array<u32, 8>>(data + result_at) ==
              std::array<u32, 8>{0x7850C26C, 0xBA3E2571, 0x4706816A, 0xA9993E36, 0, 0, 0, 0x9CD0D89D});
}

TEST_CASE("crypto: PCLMULQDQ multiplies the halves that its immediate names, without carries") {
    if (!host_has(&HostFeatures::pclmulqdq, "PCLMULQDQ")) return;
    constexpr std::array<u64, 2> a = {0x7B5B54657374566Eull, 0xFFFFFFFFFFFFFFFFull},
                                 b = {0x8000000000000001ull, 0x63746F725D53475Dull};
    for (u8 immediate : {0x00, 0x01, 0x10, 0x11}) {
        INFO("immediate " << int{immediate});
        u64 x = a[immediate & 1], y = b[immediate >> 4];
        unsigned __int128 product = 0;
        for (int bit = 0; bit < 64; ++bit)
            if (y >> bit & 1) product ^= static_cast<unsigned __int128>(x) << bit;
        CryptoPair pair{host_features()};
        pair.poke(data, a);
        pair.poke(data + 16, b);
        CHECK(pair.run([&](Assembler& as) {
            as.movdqa(xmm5, ptr(ebx));
            as.pclmulqdq(xmm5, ptr(ebx, 16), immediate);
            as.movdqa(ptr(ebx, 32), xmm5);
        }) == "");
        for (FlatMachine* m : {&pair.interp, &pair.bt})
            CHECK(m->peek<std::array<u64, 2>>(data + 32) ==
                  std::array<u64, 2>{static_cast<u64>(product), static_cast<u64>(product >> 64)});
    }
}

TEST_CASE("crypto: what is not offered is #UD, whatever else is") {
    for (const HostFeatureName& absent : host_feature_names) {
        INFO("without " << absent.name);
        HostFeatures features = host_features();
        features.*absent.offered = false;
        for (const CryptoForm& form : forms)
            for (bool memory : {false, true})
                CHECK(vector_of(features, form, memory) == (features.*form.feature ? -1 : vector::ud));
    }
}

TEST_CASE("crypto: memory operands must be aligned, and the unit must be there, as for SSE2") {
    const HostFeatures host = host_features();
    for (const CryptoForm& form : forms_of_host()) {
        INFO("opcode " << int{form.opening.back()});
        CHECK(vector_of(host, form, true, [](FlatMachine& m) { m.set_reg(vellum::Reg::Ebx, data + 8); }) == vector::gp);
        for (bool memory : {false, true}) {
            CHECK(vector_of(host, form, memory, [](FlatMachine& m) { m.state.cr0 |= cr0::ts; }) == vector::nm);
            CHECK(vector_of(host, form, memory, [](FlatMachine& m) { m.state.cr0 |= cr0::em; }) == vector::ud);
            CHECK(vector_of(host, form, memory, [](FlatMachine& m) { m.state.cr4 &= ~cr4::osfxsr; }) == vector::ud);
        }
    }
}

TEST_CASE("crypto: CPUID offers what the processor was made with, on both engines") {
    for (u32 offered = 0; offered < 8; ++offered) {
        INFO("features " << offered);
        HostFeatures features{(offered & 1) != 0, (offered & 2) != 0, (offered & 4) != 0};
        CryptoPair pair{features};
        for (FlatMachine* m : {&pair.interp, &pair.bt}) {
            CHECK(cpuid_of(*m, 0, 0).eax == 7);
            u32 ecx = cpuid_of(*m, 1, 0).ecx;
            CHECK((ecx >> 25 & 1) == u32{features.aes});
            CHECK((ecx >> 1 & 1) == u32{features.pclmulqdq});
            CHECK(cpuid_of(*m, 7, 0) == CpuidAnswer{0, 1u << 6 | (features.sha ? 1u << 29 : 0), 0, 0});
            CHECK(cpuid_of(*m, 7, 1) == CpuidAnswer{});
            for (u32 leaf : {3u, 5u, 6u}) CHECK(cpuid_of(*m, leaf, 0) == CpuidAnswer{});
        }
    }
}
