/* REP MOVSD and REP STOSD over 64 KiB each. */
#include "program.h"

enum { words = 16 << 10 };
static unsigned from[words], to[words];

static unsigned work(unsigned repeat) {
    for (unsigned i = 0; i < words; ++i) from[i] = i * 77;
    for (unsigned round = 0; round < repeat * 10; ++round) {
        void *source = from, *target = to;
        unsigned count = words;
        __asm__ volatile("rep movsl" : "+S"(source), "+D"(target), "+c"(count) : : "memory");
        target = from, count = words / 2;
        __asm__ volatile("rep stosl" : "+D"(target), "+c"(count) : "a"(round) : "memory");
    }
    unsigned sum = 0;
    for (unsigned i = 0; i < words; ++i) sum = sum * 31 + to[i];
    return sum;
}
