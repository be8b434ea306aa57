/* As many MiB of code as the argument says, written once and run three times from one end to the other: the first run
   translates, the others find translations, if there is room for all of them. */
#include "code_page.h"

enum { length = 256, mebibyte = 1 << 20 };

static void write_function(unsigned char* at, unsigned* seed) {
    unsigned char* end = at + length - 8;
    at = put(at, "\x8B\x44\x24\x04\x89\xC1", 6); /* mov eax, [esp+4]; mov ecx, eax */
    while (at < end - 6) switch (next_random(seed) >> 30) {
            case 0: at = put_word(put(at, "\x05", 1), next_random(seed)); break;     /* add eax, constant */
            case 1: at = put(at, "\x31\xC8\xC1\xC1\x03", 5); break;                  /* xor eax, ecx; rol ecx, 3 */
            case 2: at = put(at, "\x8D\x0C\x48", 3); break;                          /* lea ecx, [eax+ecx*2] */
            default: at = put_word(put(at, "\x69\xC9", 2), next_random(seed)); break; /* imul ecx, constant */
        }
    put(at, "\x01\xC8\xC3", 3); /* add eax, ecx; ret */
}

static unsigned work(unsigned mebibytes) {
    unsigned bytes = mebibytes * mebibyte, seed = 1, x = 1;
    unsigned char* code = code_pages(bytes);
    for (unsigned at = 0; at < bytes; at += length) write_function(code + at, &seed);
    for (int run = 0; run < 3; ++run)
        for (unsigned at = 0; at < bytes; at += length) x = ((function)(code + at))(x);
    return x;
}
