/* Fresh memory: 8 MiB are mapped, each page is written once, and they are given back. */
#include <sys/mman.h>

#include "program.h"

enum { size = 8 << 20, page = 4096 };

static unsigned work(unsigned repeat) {
    unsigned sum = 0;
    for (unsigned round = 0; round < repeat; ++round) {
        unsigned char* memory = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) exit(1);
        for (unsigned at = 0; at < size; at += page) sum += ++memory[at + round % page];
        must(munmap(memory, size), "munmap");
    }
    return sum;
}
