/* Recursion 20,000 calls deep, far deeper than any processor's return prediction. */
#include "program.h"

__attribute__((noinline, noclone, optimize("no-optimize-sibling-calls"))) static unsigned descend(unsigned depth,
                                                                                                unsigned x) {
    return depth == 0 ? x : descend(depth - 1, x * 5 + depth) ^ depth;
}

static unsigned work(unsigned repeat) {
    unsigned sum = 0;
    for (unsigned i = 0; i < repeat * 10; ++i) sum += descend(20000, i);
    return sum;
}
