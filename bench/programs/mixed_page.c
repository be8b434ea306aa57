/* Code that counts in a variable beside it, on the same page. */
#include "code_page.h"

static unsigned work(unsigned repeat) {
    unsigned char* code = code_pages(4096);
    unsigned address = (unsigned)(unsigned long)(code + 2048);
    unsigned char* at = put(code, "\x8B\x44\x24\x04\x01\x05", 6); /* mov eax, [esp+4]; add [variable], eax */
    at = put(put_word(at, address), "\x03\x05", 2);               /* add eax, [variable] */
    put(put_word(at, address), "\xC3", 1);                        /* ret */
    unsigned x = 1;
    for (unsigned i = 0; i < repeat * 1000; ++i) x = ((function)code)(x);
    return x;
}
