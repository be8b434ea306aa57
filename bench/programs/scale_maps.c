/* As many pages as the argument says, no two of them side by side, so that none can share a mapping of the host with
   another: each is touched ten times, in turn. */
#include <sys/mman.h>

#include "program.h"

enum { page = 4096, rounds = 10 };

static unsigned work(unsigned pages) {
    unsigned char* memory = mmap(0, 2 * page * (size_t)pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) exit(1);
    unsigned sum = 0;
    for (int round = 0; round < rounds; ++round)
        for (unsigned i = 0; i < pages; ++i) sum += ++memory[2 * page * (size_t)i];
    return sum;
}
