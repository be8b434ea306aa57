/* Blends two pictures of 64 KiB with packed integer instructions of SSE2: unpack, multiply, shift, pack. */
#include <emmintrin.h>

#include "program.h"

enum { size = 64 << 10 };
static unsigned char a[size] __attribute__((aligned(16))), b[size] __attribute__((aligned(16)));

static __m128i blend(__m128i x, __m128i y, __m128i alpha) {
    return _mm_add_epi16(y, _mm_srai_epi16(_mm_mullo_epi16(_mm_sub_epi16(x, y), alpha), 7));
}

static unsigned work(unsigned repeat) {
    unsigned seed = 1, sum = 0;
    for (int i = 0; i < size; ++i) a[i] = next_random(&seed) >> 24, b[i] = next_random(&seed) >> 24;
    const __m128i zero = _mm_setzero_si128();
    for (unsigned round = 0; round < repeat; ++round) {
        const __m128i alpha = _mm_set1_epi16((short)(round % 128));
        for (int i = 0; i < size; i += 16) {
            __m128i x = _mm_load_si128((__m128i*)(a + i)), y = _mm_load_si128((__m128i*)(b + i));
            __m128i low = blend(_mm_unpacklo_epi8(x, zero), _mm_unpacklo_epi8(y, zero), alpha);
            __m128i high = blend(_mm_unpackhi_epi8(x, zero), _mm_unpackhi_epi8(y, zero), alpha);
            _mm_store_si128((__m128i*)(b + i), _mm_avg_epu8(_mm_packus_epi16(low, high), y));
        }
    }
    for (int i = 0; i < size; ++i) sum = sum * 31 + b[i];
    return sum;
}
