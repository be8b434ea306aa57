/* REP string instructions over 1 to 32 bytes, as memcpy, strlen and memcmp of small things make them. */
#include "program.h"

static unsigned work(unsigned repeat) {
    static char text[64] = "a string of some length, with an end that is not far", copy[64];
    unsigned sum = 0;
    for (unsigned i = 0; i < repeat * 10000; ++i) {
        const char *source = text + i % 16, *other = text + i % 16, *scan = source;
        char* target = copy;
        unsigned count = 1 + i % 32, left = ~0u;
        unsigned char equal;
        __asm__ volatile("rep movsb" : "+S"(source), "+D"(target), "+c"(count) : : "memory");
        count = 1 + i % 8, target = copy + 32;
        __asm__ volatile("rep stosl" : "+D"(target), "+c"(count) : "a"(i) : "memory");
        __asm__ volatile("repne scasb" : "+D"(scan), "+c"(left) : "a"(0) : "memory", "cc");
        count = 1 + i % 32, target = copy;
        __asm__ volatile("repe cmpsb; sete %3" : "+S"(other), "+D"(target), "+c"(count), "=q"(equal) : : "memory", "cc");
        sum += ~left + equal + count + (unsigned char)copy[i % 64];
    }
    return sum;
}
