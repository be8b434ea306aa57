/* Divisions with and without sign, 32 by 32 and 64 by 32 bits, and wide multiplications. */
#include "program.h"

static unsigned work(unsigned repeat) {
    unsigned sum = 0, seed = 1;
    for (unsigned i = 0; i < repeat * 100000; ++i) {
        unsigned n = next_random(&seed), d = (n >> 20) | 1;
        sum += n / d + (unsigned)((int)n % (int)d);
        unsigned high = n % d, quotient, rest;
        __asm__("div %4" : "=a"(quotient), "=d"(rest) : "a"(sum), "d"(high), "r"(d) : "cc");
        sum ^= quotient + rest;
        sum += (unsigned)(((unsigned long long)n * d) >> 32);
    }
    return sum;
}
