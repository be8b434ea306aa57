/* Recursive quicksort of 2 Mi pseudo-random words, four times. */
#include "measure.h"

enum { size = 2 << 20, rounds = 4 };
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

static void work(void) {
    unsigned seed = 12345;
    for (int round = 0; round < rounds; ++round) {
        for (int i = 0; i < size; ++i) values[i] = seed = seed * 1664525u + 1013904223u;
        sort(values, values + size - 1);
        checksum += values[size / 3];
    }
}
