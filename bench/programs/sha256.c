/* SHA-256 (FIPS 180-4) over 64 KiB. */
#include "program.h"

static unsigned constants[64], state[8];

static unsigned rotate(unsigned x, int n) { return x >> n | x << (32 - n); }

/* The first 32 bits of the fractional part of the ROOT-th root of N, by bisection. */
static unsigned fraction_of_root(unsigned n, int root) {
    unsigned long long low = 0, high = 1ull << 36; /* the root, times 2^32; it is below 16 */
    while (high - low > 1) {
        unsigned long long middle = (low + high) / 2;
        long double m = (long double)middle / 4294967296.0L;
        long double power = root == 2 ? m * m : m * m * m;
        if (power <= n)
            low = middle;
        else
            high = middle;
    }
    return (unsigned)low;
}

static void transform(const unsigned char* block) {
    unsigned w[64], s[8];
    for (int i = 0; i < 16; ++i)
        w[i] = (unsigned)block[4 * i] << 24 | block[4 * i + 1] << 16 | block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 64; ++i)
        w[i] = w[i - 16] + w[i - 7] + (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3) +
               (rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10);
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; ++i) {
        unsigned t1 = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) +
                      constants[i] + w[i];
        unsigned t2 = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) +
                      ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; ++i) state[i] += s[i];
}

static unsigned work(unsigned repeat) {
    static unsigned char data[65536];
    unsigned seed = 9, prime = 2;
    for (unsigned i = 0; i < sizeof data; ++i) data[i] = next_random(&seed) >> 24;
    for (int i = 0; i < 64; ++prime) {
        int divisor = 2;
        while (prime % divisor) ++divisor;
        if (divisor != (int)prime) continue;
        if (i < 8) state[i] = fraction_of_root(prime, 2);
        constants[i++] = fraction_of_root(prime, 3);
    }
    for (unsigned round = 0; round < repeat; ++round)
        for (unsigned i = 0; i < sizeof data; i += 64) transform(data + i);
    return state[0] ^ state[7];
}
