/* A loop of 100 rounds whose constant is patched before each run, from another page. */
#include "code_page.h"

static unsigned work(unsigned repeat) {
    unsigned char* code = code_pages(4096);
    unsigned char* at = put(code, "\xB9\x64\x00\x00\x00\x8B\x44\x24\x04", 9); /* mov ecx, 100; mov eax, [esp+4] */
    unsigned char* loop = at;
    at = put(at, "\x05", 1); /* add eax, constant */
    unsigned char* constant = at;
    at = put_word(at, 0);
    at = put(at, "\xC1\xC0\x05\x49\x75", 5); /* rol eax, 5; dec ecx; jnz loop */
    *at = (unsigned char)(loop - (at + 1));
    put(at + 1, "\xC3", 1); /* ret */
    unsigned x = 1;
    for (unsigned i = 0; i < repeat * 100; ++i) {
        put_word(constant, i * 2654435761u);
        x = ((function)code)(x);
    }
    return x;
}
