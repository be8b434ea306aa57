/* Writes a new function of 20 to 50 instructions into a buffer of 64 KiB, runs it 100 times, and goes on to the next. */
#include "code_page.h"

enum { buffer = 64 << 10, longest = 512 };

static unsigned char* write_function(unsigned char* at, unsigned* seed) {
    at = put(at, "\x8B\x44\x24\x04\x89\xC1", 6); /* mov eax, [esp+4]; mov ecx, eax */
    for (unsigned n = 20 + (next_random(seed) >> 27); n > 0; --n) switch (next_random(seed) >> 30) {
            case 0: at = put_word(put(at, "\x05", 1), next_random(seed)); break;     /* add eax, constant */
            case 1: at = put(at, "\x31\xC8\xC1\xC1\x03", 5); break;                  /* xor eax, ecx; rol ecx, 3 */
            case 2: at = put(at, "\x8D\x0C\x48", 3); break;                          /* lea ecx, [eax+ecx*2] */
            default: at = put_word(put(at, "\x69\xC9", 2), next_random(seed)); break; /* imul ecx, constant */
        }
    return put(at, "\x01\xC8\xC3", 3); /* add eax, ecx; ret */
}

static unsigned work(unsigned repeat) {
    unsigned char *code = code_pages(buffer), *at = code;
    unsigned seed = 1, x = 1;
    for (unsigned i = 0; i < repeat * 100; ++i) {
        if (at + longest > code + buffer) at = code;
        unsigned char* start = at;
        at = write_function(at, &seed);
        for (int run = 0; run < 100; ++run) x = ((function)start)(x);
    }
    return x;
}
