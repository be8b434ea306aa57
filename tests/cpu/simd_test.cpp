// MMX and SSE: results beside the compiler's intrinsics, exceptions and masks, alignment, state images.
#include <immintrin.h>

#include <catch2/catch.hpp>
#include <numeric>

#include "cpu/fpu_fixture.hpp"

namespace vellum::test {

namespace {

bool equal(__m128 a, __m128 b) { return std::memcmp(&a, &b, sizeof a) == 0; }
bool equal(__m128i a, __m128i b) { return std::memcmp(&a, &b, sizeof a) == 0; }

struct SimdFixture : FpuFixture {
    SimdFixture() {
        set_xmm(0, a);
        set_xmm(1, b);
    }
    const __m128 a = _mm_setr_ps(1.5f, -2.25f, 1e30f, 0.1f), b = _mm_setr_ps(3, 7, 1e-30f, 0.3f);
    const __m128i ai = _mm_castps_si128(a), bi = _mm_castps_si128(b);
};

}  // namespace

TEST_CASE_METHOD(SimdFixture, "simd: register forms give what the host's instructions give") {
    REQUIRE(!run({0x0F, 0x59, 0xC1}));  // mulps xmm0, xmm1
    CHECK(equal(xmm<__m128>(0), _mm_mul_ps(a, b)));
    set_xmm(0, a);
    REQUIRE(!run({0x66, 0x0F, 0xFE, 0xC8}));  // paddd xmm1, xmm0
    CHECK(equal(xmm<__m128i>(1), _mm_add_epi32(bi, ai)));
    set_xmm(1, b);
    REQUIRE(!run({0x0F, 0xC6, 0xC1, 0x1B}));  // shufps xmm0, xmm1, 1bh
    CHECK(equal(xmm<__m128>(0), _mm_shuffle_ps(a, b, 0x1B)));
    set_xmm(0, a);
    REQUIRE(!run({0xF3, 0x0F, 0x51, 0xC1}));  // sqrtss xmm0, xmm1
    CHECK(equal(xmm<__m128>(0), _mm_move_ss(a, _mm_sqrt_ss(b))));
    set_xmm(0, a);
    REQUIRE(!run({0x66, 0x0F, 0x73, 0xD8, 0x05}));  // psrldq xmm0, 5
    CHECK(equal(xmm<__m128i>(0), _mm_srli_si128(ai, 5)));
}

TEST_CASE_METHOD(SimdFixture, "simd: memory forms read and write as many bytes as the operand has") {
    for (u32 i = 0; i < 32; ++i) poke<u8>(data + i, static_cast<u8>(i * 7 + 1));
    REQUIRE(!run({0xF2, 0x0F, 0x10, 0x03}));  // movsd xmm0, [ebx]
    CHECK(xmm<u64>(0) == peek<u64>(data));
    CHECK(state.fpu.xmm[0][8] == 0);
    REQUIRE(!run({0x66, 0x0F, 0xD6, 0x43, 0x10}));  // movq [ebx+16], xmm0
    CHECK(peek<u64>(data + 16) == peek<u64>(data));
    CHECK(peek<u8>(data + 24) == 24 * 7 + 1);
    set_xmm(1, b);
    REQUIRE(!run({0x0F, 0x11, 0x4B, 0x21}));  // movups [ebx+33], xmm1
    CHECK(peek<u64>(data + 33) == xmm<u64>(1));
    REQUIRE(!run({0x66, 0x0F, 0x3A, 0x14, 0x4B, 0x40, 0x03}));  // pextrb [ebx+64], xmm1, 3
    CHECK(peek<u8>(data + 64) == state.fpu.xmm[1][3]);
    CHECK(peek<u8>(data + 65) == 0);
}

TEST_CASE_METHOD(SimdFixture, "simd: general registers go in and out whichever field names them") {
    state.reg(Reg::Esi) = 0xFFFFFFF6;
    REQUIRE(!run({0xF3, 0x0F, 0x2A, 0xC6}));  // cvtsi2ss xmm0, esi
    CHECK(xmm<float>(0) == -10);
    REQUIRE(!run({0xF3, 0x0F, 0x2C, 0xF8}));  // cvttss2si edi, xmm0
    CHECK(state.reg(Reg::Edi) == 0xFFFFFFF6);
    REQUIRE(!run({0x0F, 0x50, 0xE8}));  // movmskps ebp, xmm0
    CHECK(state.reg(Reg::Ebp) == static_cast<u64>(_mm_movemask_ps(xmm<__m128>(0))));
    REQUIRE(!run({0x66, 0x0F, 0x7E, 0xCA}));  // movd edx, xmm1
    CHECK(state.reg(Reg::Edx) == xmm<u32>(1));
    REQUIRE(!run({0x66, 0x0F, 0xC4, 0xC2, 0x03}));  // pinsrw xmm0, edx, 3
    REQUIRE(!run({0x66, 0x0F, 0xC5, 0xC8, 0x03}));  // pextrw ecx, xmm0, 3
    CHECK(state.reg(Reg::Ecx) == (xmm<u32>(1) & 0xFFFF));
    state.reg(Reg::Eax) = 0x12345678;
    state.reg(Reg::Ecx) = 0xDEADBE42;
    REQUIRE(!run({0xF2, 0x0F, 0x38, 0xF0, 0xC5}));  // crc32 eax, ch
    u32 crc = 0x12345678 ^ 0xBE;
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78 : 0);
    CHECK(state.reg(Reg::Eax) == crc);
    REQUIRE(!run({0x66, 0xF2, 0x0F, 0x38, 0xF1, 0xC1}));  // crc32 eax, cx
    crc ^= 0xBE42;
    for (int i = 0; i < 16; ++i) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78 : 0);
    CHECK(state.reg(Reg::Eax) == crc);
}

TEST_CASE_METHOD(SimdFixture, "simd: comparisons replace all six arithmetic flags and no others") {
    state.eflags = eflags::fixed | eflags::arithmetic | eflags::df | eflags::if_;
    REQUIRE(!run({0x0F, 0x2F, 0xC1}));  // comiss: 1.5 < 3
    CHECK(state.eflags == (eflags::fixed | eflags::cf | eflags::df | eflags::if_));
    REQUIRE(!run({0x66, 0x0F, 0x38, 0x17, 0xC0}));  // ptest xmm0, xmm0
    CHECK(state.eflags == (eflags::fixed | eflags::cf | eflags::df | eflags::if_));
}

TEST_CASE_METHOD(SimdFixture, "simd: string comparisons use EAX and EDX and answer in ECX or XMM0") {
    std::memcpy(state.fpu.xmm[2], "find the needle.", 16);
    std::memcpy(state.fpu.xmm[1], "needle..........", 16);
    state.reg(Reg::Eax) = 6;
    state.reg(Reg::Edx) = 16;
    REQUIRE(!run({0x66, 0x0F, 0x3A, 0x61, 0xCA, 0x0C}));  // pcmpestri xmm1, xmm2, equal ordered
    CHECK(state.reg(Reg::Ecx) == 9);
    CHECK(state.reg(Reg::Eax) == 6);
    REQUIRE(!run({0x66, 0x0F, 0x3A, 0x60, 0xCA, 0x0C}));  // pcmpestrm
    CHECK(xmm<u32>(0) == 1u << 9);
}

TEST_CASE_METHOD(SimdFixture, "simd: 16-byte operands must be aligned, except for the moves that say otherwise") {
    state.reg(Reg::Ebx) = data + 8;
    CHECK(run({0x0F, 0x58, 0x03}) == Fault::exception(vector::gp));        // addps
    CHECK(run({0x0F, 0x29, 0x03}) == Fault::exception(vector::gp));        // movaps store
    CHECK(run({0x66, 0x0F, 0xE7, 0x03}) == Fault::exception(vector::gp));  // movntdq
    CHECK(!run({0x0F, 0x10, 0x03}));                                       // movups
    CHECK(!run({0xF2, 0x0F, 0xF0, 0x03}));                                 // lddqu
    CHECK(!run({0xF2, 0x0F, 0x58, 0x43, 0x01}));                           // addsd
    CHECK(!run({0x66, 0x0F, 0x3A, 0x63, 0x03, 0x00}));                     // pcmpistri
    state.segment(Seg::Ds).base = 8;
    CHECK(!run({0x0F, 0x58, 0x03}));
}

TEST_CASE_METHOD(SimdFixture, "simd: EM or a missing OSFXSR is #UD, TS is #NM") {
    state.cr0 |= cr0::ts;
    CHECK(run({0x0F, 0x58, 0xC1}) == Fault::exception(vector::nm));
    CHECK(run({0x0F, 0xFC, 0xC1}) == Fault::exception(vector::nm));
    CHECK(run({0x0F, 0xAE, 0x03}) == Fault::exception(vector::nm));  // fxsave
    CHECK(!run({0x0F, 0xC3, 0x0B}));                                 // movnti
    state.cr0 |= cr0::em;
    CHECK(run({0x0F, 0x58, 0xC1}) == Fault::exception(vector::ud));
    CHECK(run({0x0F, 0xFC, 0xC1}) == Fault::exception(vector::ud));
    CHECK(run({0x0F, 0xAE, 0x03}) == Fault::exception(vector::nm));
    state.cr0 &= ~(cr0::em | cr0::ts);
    state.cr4 &= ~cr4::osfxsr;
    CHECK(run({0x0F, 0x58, 0xC1}) == Fault::exception(vector::ud));
    CHECK(!run({0x0F, 0xFC, 0xC1}));
}

TEST_CASE_METHOD(SimdFixture, "simd: an unmasked exception sets its flag, writes nothing and is #XM or #UD") {
    state.fpu.mxcsr = 0x1D80;  // ZM clear
    set_xmm(1, _mm_setr_ps(0, 1, 7, 7));
    CHECK(run({0x0F, 0x5E, 0xC1}) == Fault::exception(vector::xm));  // divps
    CHECK(equal(xmm<__m128>(0), a));
    CHECK(state.fpu.mxcsr == 0x1D84);  // precision is not looked for any more
    state.cr4 &= ~cr4::osxmmexcpt;
    CHECK(run({0x0F, 0x5E, 0xC1}) == Fault::exception(vector::ud));
}

TEST_CASE_METHOD(SimdFixture, "simd: masked exceptions only leave sticky flags") {
    set_xmm(1, _mm_setr_ps(0, 1, 7, 7));
    CHECK(!run({0x0F, 0x5E, 0xC1}));  // divps
    CHECK(state.fpu.mxcsr == 0x1FA4);
    set_xmm(0, a);
    set_xmm(1, a);
    CHECK(!run({0x0F, 0x5C, 0xC1}));  // subps, exact
    CHECK(state.fpu.mxcsr == 0x1FA4);
}

TEST_CASE_METHOD(SimdFixture, "simd: an unmasked underflow is raised for exact tiny results too") {
    set_xmm(0, _mm_set1_ps(1.17549435e-38f));
    set_xmm(1, _mm_set1_ps(0.5f));
    CHECK(!run({0x0F, 0x59, 0xC1}));  // mulps
    CHECK(state.fpu.mxcsr == 0x1F80);
    set_xmm(0, _mm_set1_ps(1.17549435e-38f));
    state.fpu.mxcsr = 0x1780;
    CHECK(run({0x0F, 0x59, 0xC1}) == Fault::exception(vector::xm));
    CHECK(state.fpu.mxcsr == 0x1790);
}

TEST_CASE_METHOD(SimdFixture, "simd: the guest's rounding mode counts and the host's stays") {
    const u32 host = _mm_getcsr();
    set_xmm(0, _mm_set1_ps(1));
    set_xmm(1, _mm_set1_ps(3));
    state.fpu.mxcsr = 0x5F80;  // up
    REQUIRE(!run({0x0F, 0x5E, 0xC1}));
    CHECK(xmm<u32>(0) == 0x3EAAAAAB);
    set_xmm(0, _mm_set1_ps(1));
    state.fpu.mxcsr = 0x3F80;  // down
    REQUIRE(!run({0x0F, 0x5E, 0xC1}));
    CHECK(xmm<u32>(0) == 0x3EAAAAAA);
    CHECK(_mm_getcsr() == host);
}

TEST_CASE_METHOD(SimdFixture, "simd: MMX makes TOP zero and every tag valid, EMMS empties them") {
    state.fpu.status = 5 << 11;
    for (u8 i = 0; i < 8; ++i) state.fpu.st[i][0] = static_cast<u8>((i + 5) & 7);  // register n holds n
    REQUIRE(!run({0x0F, 0xFC, 0xCA}));                                             // paddb mm1, mm2
    CHECK(x87::top(state.fpu) == 0);
    CHECK(state.fpu.tags == 0xFF);
    CHECK(state.fpu.st[1][0] == 3);
    CHECK(state.fpu.st[1][9] == 0xFF);
    CHECK(state.fpu.st[7][0] == 7);
    REQUIRE(!run({0x0F, 0x77}));
    CHECK(state.fpu.tags == 0);
}

TEST_CASE_METHOD(SimdFixture, "simd: MASKMOVQ stores the selected bytes only and checks them first") {
    REQUIRE(!run({0x0F, 0x77}));
    for (u8 i = 0; i < 8; ++i) state.fpu.st[0][i] = static_cast<u8>(i + 1), state.fpu.st[1][i] = i & 1 ? 0x80 : 0x7F;
    state.reg(Reg::Edi) = data;
    state.segment(Seg::Ds).limit = data + 6;
    CHECK(run({0x0F, 0xF7, 0xC1}) == Fault::exception(vector::gp));
    CHECK(peek<u64>(data) == 0);
    state.segment(Seg::Ds).limit = data + 7;
    CHECK(!run({0x0F, 0xF7, 0xC1}));
    CHECK(peek<u64>(data) == 0x0800060004000200);
    CHECK(state.fpu.tags == 0xFF);
}

TEST_CASE_METHOD(SimdFixture, "simd: LDMXCSR refuses reserved bits") {
    poke<u32>(data, 0x1F80 | 0x10000);
    CHECK(run({0x0F, 0xAE, 0x13}) == Fault::exception(vector::gp));
    CHECK(state.fpu.mxcsr == 0x1F80);
    poke<u32>(data, 0xFFFF);
    CHECK(!run({0x0F, 0xAE, 0x13}));
    CHECK(!run({0x0F, 0xAE, 0x5B, 0x04}));
    CHECK(peek<u32>(data + 4) == 0xFFFF);
}

TEST_CASE_METHOD(SimdFixture, "simd: FXSAVE leaves the last 224 bytes alone and FXRSTOR brings the rest back") {
    for (u32 i = 0; i < 512; ++i) poke<u8>(data + i, 0xA5);
    set_st(0, 1.5L);
    state.fpu.mxcsr = 0x1FA0;
    FxImage before = state.fpu;
    REQUIRE(!run({0x0F, 0xAE, 0x03}));
    CHECK(peek<u32>(data + 28) == 0xFFFF);
    CHECK(peek<u64>(data + 160) == xmm<u64>(0));
    for (u32 i = 288; i < 512; ++i) CHECK(peek<u8>(data + i) == 0xA5);
    state.fpu = FxImage{};
    REQUIRE(!run({0x0F, 0xAE, 0x0B}));
    CHECK(std::memcmp(&before, &state.fpu, sizeof before) == 0);
}

TEST_CASE_METHOD(SimdFixture, "simd: FXSAVE and FXRSTOR check alignment and the reserved bits of MXCSR") {
    CHECK(run({0x0F, 0xAE, 0x43, 0x08}) == Fault::exception(vector::gp));
    CHECK(run({0x0F, 0xAE, 0x4B, 0x08}) == Fault::exception(vector::gp));
    poke<u32>(data + 24, 0x10000);
    CHECK(run({0x0F, 0xAE, 0x0B}) == Fault::exception(vector::gp));
    CHECK(equal(xmm<__m128>(0), a));
}

TEST_CASE_METHOD(SimdFixture, "simd: without OSFXSR, FXSAVE and FXRSTOR leave the XMM registers out") {
    state.cr4 &= ~cr4::osfxsr;
    poke<u64>(data + 160, 77);
    REQUIRE(!run({0x0F, 0xAE, 0x03}));
    CHECK(peek<u64>(data + 160) == 77);
    REQUIRE(!run({0x0F, 0xAE, 0x0B}));
    CHECK(equal(xmm<__m128>(0), a));
}

TEST_CASE_METHOD(SimdFixture, "simd: trying every immediate of an instruction does not use up the stubs") {
    for (u32 round = 0; round < 40; ++round)
        for (u32 immediate = 0; immediate < 256; ++immediate)
            REQUIRE(!run({0x66, 0x0F, 0x70, static_cast<u8>(0xC0 + round), static_cast<u8>(immediate)}));
}

}  // namespace vellum::test
