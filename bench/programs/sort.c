/* Recursive quicksort of 256 Ki pseudo-random words. */
#include "program.h"

enum { size = 256 << 10 };
static unsigned values[size];

static void sort(unsigned* low, unsigned* high) {
    if (low >= high) return;
    unsigned pivot = low[(high - low) / 2], *i = low, *j = high;
    while (i <= j) {
        while (*i < pivot) ++i;
        while (*j > pivot) --j;
        if (i <= j) {
            unsigned t = *i;
            *i++ = *j;
            *j-- = t;
        }
    }
    sort(low, j);
    sort(i, high);
}

static unsigned work(unsigned repeat) {
    unsigned seed = 12345, sum = 0;
    for (unsigned round = 0; round < repeat; ++round) {
        for (int i = 0; i < size; ++i) values[i] = next_random(&seed);
        sort(values, values + size - 1);
        sum += values[size / 3];
    }
    return sum;
}
