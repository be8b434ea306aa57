/* Small mappings come and go, change their rights, and are touched: what an allocator or a linker does to the kernel. */
#include <sys/mman.h>

#include "program.h"

enum { slots = 64, page = 4096, pages = 4 };

static unsigned work(unsigned repeat) {
    static unsigned char* slot[slots];
    unsigned seed = 1, sum = 0;
    for (unsigned i = 0; i < repeat * 1000; ++i) {
        unsigned char** s = &slot[next_random(&seed) >> 26];
        if (*s) {
            must(mprotect(*s, page, PROT_READ), "mprotect");
            sum = sum * 31 + **s;
            must(munmap(*s, pages * page), "munmap");
            *s = 0;
        } else {
            *s = mmap(0, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (*s == MAP_FAILED) exit(1);
            (*s)[0] = (unsigned char)i;
            (*s)[2 * page] = 1;
        }
    }
    return sum;
}
