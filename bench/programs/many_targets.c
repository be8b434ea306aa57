/* Indirect calls from one site to 1024 functions: more targets than an inline cache or a small table holds. The
   functions are made at the start and never changed. */
#include <sys/mman.h>

#include "program.h"

enum { functions = 1024, length = 64 };

static unsigned work(unsigned repeat) {
    unsigned char* code = mmap(0, functions * length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED) exit(1);
    unsigned seed = 5, x = 1;
    for (unsigned i = 0; i < functions; ++i) {
        unsigned value = next_random(&seed);
        unsigned char* at = code + i * length;
        *at++ = 0x8B, *at++ = 0x44, *at++ = 0x24, *at++ = 0x04; /* mov eax, [esp+4] */
        *at++ = i % 2 ? 0x05 : 0x35;                            /* add eax, or xor eax, */
        memcpy(at, &value, 4), at += 4;                         /* ... value */
        *at++ = 0xC3;                                           /* ret */
    }
    must(mprotect(code, functions * length, PROT_READ | PROT_EXEC), "mprotect");
    for (unsigned i = 0; i < repeat * 10000; ++i)
        x = ((unsigned (*)(unsigned))(code + next_random(&seed) / (~0u / functions + 1) * length))(x);
    return x;
}
