/* Product of 64 x 64 matrices in packed single precision. */
#include <xmmintrin.h>

#include "program.h"

enum { n = 64 };
static float a[n][n] __attribute__((aligned(16))), b[n][n] __attribute__((aligned(16))), c[n][n] __attribute__((aligned(16)));

static unsigned work(unsigned repeat) {
    for (int i = 0; i < n; ++i)
        for (int j = 0; j < n; ++j) a[i][j] = (float)(i ^ j) / 64, b[i][j] = (float)(i - j) / 64;
    for (unsigned round = 0; round < repeat; ++round) {
        for (int i = 0; i < n; ++i)
            for (int j = 0; j < n; j += 4) {
                __m128 sum = _mm_setzero_ps();
                for (int k = 0; k < n; ++k)
                    sum = _mm_add_ps(sum, _mm_mul_ps(_mm_set1_ps(a[i][k]), _mm_load_ps(&b[k][j])));
                _mm_store_ps(&c[i][j], _mm_max_ps(sum, _mm_sqrt_ps(_mm_mul_ps(sum, sum))));
            }
        a[round % n][3] = c[round % n][5] / 4096;
    }
    unsigned sum = 0, word;
    for (int i = 0; i < n; ++i) memcpy(&word, &c[i][i], 4), sum = sum * 31 + word;
    return sum;
}
