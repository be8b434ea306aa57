/* Additions, shifts, rotations and logic in registers: a chain of dependent steps without memory. */
#include "program.h"

static unsigned work(unsigned repeat) {
    unsigned a = 1, b = 2, c = 3;
    for (unsigned i = 0; i < repeat * 1000000; ++i) {
        a += b ^ (c >> 3);
        b = (b << 7 | b >> 25) + a;
        c = (c - b) ^ (a & i);
        a = a > b ? a - c : a + 1;
    }
    return a ^ b ^ c;
}
