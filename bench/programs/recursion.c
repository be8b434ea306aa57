/* Fibonacci numbers by their definition: little but calls and returns. */
#include "program.h"

__attribute__((noinline, noclone, optimize("no-optimize-sibling-calls"))) static unsigned fibonacci(unsigned n) {
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static unsigned work(unsigned repeat) {
    unsigned sum = 0;
    for (unsigned i = 0; i < repeat; ++i) sum += fibonacci(24 + i % 2);
    return sum;
}
