/* Calls through a table of functions in pseudo-random order, as objects with virtual functions make them. */
#include "program.h"

typedef unsigned (*step)(unsigned);
static unsigned f0(unsigned x) { return x + 1; }
static unsigned f1(unsigned x) { return x ^ 0x55; }
static unsigned f2(unsigned x) { return x * 3; }
static unsigned f3(unsigned x) { return x - 7; }
static unsigned f4(unsigned x) { return x << 1 | x >> 31; }
static unsigned f5(unsigned x) { return ~x; }
static unsigned f6(unsigned x) { return x + (x >> 4); }
static unsigned f7(unsigned x) { return x ^ (x << 5); }
static step volatile steps[8] = {f0, f1, f2, f3, f4, f5, f6, f7};

static unsigned work(unsigned repeat) {
    static unsigned char order[4096];
    unsigned seed = 3, x = 1;
    for (unsigned i = 0; i < sizeof order; ++i) order[i] = next_random(&seed) >> 29;
    for (unsigned round = 0; round < repeat * 10; ++round)
        for (unsigned i = 0; i < sizeof order; ++i) x = steps[order[i]](x);
    return x;
}
